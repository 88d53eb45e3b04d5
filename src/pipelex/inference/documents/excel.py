"""Printing Excel files with openpyxl, from a layout or from a template file."""

from dataclasses import dataclass

from pipelex.inference.calls.model_call import ModelCall
from pipelex.inference.documents.apart import print_apart
from pipelex.inference.documents.docx import urls_of
from pipelex.inference.documents.provider import DocumentAsk, ReadPictures
from pipelex.inference.documents.sheets import filled_book
from pipelex.inference.documents.templates import filled
from pipelex.inference.documents.xlsx import printed


@dataclass(frozen=True)
class ExcelEngine:
    """Prints Excel files from a layout or from a template file."""

    call: ModelCall

    async def print(self, ask: DocumentAsk, pictures: ReadPictures) -> bytes:
        """See `DocumentEngine.print`."""
        return await print_apart("sheets", ask, pictures)


async def print_sheets(ask: DocumentAsk, pictures: ReadPictures) -> bytes:
    """The Excel file of a document, printed in this process."""
    if ask.template is not None:
        return filled(ask, filled_book)
    blocks = ask.request.blocks
    return printed(blocks, await pictures(urls_of(blocks)))
