"""Checks that images are whole, before a provider is paid for reading them."""

from contextlib import aclosing
from typing import Final

from pipelex.errors import PipelexError
from pipelex.inference.extract.processes import read_pages
from pipelex.inference.extract.provider import ExtractAsk, SourceFile, logger
from pipelex.reading.plain import plain_size
from pipelex.reading.source import ReadingLimits

_BROKEN: Final = ("damaged", "empty")


async def check_image(source: SourceFile, limits: ReadingLimits) -> None:
    """Refuse an image that is cut or damaged; files of other kinds pass.

    An image that cannot be decoded here for another reason, such as its format or its size, passes too, because the
    provider may read it.

    Args:
        source: the file.
        limits: the limits of decoding the image, which happens in a child process.

    Raises:
        PipelexError: the image is cut or damaged.
    """
    if source.kind != "image" or plain_size(source.data) is not None:
        return
    try:
        async with aclosing(read_pages(source, ExtractAsk(max_page_images=0), limits)) as pages:
            async for _ in pages:
                pass
    except PipelexError as error:
        if error.report.params.get("reason") in _BROKEN:
            raise
        logger.debug("%s is not checked before it is sent: %s", source.name, error)
