"""The files that a page may use: the images that were read for it, and the files in the method's folder."""

import logging
from dataclasses import dataclass, field
from mimetypes import guess_type
from pathlib import Path
from typing import Final

from pipelex.config.files.paths import resolved
from pipelex.errors import InputError, PipelexError, listed
from pipelex.inference.documents.provider import Pictures, content_failure
from pipelex.reading.pictures import check_pixels, opened_image, picture_of
from pipelex.reading.source import MissingExtra, SourceFile
from pipelex.storage import Loaded, file_kind, shown_url, sniff

logger = logging.getLogger("pipelex.inference")

_SHOWN: Final = 5
_DRAWN: Final = frozenset({"image/png", "image/jpeg", "image/webp", "image/gif", "image/bmp"})
"""The types of images that the library draws."""


@dataclass(frozen=True)
class PageFiles:
    """The files that a page may use, and a record of those that it names without success."""

    pictures: Pictures
    root: Path | None
    """The method's folder, the only one whose files may be read; None if no file may be."""
    folder: Path | None
    """The folder that relative paths start from."""
    missing: list[str] = field(default_factory=list[str], init=False)
    """The addresses of files that are not in the method's folder although they could be."""
    outside: list[str] = field(default_factory=list[str], init=False)
    """The addresses that lead out of the method's folder."""
    refused: list[str] = field(default_factory=list[str], init=False)
    """The addresses of files that the page may not use."""
    broken: list[str] = field(default_factory=list[str], init=False)
    """The addresses of images that cannot be read."""

    def __call__(self, url: str) -> Loaded:
        """The file at an address.

        Raises:
            OSError: the page may not use the file, or it cannot be read.
        """
        found = self.pictures.get(url)
        loaded = self._beside(url) if found is None else found
        try:
            return _drawable(loaded, url)
        except (InputError, MissingExtra) as unreadable:
            _note(self.broken, url)
            raise OSError(url) from unreadable

    def _beside(self, url: str) -> Loaded:
        """A file in the method's folder."""
        path = self._path(url)
        try:
            data = path.read_bytes()
        except PermissionError:
            _note(self.refused, url)
            raise
        except FileNotFoundError:
            _note(self.missing, url)
            raise
        return Loaded(data, guess_type(path.name)[0] or sniff(data))

    def check(self) -> None:
        """Refuse a page that shows a file that does not exist or cannot be read, and warn of files that it may not use.

        Raises:
            PipelexError: a file is outside of the method's folder or does not exist, or an image cannot be read.
        """
        why = (
            "only the page of a 'template_file' may show files"
            if self.root is None
            else "it is not in its method's folder"
        )
        for url in self.refused:
            logger.warning("The printed page leaves out %r: %s.", url, why)
        if self.outside:
            advice = "Put them into the method's folder: a page may show no other files."
            raise _failure("files outside of its method's folder", self.outside, advice)
        if self.missing:
            advice = "Put them where the template looks for them: paths start from the template's folder."
            raise _failure("files that do not exist", self.missing, advice)
        if self.broken:
            advice = "Check that they open in a viewer, and save them again as PNG or JPEG."
            raise _failure("images that cannot be read", self.broken, advice)

    def _path(self, url: str) -> Path:
        if self.root is None or self.folder is None or ":" in url:
            _note(self.refused, url)
            raise PermissionError(url)
        path = resolved(self.folder / url)
        if not path.is_relative_to(resolved(self.root)):
            _note(self.outside, url)
            raise PermissionError(url)
        return path


def _note(urls: list[str], url: str) -> None:
    """Add an address, unless it is empty or already noted; long addresses are cut."""
    short = shown_url(url)
    if url and short not in urls:
        urls.append(short)


def _failure(what: str, urls: list[str], advice: str) -> PipelexError:
    return content_failure(f"the page shows {what}: {listed(urls, _SHOWN, repr)}").with_report(advice=advice)


def _drawable(file: Loaded, url: str) -> Loaded:
    """A file in a form that the library draws: images of other types become PNG or JPEG.

    Raises:
        InputError: it is an image that cannot be read.
    """
    if file_kind(file.mime_type) != "image":
        return file
    source = SourceFile(file.data, file.mime_type, "image", f"the image {shown_url(url)!r}")
    with opened_image(source) as image:
        check_pixels(image, source)
        image.load()
        if file.mime_type in _DRAWN and image.mode != "CMYK":
            return file
        made = picture_of(image)
        return Loaded(made.data, made.mime_type)
