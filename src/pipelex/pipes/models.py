"""Models: the choice of a pipe, the resolved model, and the usage of its calls."""

from pydantic import Field

from pipelex.content.stuff import Json
from pipelex.language.blueprints import ModelFamily, ModelPurpose
from pipelex.pipes.wire import Wire


class ModelChoice(Wire):
    """The model that a pipe asks for, before anything is looked up."""

    family: ModelFamily
    purpose: ModelPurpose = "text"
    """The purpose whose default applies when the pipe names no model."""
    document: str | None = None
    """`<format>.<source>` of a document, which picks the default of the family `doc_gen`."""
    choice: str | dict[str, Json] | None = None
    """A reference (`$preset`, `@alias`, `~waterfall`, a handle), an inline settings table, or None for the default."""


class ModelTarget(Wire):
    """One model of one backend."""

    handle: str
    backend: str


class ResolvedModel(Wire):
    """The result of resolving a model choice through presets, aliases, waterfalls and routing.

    Effects are routed by it.
    """

    handle: str
    backend: str
    settings: dict[str, Json] = Field(default_factory=dict[str, Json])
    """The family's settings (`temperature`, `max_tokens`, …), without `model` and `description`."""
    fallbacks: tuple[ModelTarget, ...] = ()
    """The models that are tried in turn, with the same settings, if the provider fails. Empty unless the settings allow
    it."""


class ModelUsage(Wire):
    """The usage of one model's calls, summed up."""

    handle: str
    backend: str
    calls: int = 1
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    cost_usd: float | None = None
    """The cost in US dollars; None when no price is known."""
