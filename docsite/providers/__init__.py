"""The pages of providers, one for each packaged backend and for common servers that speak OpenAI's protocol."""

from docsite.providers.pages import provider_pages

__all__ = ["provider_pages"]
