"""Language models: which there are, how one is chosen, and how it is called.

`ModelDeck` reads `.pipelex/inference/**` and resolves what a pipe asks for; `Inference` calls the model.

Names are loaded when they are first used: validating a method asks the deck alone.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipelex.inference._catalog import DEFAULTS, Backend, Catalog, ModelEntry
    from pipelex.inference._classify import classify_provider_error
    from pipelex.inference._deck import ModelDeck, Reference
    from pipelex.inference._performers import performers
    from pipelex.inference._providers import CHAT_PROVIDERS, ChatProvider
    from pipelex.inference._service import Inference, InferenceOptions
    from pipelex.inference.retry import RetryPolicy, with_retries

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
    "CHAT_PROVIDERS": "pipelex.inference._providers",
    "DEFAULTS": "pipelex.inference._catalog",
    "Backend": "pipelex.inference._catalog",
    "Catalog": "pipelex.inference._catalog",
    "ChatProvider": "pipelex.inference._providers",
    "Inference": "pipelex.inference._service",
    "InferenceOptions": "pipelex.inference._service",
    "ModelDeck": "pipelex.inference._deck",
    "ModelEntry": "pipelex.inference._catalog",
    "Reference": "pipelex.inference._deck",
    "RetryPolicy": "pipelex.inference.retry",
    "classify_provider_error": "pipelex.inference._classify",
    "performers": "pipelex.inference._performers",
    "with_retries": "pipelex.inference.retry",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'pipelex.inference' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
