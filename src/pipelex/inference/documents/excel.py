"""Excel files with openpyxl, from a layout or from a template file."""

import asyncio
from dataclasses import dataclass

from pipelex.inference.calls.model_call import ModelCall
from pipelex.inference.documents.provider import DocumentAsk, ReadPictures
from pipelex.inference.documents.sheets import filled_book
from pipelex.inference.documents.templates import filled
from pipelex.inference.documents.xlsx import printed


@dataclass(frozen=True)
class ExcelEngine:
    """Prints Excel files."""

    call: ModelCall

    async def print(self, ask: DocumentAsk, pictures: ReadPictures) -> bytes:
        """See `DocumentEngine.print`; images are told of by their addresses."""
        if ask.template is None:
            return await asyncio.to_thread(printed, ask.request.blocks)
        return await asyncio.to_thread(filled, ask, filled_book)
