"""Images of every kind, whole and broken, as Pillow's objects and as bytes."""

from io import BytesIO
from typing import Any

from PIL import Image, ImageDraw

RED, WHITE = (220, 20, 20), (255, 255, 255)


def picture(width: int = 200, height: int = 120, mode: str = "RGB") -> Image.Image:
    """White, with the upper left quarter in red."""
    image = Image.new("RGB", (width, height), WHITE)
    ImageDraw.Draw(image).rectangle((0, 0, width // 2 - 1, height // 2 - 1), fill=RED)
    return image.convert(mode)


def saved(image: Image.Image, form: str, **options: Any) -> bytes:
    buffer = BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def turned() -> bytes:
    """A JPEG that is shown upright only by its EXIF orientation."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return saved(picture().transpose(Image.Transpose.ROTATE_90), "JPEG", exif=exif, quality=95)


def noise() -> Image.Image:
    return Image.effect_noise((200, 120), 90).convert("RGB")


def flipped(data: bytes) -> bytes:
    """The file with one wrong byte in its middle."""
    middle = len(data) // 2
    return data[:middle] + bytes((data[middle] ^ 0xFF,)) + data[middle + 1 :]


def huge_png() -> bytes:
    """The beginning of a PNG of 60,000 by 60,000 pixels, and nothing of what it shows."""
    small = saved(Image.new("L", (1, 1)), "PNG")
    return small[:16] + (60_000).to_bytes(4, "big") * 2 + small[24:]
