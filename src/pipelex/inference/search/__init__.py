"""Searches that return an answer with its sources, from any of several providers.

Source: section 6.5 of the language reference. A model's `model_id` is the depth of the search.
"""

from pipelex.inference.search.provider import SearchAsk, SearchProvider, SourcedAnswer
from pipelex.inference.search.service import Search

__all__ = ["Search", "SearchAsk", "SearchProvider", "SourcedAnswer"]
