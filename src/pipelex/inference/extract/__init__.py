"""Pages out of documents and images: text, pictures and views, every file stored by content and referenced."""

from pipelex.inference.extract.service import Extraction, ExtractionOptions
from pipelex.inference.extract.source import Extractor, Keeper, Page, Source, Wanted

__all__ = ["Extraction", "ExtractionOptions", "Extractor", "Keeper", "Page", "Source", "Wanted"]
