"""Searches that give an answer with its sources, by any of several providers.

Source: section 6.5 of the language reference. A model's `model_id` is the depth the provider is asked for.
"""

from pipelex.inference.search.provider import SearchAsk, SearchProvider, SourcedAnswer
from pipelex.inference.search.service import Search

__all__ = ["Search", "SearchAsk", "SearchProvider", "SourcedAnswer"]
