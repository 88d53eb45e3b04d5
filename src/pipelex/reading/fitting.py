"""Images made into what somebody takes: upright, in colours of screens, PNG or JPEG, no larger than the limits."""

import warnings
from collections.abc import Iterator
from io import BytesIO
from typing import TYPE_CHECKING, Final

from pipelex.reading.heic import have_heic_read
from pipelex.reading.pictures import MAX_PIXELS
from pipelex.reading.source import Picture, PictureFit, ReadPage, SourceFile, too_large, unreadable

if TYPE_CHECKING:
    from PIL.Image import Image

_LOSSLESS_BYTES: Final = 1_500_000
"""A PNG larger than this is a photograph or a scan, which JPEG keeps much smaller."""
_PAGED: Final = ("TIFF",)
"""Formats whose frames are pages; those of others move, or are the same picture once more."""
_ORIENTATION: Final = 0x0112
_SHRINKS: Final = 0.8
_PLAIN_MODES: Final = ("1", "L", "LA", "P", "RGB", "RGBA")


def fitted_pages(source: SourceFile, fit: PictureFit) -> Iterator[ReadPage]:
    """The image as pages without text, each with a view that fits; most images are one.

    Raises:
        InputError: it is broken, of a format Pillow does not read, or too large.
        MissingExtra: a library is not installed.
    """
    from PIL import Image, UnidentifiedImageError

    have_heic_read(source)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = Image.open(BytesIO(source.data))
            frames = _frames(image)
            if frames == 1 and _is_fit(image, source, fit):
                yield _page(Picture(source.data, source.mime_type, image.width, image.height))
                return
            for number in range(frames if image.format in _PAGED else 1):
                image.seek(number)
                yield _page(_fitted(image, source, fit))
    except UnidentifiedImageError:
        raise unreadable(source, "format", f"images of type {source.mime_type} are not read here") from None
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
        raise unreadable(source, "damaged", str(error)) from None


def _page(view: Picture) -> ReadPage:
    return ReadPage("", view=view)


def _frames(image: "Image") -> int:
    frames: int = getattr(image, "n_frames", 1)
    return frames


def _is_fit(image: "Image", source: SourceFile, fit: PictureFit) -> bool:
    """Whether the image may stay as it is."""
    is_small = max(image.size) <= fit.max_side and len(source.data) <= fit.max_bytes
    is_upright = image.getexif().get(_ORIENTATION, 1) == 1
    return is_small and is_upright and source.mime_type in fit.kept_types and image.mode in _PLAIN_MODES


def _fitted(image: "Image", source: SourceFile, fit: PictureFit) -> Picture:
    from PIL import ImageOps

    image.draft(None, (fit.max_side, fit.max_side))  # a JPEG is decoded at about the size that is wanted
    pixels = image.width * image.height
    if pixels > MAX_PIXELS:
        what = f"has {image.width} by {image.height} pixels; at most {MAX_PIXELS} are read"
        raise too_large(source, what, MAX_PIXELS, pixels)
    # What takes memory for each pixel comes after the scaling.
    shown = _scaled(_even(image), fit.max_side)
    return _within(_visible(ImageOps.exif_transpose(shown)), fit)


def _even(image: "Image") -> "Image":
    """The image in a mode that can be scaled: without a palette, and grey in as many steps as a screen has."""
    if image.mode.startswith(("I", "F")):  # grey in more steps than a screen has
        low, high = (float(value) for value in image.getextrema()[:2])  # pyright: ignore[reportArgumentType] one channel
        steps = 255.0 / ((high - low) or 1.0)
        return image.convert("F").point(lambda value: value * steps - low * steps).convert("L")
    if image.mode in ("P", "PA"):
        return image.convert("RGBA" if image.has_transparency_data else "RGB")
    return image


def _visible(image: "Image") -> "Image":
    """The image in the colours of a screen."""
    if image.mode in ("La", "RGBa"):
        return image.convert("RGBA")
    return image if image.mode in _PLAIN_MODES else image.convert("RGB")


def _scaled(image: "Image", side: int) -> "Image":
    from PIL import Image

    if max(image.size) <= side:
        return image
    scaled = image.convert("L") if image.mode == "1" else image
    scaled.thumbnail((side, side), Image.Resampling.LANCZOS, reducing_gap=3.0)
    return scaled


def _within(image: "Image", fit: PictureFit) -> Picture:
    """The image as PNG, or as JPEG where that is much smaller or has to be; scaled until it has few enough bytes."""
    lossless = _saved(image, "PNG")
    if len(lossless.data) <= min(_LOSSLESS_BYTES, fit.max_bytes):
        return lossless
    if image.has_transparency_data and len(lossless.data) <= fit.max_bytes:
        return lossless
    opaque = _opaque(image)
    while len((found := _saved(opaque, "JPEG")).data) > fit.max_bytes and max(opaque.size) > 64:
        opaque = _scaled(opaque, round(max(opaque.size) * _SHRINKS))
    return found


def _opaque(image: "Image") -> "Image":
    """The image on white paper."""
    from PIL import Image

    if not image.has_transparency_data:
        return image.convert("RGB")
    paper = Image.new("RGB", image.size, "white")
    layer = image.convert("RGBA")
    paper.paste(layer, mask=layer)
    return paper


def _saved(image: "Image", form: str) -> Picture:
    buffer = BytesIO()
    image.save(buffer, form, **({"quality": 88} if form == "JPEG" else {}))
    return Picture(buffer.getvalue(), f"image/{form.lower()}", image.width, image.height)
