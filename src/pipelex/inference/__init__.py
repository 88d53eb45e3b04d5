"""Language models: which there are, how one is chosen, and how it is called.

`ModelDeck` reads `.pipelex/inference/**` and resolves what a pipe asks for; `Inference` calls the model.
"""

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
