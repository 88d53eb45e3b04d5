from collections.abc import Mapping

from pipelex.errors import Fault
from pipelex.language.references import NATIVE_DOMAIN
from pipelex.library._link import Declaration
from pipelex.library._validate._context import Checks

_INTENTS = {"prose": "text", "label": "text", "rating": "number", "quantity": "number"}
_KINDS = {"Text": "text", "Markdown": "text", "Number": "number"}


def check_hints(checks: Checks) -> None:
    """Warn of wrong intents where only the linked concept shows the kind of value (section 2.5 of the reference)."""
    for ref, blueprint in checks.linked.crate.concepts.items():
        source = checks.linked.sources[ref]
        if blueprint.refines is not None:
            _check(checks, ref, blueprint.hints, source)
        for name, field in blueprint.structure.items() if isinstance(blueprint.structure, dict) else ():
            if field.concept_ref is not None:
                _check(checks, field.concept_ref, field.hints, source, "structure", name)
    for ref, pipe in checks.library.pipes.items():
        for name, entry in pipe.blueprint.inputs.items():
            concept = pipe.inputs[name].concept
            if entry.hints and not concept.startswith(f"{NATIVE_DOMAIN}."):
                _check(checks, concept, entry.hints, checks.linked.sources[ref], "inputs", name)


def _check(checks: Checks, concept: str, hints: Mapping[str, str] | None, source: Declaration, *keys: str) -> None:
    word = (hints or {}).get("intent", "")
    wanted = _INTENTS.get(word)
    if wanted is None or _KINDS.get(checks.library.native_base(concept) or "") == wanted:
        return
    checks.faults.append(
        Fault(
            "method.hint_invalid",
            f"intent '{word}' is for {wanted} values, and '{concept}' holds none",
            source.locate(*keys, "hints", "intent"),
            severity="warning",
            category="hint_invalid",
            params={"reason": "inapplicable_intent", "hint": word},
        )
    )
