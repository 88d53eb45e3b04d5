"""The table of providers for every family of models, by `sdk`. Other distributions add to it through entry points.

A distribution adds a provider with an entry point in the group `pipelex.providers`. Its name is the family and the
`sdk` that backend files write, joined by a dot; its object is the provider's factory:

    [project.entry-points."pipelex.providers"]
    "search.acme" = "acme_search.provider:AcmeSearch"

A factory returns an object with the family's protocol: `chat.provider.ChatProvider`, `images.provider.ImageProvider`,
`search.provider.SearchProvider`, `extract.provider.Extractor`, `documents.provider.DocumentEngine` or
`judge.provider.JudgmentProvider`. Factories of language models are called with a `Backend`, once for each event loop, and
what they return keeps its connections open. All other factories are called with a `ModelCall`, once for each call. An
entry point cannot replace a provider of this package.

No provider is imported until it is called, because the deck looks up in this table which models can be called, and
workflows use the deck.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.machinery import PathFinder
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from typing import Any, Final

from pipelex.config.distribution import install_command
from pipelex.errors import ErrorCategory, PipelexError, near_names
from pipelex.inference.families import FAMILIES
from pipelex.language.blueprints import ModelFamily

GROUP: Final = "pipelex.providers"
"""The group of entry points through which a distribution adds providers."""


@dataclass(frozen=True)
class ProviderEntry:
    """One provider: its family, its `sdk` and the location of its factory."""

    family: ModelFamily
    sdk: str
    factory: str
    """`module:name` of the factory; the module is imported when the first call is made."""
    extra: str | None = None
    """The extra of this package that installs the modules the provider needs; None when no extra is needed."""
    modules: tuple[str, ...] = ()
    """The modules that must be importable before the provider can be called."""
    preload: tuple[str, ...] = ()
    """The modules that the first call would otherwise import on the event loop; `load` imports them."""

    @property
    def is_installed(self) -> bool:
        """Whether every module it needs can be imported."""
        return all(_is_importable(name) for name in self.modules)

    @property
    def how_to_install(self) -> str | None:
        """The command that installs what is missing; None when nothing is missing, or no extra installs it."""
        return None if self.is_installed or self.extra is None else install_command(self.extra)

    def load(self) -> Callable[..., Any]:
        """Import the factory and the modules to preload, and return the factory."""
        module, _, name = self.factory.partition(":")
        for each in self.preload:
            import_module(each)
        found: Callable[..., Any] = getattr(import_module(module), name)
        return found


def _completions(sdk: str, name: str) -> ProviderEntry:
    return ProviderEntry("llm", sdk, f"pipelex.inference.chat.{name}", preload=("httpx", "anyio._backends._asyncio"))


def _chat(sdk: str, place: str, extra: str | None = None, *modules: str, library: str | None = None) -> ProviderEntry:
    preload = (f"pydantic_ai.models.{library or place.partition(':')[0]}",)
    return ProviderEntry("llm", sdk, f"pipelex.inference.chat.{place}", extra, modules, preload)


def _of(family: ModelFamily, sdk: str, place: str, extra: str | None = None, *modules: str) -> ProviderEntry:
    return ProviderEntry(family, sdk, f"pipelex.inference.{place}", extra, modules)


BUILT_IN: Final[tuple[ProviderEntry, ...]] = (
    # xAI, OpenRouter and Ollama speak OpenAI's protocol.
    _completions("openai", "completions.client:ChatCompletions"),
    _chat("openai_responses", "openai:OpenAIResponses"),
    _chat("azure_openai", "openai:AzureOpenAI"),
    _chat("azure_openai_responses", "openai:AzureOpenAIResponses"),
    _completions("openrouter", "completions.client:OpenRouter"),
    _completions("ollama", "completions.ollama:Ollama"),
    _completions("xai", "completions.client:XAI"),
    _completions("llama_cpp", "completions.llama_cpp:LocalProvider"),
    _chat("anthropic", "anthropic:Anthropic", "anthropic", "anthropic"),
    _chat("bedrock_anthropic", "anthropic:AnthropicOnBedrock", "bedrock,anthropic", "boto3", "anthropic"),
    _chat("google", "google:Google", "google", "google.genai"),
    _chat("mistral", "mistral:Mistral", "mistral", "mistralai"),
    _chat("groq", "groq:Groq", "groq", "groq"),
    _chat("huggingface", "huggingface:HuggingFace", "huggingface", "huggingface_hub"),
    _chat("bedrock", "bedrock:Bedrock", "bedrock", "boto3"),
    _chat("bedrock_boto3", "bedrock:Bedrock", "bedrock", "boto3"),
    _chat("bedrock_aioboto3", "bedrock:Bedrock", "bedrock", "boto3"),
    _of("extract", "pypdfium2", "extract.local:text_layer"),
    # Both need the extra 'ocr' only for images and scans, and report it as missing when they meet one. `docling_sdk` is
    # the name that public methods use for a local reader; this package's own reader takes its place.
    _of("extract", "rapidocr", "extract.local:optical_reader"),
    _of("extract", "docling_sdk", "extract.local:optical_reader"),
    _of("extract", "mistral", "extract.mistral:MistralExtractor"),
    _of("extract", "azure_document_intelligence", "extract.azure:AzureExtractor"),
    _of("extract", "linkup_fetch", "extract.linkup:LinkupReader"),
    _of("img_gen", "openai_img_gen", "images.openai:OpenAIImages"),
    _of("img_gen", "google", "images.google:GoogleImages", "google", "google.genai"),
    _of("img_gen", "google_img_gen", "images.google:GoogleImages", "google", "google.genai"),
    _of("img_gen", "xai", "images.xai:XAIImages"),
    _of("img_gen", "xai_img_gen", "images.xai:XAIImages"),
    _of("img_gen", "fal", "images.fal:FalImages"),
    _of("search", "linkup", "search.linkup:Linkup"),
    _of("search", "tavily", "search.tavily:Tavily"),
    _of("doc_gen", "reportlab", "documents.pdf:PdfEngine", "documents", "lxml", "pypdf"),
    _of("doc_gen", "python_docx", "documents.docx:WordEngine", "documents", "docx", "lxml"),
    _of("doc_gen", "openpyxl", "documents.excel:ExcelEngine", "documents", "openpyxl", "lxml"),
    _of("doc_gen", "ooxml_template", "documents.templates:TemplateEngine", "documents", "lxml"),
)
"""The providers of this package."""

_BUILT_IN: Final[Mapping[tuple[str, str], ProviderEntry]] = {(each.family, each.sdk): each for each in BUILT_IN}


_FAMILIES: Final[Mapping[str, ModelFamily]] = {family: family for family in FAMILIES}


@cache
def _added() -> Mapping[tuple[str, str], ProviderEntry]:
    """The providers of other distributions, looked up once per process."""
    return {(entry.family, entry.sdk): entry for point in entry_points(group=GROUP) for entry in _read(point)}


def _read(point: EntryPoint) -> Iterable[ProviderEntry]:
    family, dot, sdk = point.name.partition(".")
    known = _FAMILIES.get(family)
    if known is not None and dot and sdk:
        yield ProviderEntry(known, sdk, point.value)


def forget_added() -> None:
    """Look up the providers of other distributions again, after one was installed while the process was running."""
    _added.cache_clear()


def find(family: ModelFamily, sdk: str) -> ProviderEntry | None:
    """The provider for an `sdk`, or None. Entry points are read only when this package has no provider for it."""
    return _BUILT_IN.get((family, sdk)) or _added().get((family, sdk))


def sdks(family: ModelFamily) -> list[str]:
    """Every `sdk` that has a provider for a family, with those of this package first."""
    return list(dict.fromkeys(sdk for kind, sdk in (*_BUILT_IN, *_added()) if kind == family))


def is_callable(family: ModelFamily, sdk: str) -> bool:
    """Whether models of an `sdk` can be called from this process."""
    found = find(family, sdk)
    return found is not None and found.is_installed


def how_to_install(family: ModelFamily, sdk: str) -> str | None:
    """The command that makes an `sdk` callable, or None when nothing is missing or no command would help."""
    found = find(family, sdk)
    return None if found is None else found.how_to_install


def factory(family: ModelFamily, sdk: str, backend: str) -> Callable[..., Any]:
    """The factory of the provider for an `sdk`.

    Args:
        family: the family of the model.
        sdk: the `sdk` that the model's entry names.
        backend: the backend's id, for messages.

    Raises:
        PipelexError: `runtime.unsupported`: this `sdk` has no provider, or a module that its provider needs is missing.
    """
    found, words = find(family, sdk), FAMILIES[family].words
    if found is None:
        near = near_names(sdk, sdks(family))
        raise _unsupported(
            backend,
            sdk,
            f"this release cannot call the sdk {sdk!r} (backend {backend!r}) for {words}",
            f"Did you mean sdk = {near[0]!r}?" if near else f"Name one of these: {', '.join(sdks(family)) or 'none'}.",
        )
    if not found.is_installed:
        missing = " and ".join(name for name in found.modules if not _is_importable(name))
        command = found.how_to_install
        raise _unsupported(
            backend,
            sdk,
            f"the sdk {sdk!r} (backend {backend!r}) needs {missing} for {words}, which is not installed",
            f"Install it with: {command}" if command else f"Install {missing}.",
        )
    return found.load()


def _unsupported(backend: str, sdk: str, detail: str, advice: str) -> PipelexError:
    return PipelexError(
        "runtime.unsupported",
        detail,
        category=ErrorCategory.CONFIGURATION,
        params={"capability": f"sdk:{sdk}"},
        provider=backend,
        advice=advice,
    )


def _is_importable(name: str) -> bool:
    package = name.rpartition(".")[0]
    try:
        if not package:
            return find_spec(name) is not None
        # `find_spec` of a submodule would import its package, and workflows call this function, too.
        found = find_spec(package)
        return found is not None and PathFinder.find_spec(name, found.submodule_search_locations) is not None
    except (ModuleNotFoundError, ValueError):  # a missing parent package; a module that was blocked
        return False
