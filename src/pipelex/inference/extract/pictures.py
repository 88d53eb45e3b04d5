"""Images as Pillow sees them, and as bytes."""

import warnings
from io import BytesIO
from typing import TYPE_CHECKING

from pipelex.errors import InputError
from pipelex.inference.extract.provider import Picture, SourceFile, unreadable

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_PIXELS = 80_000_000
"""Largest image that is decoded; 80 megapixels take 240 MB."""
_LOSSLESS_BYTES = 1_500_000
"""A PNG larger than this is a photograph or a scan, which JPEG keeps much smaller."""


def opened(source: SourceFile) -> "Image":
    """The image, upright and decoded.

    Raises:
        InputError: it is broken, of a format Pillow does not read, or too large.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(BytesIO(source.data))
        pixels = image.width * image.height
        if pixels > MAX_PIXELS:
            raise InputError(
                "input.too_large",
                f"{source.name} has {image.width} by {image.height} pixels; at most {MAX_PIXELS} are read",
                limit=MAX_PIXELS,
                size=pixels,
            )
        image.load()
        return ImageOps.exif_transpose(image)
    except UnidentifiedImageError:
        raise unreadable(source, "format", f"images of type {source.mime_type} are not read here") from None
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
        raise unreadable(source, "damaged", str(error)) from None


def picture_of(image: "Image") -> Picture:
    """The image as PNG, or as JPEG when it is large and opaque."""
    if image.mode not in ("RGB", "RGBA", "L", "1", "LA", "P"):
        image = image.convert("RGB")
    buffer = BytesIO()
    image.save(buffer, "PNG")
    mime_type = "image/png"
    if buffer.tell() > _LOSSLESS_BYTES and not image.has_transparency_data:
        buffer = BytesIO()
        image.convert("RGB").save(buffer, "JPEG", quality=90)
        mime_type = "image/jpeg"
    return Picture(buffer.getvalue(), mime_type, image.width, image.height)


def measured(data: bytes, mime_type: str) -> Picture | None:
    """The bytes as they are, with their size; None when they are not an image that Pillow reads."""
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(BytesIO(data)) as image:
                return Picture(data, mime_type, image.width, image.height)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
