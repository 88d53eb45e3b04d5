"""Images converted to what a recipient accepts: upright, in screen colours, PNG or JPEG, within the limits."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from pipelex.reading.pictures import (
    LOSSLESS_BYTES,
    PLAIN_MODES,
    check_pixels,
    count_frames,
    count_pages,
    even,
    opaque,
    opened_image,
    saved,
    visible,
)
from pipelex.reading.source import Picture, PictureFit, ReadPage, SourceFile

if TYPE_CHECKING:
    from PIL.Image import Image

_ORIENTATION: Final = 0x0112
_SHRINKS: Final = 0.8


def fitted_pages(source: SourceFile, fit: PictureFit) -> Iterator[ReadPage]:
    """The image as pages without text, each with a view that fits; most images have one page.

    Raises:
        InputError: the image is broken, in a format that Pillow does not read, or too large.
        MissingExtra: a library is not installed.
    """
    with opened_image(source) as image:
        if count_frames(image) == 1 and _is_fit(image, source, fit):
            check_pixels(image, source)
            image.load()  # fails for a file that is cut or damaged, which no model should be paid for
            yield _page(Picture(source.data, source.mime_type, image.width, image.height))
            return
        for number in range(count_pages(image)):
            image.seek(number)
            yield _page(_fitted(image, source, fit))


def _page(view: Picture) -> ReadPage:
    return ReadPage("", view=view)


def _is_fit(image: "Image", source: SourceFile, fit: PictureFit) -> bool:
    """Whether the image fits without a change."""
    is_small = max(image.size) <= fit.max_side and len(source.data) <= fit.max_bytes
    is_upright = image.getexif().get(_ORIENTATION, 1) == 1
    return is_small and is_upright and source.mime_type in fit.kept_types and image.mode in PLAIN_MODES


def _fitted(image: "Image", source: SourceFile, fit: PictureFit) -> Picture:
    from PIL import ImageOps

    image.draft(None, (fit.max_side, fit.max_side))  # a JPEG is decoded at about the size that is wanted
    check_pixels(image, source)
    # Steps that take memory for each pixel come after the scaling.
    shown = _scaled(even(image), fit.max_side)
    return _within(visible(ImageOps.exif_transpose(shown)), fit)


def _scaled(image: "Image", side: int) -> "Image":
    from PIL import Image

    if max(image.size) <= side:
        return image
    scaled = image.convert("L") if image.mode == "1" else image
    scaled.thumbnail((side, side), Image.Resampling.LANCZOS, reducing_gap=3.0)
    return scaled


def _within(image: "Image", fit: PictureFit) -> Picture:
    """The image as PNG, or as JPEG if the PNG is too large; the JPEG is scaled down until it is small enough."""
    lossless = saved(image, "PNG")
    if len(lossless.data) <= min(LOSSLESS_BYTES, fit.max_bytes):
        return lossless
    if image.has_transparency_data and len(lossless.data) <= fit.max_bytes:
        return lossless
    plain = opaque(image)
    while len((found := saved(plain, "JPEG")).data) > fit.max_bytes and max(plain.size) > 64:
        plain = _scaled(plain, round(max(plain.size) * _SHRINKS))
    return found
