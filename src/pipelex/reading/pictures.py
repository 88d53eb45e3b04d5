"""Images as Pillow's objects, and as bytes."""

import base64
import warnings
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from typing import TYPE_CHECKING
from urllib.parse import unquote, unquote_to_bytes

from pipelex.reading.heic import have_heic_read
from pipelex.reading.source import Picture, SourceFile, too_large, unreadable

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_PIXELS = 80_000_000
"""The maximum number of pixels of an image that is decoded; 80 megapixels take 240 MB."""
_LOSSLESS_BYTES = 1_500_000
"""The size of a PNG, in bytes, above which it is taken for a photo or a scan, which JPEG keeps much smaller."""


def opened_pages(source: SourceFile, max_pages: int) -> "Iterator[Image]":
    """The pages of an image file, upright and decoded, one after the other; only a TIFF has more than one.

    Args:
        source: the file.
        max_pages: the maximum number of pages.

    Raises:
        InputError: the image is broken, in a format that Pillow does not read, or too large.
        MissingExtra: a library is not installed.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    have_heic_read(source)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(BytesIO(source.data))
        for index in range(_count(image, source, max_pages)):
            image.seek(index)
            _check_pixels(image, source)
            image.load()
            yield ImageOps.exif_transpose(image)
    except UnidentifiedImageError:
        raise unreadable(source, "format", f"images of type {source.mime_type} are not read here") from None
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
        raise unreadable(source, "damaged", str(error)) from None


def _count(image: "Image", source: SourceFile, max_pages: int) -> int:
    count = int(getattr(image, "n_frames", 1)) if image.format == "TIFF" else 1
    if count > max_pages:
        raise too_large(source, f"has {count} pages; at most {max_pages} are read", max_pages, count)
    return count


def _check_pixels(image: "Image", source: SourceFile) -> None:
    pixels = image.width * image.height
    if pixels > MAX_PIXELS:
        what = f"has {image.width} by {image.height} pixels; at most {MAX_PIXELS} are read"
        raise too_large(source, what, MAX_PIXELS, pixels)


def picture_of(image: "Image") -> Picture:
    """The image as PNG, or as JPEG when it is large and opaque."""
    if image.mode not in ("RGB", "RGBA", "L", "1", "LA", "P"):
        image = image.convert("RGB")
    buffer = BytesIO()
    image.save(buffer, "PNG")
    mime_type = "image/png"
    if buffer.tell() > _LOSSLESS_BYTES and not image.has_transparency_data:
        buffer = BytesIO()
        opaque = image if image.mode == "RGB" else image.convert("RGB")
        opaque.save(buffer, "JPEG", quality=90)
        mime_type = "image/jpeg"
    return Picture(buffer.getvalue(), mime_type, image.width, image.height)


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
