"""HEIC images, as phones take them, read by `pi-heif` of the extra `heic`, which has no encoder to be licensed."""

from importlib import import_module
from typing import Any, Final

from pipelex.reading.source import MissingExtra, SourceFile

_TYPES: Final = ("image/heic", "image/heif")


def have_heic_read(source: SourceFile) -> None:
    """Register the HEIC decoder with Pillow if the source is a HEIC image.

    Raises:
        MissingExtra: the extra `heic` is not installed.
    """
    if source.mime_type not in _TYPES:
        return
    try:
        heif: Any = import_module("pi_heif")
    except ImportError:
        raise MissingExtra("heic", "reading HEIC images") from None
    heif.register_heif_opener()
