"""Bounds of ZIP archives that somebody else wrote, checked before they are read: Office files are such archives."""

from typing import Final

MAX_PARTS: Final = 20_000
"""The maximum number of an archive's parts. The directory of one that is made to fill the memory lists millions."""
MAX_UNPACKED: Final = 1024 * 1024 * 1024
"""The maximum total size of an archive's parts, in bytes; one that is made to fill the memory claims more."""
_ENTRY: Final = b"PK\x01\x02"
"""The beginning of each entry of an archive's directory."""
_ENCRYPTED: Final = 0x1
"""The flag of an encrypted part."""


class OversizedArchive(Exception):
    """An archive has too many or too large parts."""

    def __init__(self, what: str, limit: int, size: int) -> None:
        super().__init__(what)
        self.what = what
        """What is wrong with it, as the end of a sentence about it."""
        self.limit = limit
        self.size = size


def has_many_parts(data: bytes) -> bool:
    """Whether an archive may have more parts than are read, told without reading its directory."""
    return data.count(_ENTRY) > MAX_PARTS


def check_archive(data: bytes) -> None:
    """Refuse an archive that is not made like an Office file, or that has more, or larger, parts than are read.

    The parts themselves are not read.

    Raises:
        OversizedArchive: it has more, or larger, parts.
        zipfile.BadZipFile: it is no ZIP archive, or its parts are encrypted or compressed in an unusual way.
    """
    import zipfile
    from io import BytesIO

    if has_many_parts(data):
        raise OversizedArchive(f"has more than {MAX_PARTS:,} parts", MAX_PARTS, data.count(_ENTRY))
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            parts = archive.infolist()
    except (NotImplementedError, OSError, ValueError) as error:
        raise zipfile.BadZipFile(str(error)) from None
    if any(part.flag_bits & _ENCRYPTED for part in parts):
        raise zipfile.BadZipFile("it is encrypted")
    if any(part.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for part in parts):
        raise zipfile.BadZipFile("it is compressed in a way that Office files are not")
    size = sum(part.file_size for part in parts)
    if size > MAX_UNPACKED:
        raise OversizedArchive(f"unpacks to {size:,} bytes; at most {MAX_UNPACKED:,} are read", MAX_UNPACKED, size)
