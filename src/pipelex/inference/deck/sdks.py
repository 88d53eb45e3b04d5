"""Which clients of language models there are, and what each needs installed."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.machinery import PathFinder
from importlib.util import find_spec

from pipelex.config.distribution import install_command


@dataclass(frozen=True)
class Sdk:
    """A value of `sdk` in a backend file."""

    extra: str | None = None
    """The extra of this package that installs the client; None when it is always there."""
    modules: tuple[str, ...] = ()
    """What must be importable."""

    @property
    def is_installed(self) -> bool:
        return all(_is_importable(name) for name in self.modules)


_BEDROCK = Sdk("bedrock", ("boto3",))

SDKS: Mapping[str, Sdk] = {
    "openai": Sdk(),
    "openai_responses": Sdk(),
    "azure_openai": Sdk(),
    "azure_openai_responses": Sdk(),
    "openrouter": Sdk(),
    "ollama": Sdk(),
    "xai": Sdk(),
    "llama_cpp": Sdk(),
    "anthropic": Sdk("anthropic", ("anthropic",)),
    "google": Sdk("google", ("google.genai",)),
    "mistral": Sdk("mistral", ("mistralai",)),
    "groq": Sdk("groq", ("groq",)),
    "huggingface": Sdk("huggingface", ("huggingface_hub",)),
    "bedrock": _BEDROCK,
    "bedrock_boto3": _BEDROCK,
    "bedrock_aioboto3": _BEDROCK,
    "bedrock_anthropic": Sdk("bedrock,anthropic", ("boto3", "anthropic")),
}
"""Clients of language models by `sdk`. xAI, OpenRouter and Ollama speak OpenAI's protocol."""


def is_callable(sdk: str) -> bool:
    """Whether language models of an `sdk` can be called from this process."""
    found = SDKS.get(sdk)
    return found is not None and found.is_installed


def how_to_install(sdk: str) -> str | None:
    """The command that makes an `sdk` callable, or None when nothing is missing or nothing would help."""
    found = SDKS.get(sdk)
    if found is None or found.is_installed or found.extra is None:
        return None
    return install_command(found.extra)


def _is_importable(name: str) -> bool:
    package = name.rpartition(".")[0]
    try:
        if not package:
            return find_spec(name) is not None
        # Looking for a submodule would import its package, and workflows ask this, too.
        found = find_spec(package)
        return found is not None and PathFinder.find_spec(name, found.submodule_search_locations) is not None
    except (ModuleNotFoundError, ValueError):  # a missing parent package; a module that was blocked
        return False
