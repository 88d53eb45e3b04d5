"""Language models: which there are, how one is chosen, and how it is called.

`ModelDeck` reads `.pipelex/inference/**` and resolves what a pipe asks for; `Inference` calls the model.

Names are loaded when they are first used: validating a method asks the deck alone.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipelex.inference.calls.classify import classify_provider_error
    from pipelex.inference.calls.retry import RetryPolicy, with_retries
    from pipelex.inference.chat.provider import CHAT_PROVIDERS, ChatProvider
    from pipelex.inference.chat.service import Inference, InferenceOptions
    from pipelex.inference.deck.catalog import DEFAULTS, Backend, Catalog, ModelEntry
    from pipelex.inference.deck.model_deck import ModelDeck, Reference
    from pipelex.inference.perform import performers

__all__ = [
    "CHAT_PROVIDERS",
    "DEFAULTS",
    "Backend",
    "Catalog",
    "ChatProvider",
    "Inference",
    "InferenceOptions",
    "ModelDeck",
    "ModelEntry",
    "Reference",
    "RetryPolicy",
    "classify_provider_error",
    "performers",
    "with_retries",
]

_HOMES = {
    "CHAT_PROVIDERS": "pipelex.inference.chat.provider",
    "DEFAULTS": "pipelex.inference.deck.catalog",
    "Backend": "pipelex.inference.deck.catalog",
    "Catalog": "pipelex.inference.deck.catalog",
    "ChatProvider": "pipelex.inference.chat.provider",
    "Inference": "pipelex.inference.chat.service",
    "InferenceOptions": "pipelex.inference.chat.service",
    "ModelDeck": "pipelex.inference.deck.model_deck",
    "ModelEntry": "pipelex.inference.deck.catalog",
    "Reference": "pipelex.inference.deck.model_deck",
    "RetryPolicy": "pipelex.inference.calls.retry",
    "classify_provider_error": "pipelex.inference.calls.classify",
    "performers": "pipelex.inference.perform",
    "with_retries": "pipelex.inference.calls.retry",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'pipelex.inference' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
