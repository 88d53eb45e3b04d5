"""Rewrites of model names from older decks, and of missing sigils.

Source: section 13 of the language reference.
"""

import re
from collections.abc import Collection, Iterator
from typing import Any, Final, cast

from pipelex.errors import Fault, Json
from pipelex.language.blueprints import CONTROLLERS
from pipelex.library import ModelUse
from pipelex.tooling.fix._round import Declared, Edit, Round
from pipelex.tooling.fix._templates import value_at

_WORDS = ("preset", "alias", "waterfall", "handle")
_HANDLE: Final = re.compile(r"[/:.\d-]")
"""The characters that occur in handles, but not in names of old presets such as `llm_to_engineer`: `vendor/name:tag`,
`claude-2`."""


def known_models(now: Round) -> Iterator[Edit]:
    """Correct the sigil of a name that the deck knows, and replace an old preset or alias by the family's default.

    The name of a model itself stays, because it is clear which model is meant, and another would return other results.
    """
    for fault in now.faults:
        pipe = now.pipe_at(fault)
        is_unserved = fault.code in ("model.unknown", "model.unavailable")
        place = _place(pipe, fault) if pipe is not None and is_unserved else None
        if pipe is None or place is None or pipe.type in CONTROLLERS:
            continue
        inner, key = place
        written = str(value_at(pipe.table, (*inner, key)))
        same = next((near for near in fault.suggestions if near.lstrip("$@~") == _bare(written)), None)
        if same is not None:
            what = f"write '{same}' for '{written}'"
            yield pipe.edit("known-model-name", what, pipe.remap(key, {written: same}, *inner), at=(*inner, key))
            continue
        if _is_model_name(written, now.provider_models):
            continue
        why = "which no deck declares" if fault.code == "model.unknown" else "which no backend serves here"
        default = now.default_model(_use(now, pipe, fault, str((*inner, key)[0]))) if now.default_model else None
        if default is not None and default != written:
            op: Json = pipe.remap(key, {written: default}, *inner)
            what = f"write the default '{default}' for '{written}', {why}"
        else:
            op = pipe.delete(key if not inner else str(inner[-1]))
            what = f"remove '{written}', {why}: the default applies"
        yield pipe.edit("default-model", what, op, at=(*inner, key), safety="unsafe")


def _place(pipe: Declared, fault: Fault) -> tuple[tuple[str, ...], str] | None:
    for key in ("model", "model_to_structure"):
        value = pipe.table.get(key)
        if (fault.location.field or "").partition(".")[0] != key:
            continue
        if isinstance(value, str):
            return (), key
        if isinstance(value, dict) and isinstance(cast("dict[str, Any]", value).get("model"), str):
            return (key,), "model"
    return None


def _is_model_name(written: str, known: Collection[str]) -> bool:
    """Whether a reference names a model itself: a provider's model, or a name that looks like a handle."""
    word, colon, rest = written.strip().partition(":")
    if colon and word in _WORDS:
        return word == "handle" or rest in known
    return not written.strip().startswith(("$", "@", "~")) and (written in known or _HANDLE.search(written) is not None)


def _bare(written: str) -> str:
    trimmed = written.strip().lstrip("$@~")
    word, colon, rest = trimmed.partition(":")
    return rest if colon and word in _WORDS else trimmed


def _use(now: Round, pipe: Declared, fault: Fault, key: str) -> ModelUse:
    is_text = now.native_of(pipe.table.get("output"), pipe.domain) in ("Text", "Markdown", "TextAndImages")
    purpose = "text" if is_text and key == "model" else "object"
    return ModelUse(cast("Any", fault.params.get("model_type")), purpose, None)
