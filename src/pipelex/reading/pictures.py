"""Images as Pillow's objects, and as bytes."""

import base64
import warnings
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from io import BytesIO
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import unquote, unquote_to_bytes

from pipelex.reading.heic import have_heic_read
from pipelex.reading.source import Picture, SourceFile, too_large, unreadable

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_PIXELS: Final = 80_000_000
"""The maximum number of pixels of an image that is decoded; 80 megapixels take 240 MB."""
LOSSLESS_BYTES: Final = 1_500_000
"""The size of a PNG, in bytes, above which it is taken for a photo or a scan, which JPEG keeps much smaller."""
PLAIN_MODES: Final = ("1", "L", "LA", "P", "RGB", "RGBA")
"""Pillow's colour modes that PNG keeps and every viewer shows."""
_BRIGHT: Final = 200
"""The mean brightness, of 255, above which what is drawn would be hard to see on white."""


@contextmanager
def opened_image(source: SourceFile) -> "Generator[Image]":
    """An image file as Pillow opens it: not decoded yet, at its first frame.

    Raises:
        InputError: the image is broken, in a format that Pillow does not read, or too large.
        MissingExtra: a library is not installed.
    """
    from PIL import Image, UnidentifiedImageError

    have_heic_read(source)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield Image.open(BytesIO(source.data))
    except UnidentifiedImageError:
        raise unreadable(source, "format", f"images of type {source.mime_type} are not read here") from None
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
        raise unreadable(source, "damaged", str(error)) from None


def opened_pages(source: SourceFile, max_pages: int) -> "Iterator[Image]":
    """The pages of an image file, upright and decoded, one after the other; only a TIFF has more than one.

    Args:
        source: the file.
        max_pages: the maximum number of pages.

    Raises:
        InputError: the image is broken, in a format that Pillow does not read, or too large.
        MissingExtra: a library is not installed.
    """
    from PIL import ImageOps

    with opened_image(source) as image:
        count = count_pages(image)
        if count > max_pages:
            raise too_large(source, f"has {count} pages; at most {max_pages} are read", max_pages, count)
        for index in range(count):
            image.seek(index)
            check_pixels(image, source)
            image.load()
            yield ImageOps.exif_transpose(image)


def count_frames(image: "Image") -> int:
    """The number of frames of an image: pages, or the pictures of an animation."""
    return int(getattr(image, "n_frames", 1))


def count_pages(image: "Image") -> int:
    """The number of frames that are pages; those of other formats than TIFF are an animation or the same picture."""
    return count_frames(image) if image.format == "TIFF" else 1


def check_pixels(image: "Image", source: SourceFile) -> None:
    """Refuse an image that would take too much memory when it is decoded.

    Raises: InputError: it has more than `MAX_PIXELS`.
    """
    pixels = image.width * image.height
    if pixels > MAX_PIXELS:
        what = f"has {image.width} by {image.height} pixels; at most {MAX_PIXELS} are read"
        raise too_large(source, what, MAX_PIXELS, pixels)


def even(image: "Image") -> "Image":
    """The image in a mode that can be scaled: without a palette, and with at most 256 levels of grey."""
    if image.mode.startswith(("I", "F")):  # more than 256 levels of grey
        low, high = (float(value) for value in image.getextrema()[:2])  # pyright: ignore[reportArgumentType] one channel
        steps = 255.0 / ((high - low) or 1.0)
        return image.convert("F").point(lambda value: value * steps - low * steps).convert("L")
    if image.mode in ("P", "PA"):
        return image.convert("RGBA" if image.has_transparency_data else "RGB")
    return image


def visible(image: "Image") -> "Image":
    """The image in a colour mode for screens."""
    if image.mode in ("La", "RGBa"):
        return image.convert("RGBA")
    return image if image.mode in PLAIN_MODES else image.convert("RGB")


def opaque(image: "Image") -> "Image":
    """The image on paper: white, or black if what is drawn is so bright that white would hide it."""
    from PIL import Image, ImageStat

    if not image.has_transparency_data:
        return image.convert("RGB")
    layer = image.convert("RGBA")
    cover = layer.getchannel("A")
    is_bright = cover.getbbox() is not None and ImageStat.Stat(layer.convert("L"), cover).mean[0] > _BRIGHT
    paper = Image.new("RGB", image.size, "black" if is_bright else "white")
    paper.paste(layer, mask=layer)
    return paper


def picture_of(image: "Image") -> Picture:
    """The image as PNG, or as JPEG when it is large and opaque."""
    shown = image if image.mode in PLAIN_MODES else visible(even(image))
    found = saved(shown, "PNG")
    if len(found.data) > LOSSLESS_BYTES and not shown.has_transparency_data:
        return saved(opaque(shown), "JPEG")
    return found


def saved(image: "Image", form: Literal["PNG", "JPEG"]) -> Picture:
    """The image as a file of that format."""
    buffer = BytesIO()
    image.save(buffer, form, **({"quality": 90} if form == "JPEG" else {}))
    return Picture(buffer.getvalue(), f"image/{form.lower()}", image.width, image.height)


def measured(data: bytes, mime_type: str) -> Picture | None:
    """The unchanged bytes of an image, with its width and height; None when Pillow cannot read them."""
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(BytesIO(data)) as image:
                return Picture(data, mime_type, image.width, image.height)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None


def from_data_url(url: str) -> Picture | None:
    """The image that a `data:` URL holds; None when it holds none that Pillow reads."""
    from PIL import Image

    head, _, payload = url.partition(",")
    try:
        if "base64" in head.lower().split(";"):
            data = base64.b64decode("".join(unquote(payload).split()), validate=True)
        else:
            data = unquote_to_bytes(payload)
    except ValueError:
        return None
    found = measured(data, "")
    if found is None:
        return None
    with Image.open(BytesIO(data)) as image:
        return replace(found, mime_type=image.get_format_mimetype() or "image/png")
