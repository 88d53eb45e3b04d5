"""Images converted to what a recipient accepts: upright, in screen colours, PNG or JPEG, within the limits."""

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
"""The size of a PNG, in bytes, above which it is taken for a photo or a scan, which JPEG keeps much smaller."""
_PAGED: Final = ("TIFF",)
"""The formats whose frames are pages; in other formats, they are an animation or the same picture again."""
_ORIENTATION: Final = 0x0112
_SHRINKS: Final = 0.8
_PLAIN_MODES: Final = ("1", "L", "LA", "P", "RGB", "RGBA")


def fitted_pages(source: SourceFile, fit: PictureFit) -> Iterator[ReadPage]:
    """The image as pages without text, each with a view that fits; most images have one page.

    Raises:
        InputError: the image is broken, in a format that Pillow does not read, or too large.
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
    """Whether the image fits without a change."""
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
    # Steps that take memory for each pixel come after the scaling.
    shown = _scaled(_even(image), fit.max_side)
    return _within(_visible(ImageOps.exif_transpose(shown)), fit)


def _even(image: "Image") -> "Image":
    """The image in a mode that can be scaled: without a palette, and with at most 256 levels of grey."""
    if image.mode.startswith(("I", "F")):  # more than 256 levels of grey
        low, high = (float(value) for value in image.getextrema()[:2])  # pyright: ignore[reportArgumentType] one channel
        steps = 255.0 / ((high - low) or 1.0)
        return image.convert("F").point(lambda value: value * steps - low * steps).convert("L")
    if image.mode in ("P", "PA"):
        return image.convert("RGBA" if image.has_transparency_data else "RGB")
    return image


def _visible(image: "Image") -> "Image":
    """The image in a colour mode for screens."""
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
    """The image as PNG, or as JPEG if the PNG is too large; the JPEG is scaled down until it is small enough."""
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
    """The image on a white background."""
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
