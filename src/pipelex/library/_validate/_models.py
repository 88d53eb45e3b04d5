"""Checks the models that pipes ask for, with a function that knows the available ones."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from pipelex.errors import Fault, Json
from pipelex.language.blueprints import AskedModel, ModelFamily, ModelPurpose
from pipelex.language.templates import analyse_template
from pipelex.library._library import Library, Pipe
from pipelex.library._paths import Reached, walk_path
from pipelex.library._validate._context import Checks

_CATEGORIES: Final = {
    "method.model_setting_invalid": "llm_setting_refused_by_model",
    "method.schema_violation": "blueprint_validation",
    "model.unknown": "unknown_model",
}


@dataclass(frozen=True)
class ModelUse:
    """A pipe's request for a model, by name or by the default."""

    family: ModelFamily
    purpose: ModelPurpose
    """The purpose whose default applies when no model is named; only language models have two."""
    choice: str | Mapping[str, Json] | None
    """A reference (`$preset`, `@alias`, `~waterfall`, a handle), an inline settings table, or None for the default."""
    document: str | None = None
    """`<format>.<source>` of a document, which picks the default of the family `doc_gen`."""
    needs: tuple[str, ...] = ()
    """What the pipe always hands to the model besides text: `images`, `documents`, `reference images`."""


CheckModel: TypeAlias = Callable[[ModelUse], Sequence[Fault]]
"""A check of a model's use, which returns its faults. The caller fills in the locations, and `pipe` in the params."""


def check_models(checks: Checks, check_model: CheckModel) -> None:
    """Check every model that pipes name; equal uses are checked only once."""
    known: dict[str, Sequence[Fault]] = {}
    for pipe in checks.library.pipes.values():
        for use, key in model_uses(pipe, checks.library):
            asked = repr(use)
            if asked not in known:
                known[asked] = check_model(use)
            for fault in known[asked]:
                keys = (key, *_inner_keys(use, fault))
                checks.faults.append(_named(use, fault).at(checks.source(pipe).locate(*keys)))


def _named(use: ModelUse, fault: Fault) -> Fault:
    """The fault with its older category. A document engine that is not installed is only a warning."""
    is_idle = use.family == "doc_gen" and fault.code == "model.unspecified"
    severity = "warning" if is_idle else fault.severity
    return replace(fault, category=fault.category or _CATEGORIES.get(fault.code), severity=severity)


def _inner_keys(use: ModelUse, fault: Fault) -> tuple[str, ...]:
    """The key of an inline settings table that a fault is about."""
    if not isinstance(use.choice, Mapping):
        return ()
    named = fault.params.get("field")
    return (named,) if isinstance(named, str) and named in use.choice else ("model",)


def model_uses(pipe: Pipe, library: Library) -> Iterator[tuple[ModelUse, str]]:
    """The models that a pipe asks for, each with the key that names it."""
    is_text = library.is_written(pipe.output.concept) and not pipe.output.is_list
    for asked in pipe.blueprint.asked_models(is_text=is_text):
        needs = _needs(asked, pipe, library)
        yield ModelUse(asked.family, asked.purpose, asked.choice, asked.document, needs), asked.key


def _needs(asked: AskedModel, pipe: Pipe, library: Library) -> tuple[str, ...]:
    if asked.handed == "input":
        return ("images",) if any(library.native_base(slot.concept) == "Image" for slot in pipe.inputs.values()) else ()
    shown = _attached(pipe, library) if asked.handed == "templates" else ()
    if asked.family == "img_gen":
        return ("reference images",) if "images" in shown else ()
    return shown


def _attached(pipe: Pipe, library: Library) -> tuple[str, ...]:
    """The kinds of files that the pipe's templates always attach: images, documents or both."""
    found: dict[str, None] = {}
    for site in pipe.blueprint.sites:
        analysis = analyse_template(
            site.template, category=site.category, sigils=site.has_sigils, declared=tuple(pipe.inputs)
        )
        for read in analysis.reads:
            slot = pipe.inputs.get(read.root)
            if slot is None or slot.presence == "optional" or read.is_guarded:
                continue
            reached = walk_path(library, slot, read.path[1:])
            if not isinstance(reached, Reached) or reached.slot.presence == "optional" or reached.slot.is_list:
                continue
            base = library.native_base(reached.slot.concept)
            found |= {"images": None} if base == "Image" else {"documents": None} if base == "Document" else {}
    return tuple(found)
