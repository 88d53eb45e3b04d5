"""Compares a pipe's signature with its definition in another bundle; they are one pipe if their contracts agree."""

from collections.abc import Iterator

from pipelex.language.blueprints import PipeBlueprint
from pipelex.language.references import Slot


def differences(signature: PipeBlueprint, definition: PipeBlueprint) -> Iterator[tuple[tuple[str, ...], str]]:
    """The differences between the contracts of two linked pipes: the key in the signature's table, and a sentence.

    Concepts are compared by identity: a concept that refines the other is different.
    """
    promised, defined = signature.input_slots, definition.input_slots
    for name, slot in promised.items():
        if name not in defined:
            yield ("inputs", name), f"the definition takes no input '{name}'"
        elif _is_other(slot, defined[name]):
            yield ("inputs", name), f"the definition takes '{name}' as '{_shown(defined[name])}', not '{_shown(slot)}'"
    for name in defined:
        if name not in promised:
            yield ("inputs",), f"the definition also takes '{name}' ('{_shown(defined[name])}')"
    given, wanted = definition.output_slot, signature.output_slot
    if _is_other(wanted, given):
        yield ("output",), f"the definition returns '{_shown(given)}', not '{_shown(wanted)}'"


def _is_other(promised: Slot, defined: Slot) -> bool:
    return (promised.concept, promised.is_list, promised.count, promised.presence == "optional") != (
        defined.concept,
        defined.is_list,
        defined.count,
        defined.presence == "optional",
    )


def _shown(slot: Slot) -> str:
    return str(slot).removeprefix("native.")
