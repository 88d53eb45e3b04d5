"""Models: which ones exist, how one is chosen, and how it is called.

`ModelDeck` reads `.pipelex/inference/**` and resolves what a pipe asks for; `Inference` performs it. Each family has a
package (`chat`, `images`, `search`, `extract`, `documents`, `judge`, `functions`), and all are built alike: `provider`
is the interface of a provider, each provider is a file, and `service` calls the provider that a model's entry names.
`providers` is the registry of all providers, `calls` holds the code that their calls share, and `deck` holds the models.

Names are imported when they are first used, because validating a method needs only the deck.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipelex.inference.attempts import EffectPerformer
    from pipelex.inference.calls.classify import classify_provider_error
    from pipelex.inference.calls.model_call import ModelCall
    from pipelex.inference.calls.retry import RetryPolicy, with_retries
    from pipelex.inference.chat.options import ChatOptions
    from pipelex.inference.chat.provider import ChatProvider
    from pipelex.inference.deck.catalog import DEFAULTS, Backend, Catalog, ModelEntry
    from pipelex.inference.deck.model_deck import ModelDeck
    from pipelex.inference.deck.reference import ModelReference
    from pipelex.inference.perform import performers
    from pipelex.inference.service import Inference, InferenceOptions

__all__ = [
    "DEFAULTS",
    "Backend",
    "Catalog",
    "ChatOptions",
    "ChatProvider",
    "EffectPerformer",
    "Inference",
    "InferenceOptions",
    "ModelCall",
    "ModelDeck",
    "ModelEntry",
    "ModelReference",
    "RetryPolicy",
    "classify_provider_error",
    "performers",
    "with_retries",
]

_HOMES = {
    "DEFAULTS": "deck.catalog",
    "Backend": "deck.catalog",
    "Catalog": "deck.catalog",
    "ChatOptions": "chat.options",
    "ChatProvider": "chat.provider",
    "EffectPerformer": "attempts",
    "Inference": "service",
    "InferenceOptions": "service",
    "ModelCall": "calls.model_call",
    "ModelDeck": "deck.model_deck",
    "ModelEntry": "deck.catalog",
    "ModelReference": "deck.reference",
    "RetryPolicy": "calls.retry",
    "classify_provider_error": "calls.classify",
    "performers": "perform",
    "with_retries": "calls.retry",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'pipelex.inference' has no attribute {name!r}")
    return getattr(import_module(f"pipelex.inference.{_HOMES[name]}"), name)
