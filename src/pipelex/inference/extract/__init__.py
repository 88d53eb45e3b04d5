"""Extracting pages from documents and images: text, pictures and views. Every file is stored and referenced."""

from pipelex.inference.extract.provider import ExtractAsk, ExtractedPage, Extractor, Keeper, SourceFile
from pipelex.inference.extract.service import Extraction, ExtractionOptions

__all__ = ["ExtractAsk", "ExtractedPage", "Extraction", "ExtractionOptions", "Extractor", "Keeper", "SourceFile"]
