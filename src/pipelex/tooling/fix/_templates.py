"""Finds the templates in a pipe's table, and adds reads to a prompt."""

from collections.abc import Iterator, Sequence
from typing import Any, Final, cast

from pipelex.errors.json import as_texts
from pipelex.language.blueprints import template_sites
from pipelex.tooling.fix._round import Declared, Round, Table, inputs_of, parsed_slot

Keys = tuple[str | int, ...]

_OLD_TEXTS: Final = (
    "prompt",
    "prompt_template",
    "system_prompt",
    "system_prompt_template",
    "img_gen_prompt",
    "jinja2",
    "template",
    "expression",
    "expression_jinja2",
    "expression_template",
)


def text_keys(table: Table, *, with_old: bool = False) -> Iterator[Keys]:
    """The places of a pipe's templates; with `with_old`, also those of older keys."""
    found = dict.fromkeys(site.keys for site in template_sites(table))
    if with_old:
        found.update({(key,): None for key in _OLD_TEXTS if isinstance(table.get(key), str)})
    yield from found


def reading(pipe: Declared, paths: Sequence[str]) -> list[Any]:
    """The operations that append reads of some values to a PipeLLM's prompt, each on its own line."""
    key = "prompt_template" if "prompt_template" in pipe.table and "prompt" not in pipe.table else "prompt"
    text = pipe.table.get(key, "")
    if not isinstance(text, str):
        return []
    lines: list[str] = []
    for path in paths:
        slot = parsed_slot(inputs_of(pipe.table).get(path.partition(".")[0]))
        is_optional = slot is not None and slot.presence == "optional"
        lines.append(f"@?{path}" if is_optional else f"@{path}")
    before = text.rstrip() + "\n\n" if text.strip() else ""
    return [pipe.set(key, before + "\n".join(lines) + "\n")]


def value_at(table: Table, keys: Keys) -> Any:
    """The value at a path of keys and indexes; None if there is none."""
    current: Any = table
    for key in keys:
        if isinstance(current, dict):
            current = cast("Table", current).get(str(key))
        elif isinstance(current, list) and isinstance(key, int) and key < len(cast("list[Any]", current)):
            current = cast("list[Any]", current)[key]
        else:
            return None
    return current


def unused_inputs(now: Round, pipe: Declared) -> list[str]:
    """The inputs of a pipe that nothing reads, according to validation."""
    found: dict[str, None] = {}
    for fault in now.faults:
        if fault.code == "method.input_unused" and now.pipe_at(fault) == pipe:
            found.update(dict.fromkeys(str(name) for name in as_texts(fault.params.get("variables", ()))))
    return [name for name in inputs_of(pipe.table) if name in found]
