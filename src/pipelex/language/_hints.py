"""Presentation hints. Blueprints check their shape; their content only ever leads to warnings.

Source: MTHDS 8.0.0, section 2.5 of the language reference.
"""

from collections.abc import Mapping
from typing import Any, Final, Literal, TypeAlias

from pipelex.errors import near_names
from pipelex.language._fault import Keys, Report, UnplacedFault, did_you_mean, is_table, place, shorten

SiteKind: TypeAlias = Literal["text", "number", "other", "unknown"]
"""The kind of value that a hint is about; `unknown` if only the linked library knows."""

_INTENTS: Final[dict[str, SiteKind]] = {"prose": "text", "label": "text", "rating": "number", "quantity": "number"}


def check_hints(report: Report, table: Mapping[str, Any], keys: Keys, site: SiteKind) -> None:
    """Warn about meaningless entries in the `hints` of one table."""
    hints = table.get("hints")
    if not is_table(hints):
        return
    for key, word in hints.items():
        path = (*report.base, *keys, "hints", key)
        owner = place((*report.base, *keys))
        if key != "intent":
            near = near_names(key, ["intent"])
            detail = f"unknown hint '{shorten(key)}' on {owner}{did_you_mean(near) or '; the only one is intent'}"
            _warn(report, "unknown_key", key, detail, path, near, on_key=True)
        elif not isinstance(word, str):
            continue
        elif word not in _INTENTS:
            near = near_names(word, _INTENTS)
            listed = f"; the words are {', '.join(_INTENTS)}"
            detail = f"unknown intent '{shorten(word)}' on {owner}{did_you_mean(near) or listed}"
            _warn(report, "unknown_intent", word, detail, path, near)
        elif site not in ("unknown", _INTENTS[word]):
            detail = f"intent '{word}' is for {_INTENTS[word]} values; {owner} holds none"
            _warn(report, "inapplicable_intent", word, detail, path, ())


def _warn(
    report: Report, reason: str, hint: str, detail: str, keys: Keys, near: tuple[str, ...], *, on_key: bool = False
) -> None:
    report.faults.append(
        UnplacedFault(
            "method.hint_invalid",
            detail,
            keys,
            {"reason": reason, "hint": hint},
            category="hint_invalid",
            suggestions=near,
            severity="warning",
            on_key=on_key,
        )
    )
