"""Pages out of documents and images: text, pictures and views, every file stored by content and referenced."""

from pipelex.inference.extract.provider import ExtractAsk, ExtractedPage, Extractor, Keeper, SourceFile
from pipelex.inference.extract.service import Extraction, ExtractionOptions

__all__ = ["ExtractAsk", "ExtractedPage", "Extraction", "ExtractionOptions", "Extractor", "Keeper", "SourceFile"]
