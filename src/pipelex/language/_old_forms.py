"""Older forms of pipes in public files: each is refused, with advice on the form that replaced it.

If the new form can be derived mechanically, the fault carries the change, and the table is rewritten in memory so that
the rest of it can be checked. Source: section 13 of the language reference.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from pipelex.errors import Json, SuggestedFix
from pipelex.language._fault import Report, delete_key, rename_key, set_key

RETIRED_TYPES: Final = {"PipeOcr": "PipeExtract", "PipeJinja2": "PipeCompose", "PipeLLMPrompt": "PipeCompose"}

_RENAMED: Final[dict[str, dict[str, str]]] = {
    "*": {"definition": "description"},
    "PipeLLM": {
        "prompt_template": "prompt",
        "system_prompt_template": "system_prompt",
        "llm": "model",
        "llm_to_structure": "model_to_structure",
    },
    "PipeExtract": {"ocr": "model", "ocr_model": "model", "ocr_handle": "model"},
    "PipeImgGen": {
        "img_gen": "model",
        "imgg": "model",
        "img_gen_handle": "model",
        "imgg_handle": "model",
        "img_gen_prompt": "prompt",
        "prompt_template": "prompt",
    },
    "PipeParallel": {"parallels": "branches"},
    "PipeCondition": {
        "pipe_map": "outcomes",
        "default_pipe_code": "default_outcome",
        "expression_jinja2": "expression_template",
    },
    "PipeCompose": {"jinja2": "template", "prompt_template": "template"},
}
_ADVICE: Final[dict[str, dict[str, str]]] = {
    "*": {"input": "write 'inputs = { name = \"Concept\" }' and read the value by that name"},
    "PipeLLM": {"images": "read the image in the prompt: '$image' or '@image'"},
    "PipeExtract": {
        "page_images": "use 'max_page_images' (a number; 0 for none)",
    },
    "PipeImgGen": {"nb_steps": "write it in the model's table: 'model = { model = \"…\", nb_steps = 8 }'"},
    "PipeParallel": {"combined_output": "name the combined concept in 'output'"},
}
_COMPOSE_STYLE: Final = ("template_category", "category", "target_format", "prompting_style", "templating_style")
_RENAMED_SETTINGS: Final = {
    "llm_handle": "model",
    "ocr_handle": "model",
    "img_gen_handle": "model",
    "imgg_handle": "model",
}
_CATEGORIES: Final = frozenset({"basic", "expression", "html", "markdown", "mermaid", "llm_prompt", "img_gen_prompt"})


def rewrite_old_forms(report: Report, pipe_type: str, table: Mapping[str, Any]) -> dict[str, Any]:
    """Report every older form of one pipe's table and return the table as it would be written now."""
    now = dict(table)
    for group in ("*", pipe_type):
        for old, new in _RENAMED.get(group, {}).items():
            _rename(report, now, old, new)
    for group in ("*", pipe_type):
        for old, advice in _ADVICE.get(group, {}).items():
            if old in now:
                _refuse(report, old, advice)
                del now[old]
    if pipe_type in _REWRITES:
        _REWRITES[pipe_type](report, now)
    for key in ("model", "model_to_structure"):
        if isinstance(now.get(key), dict):
            now[key] = _settings(report, key, now[key])
    return now


def _rename(report: Report, table: dict[str, Any], old: str, new: str) -> None:
    if old not in table:
        return
    if new in table:
        fix = SuggestedFix("drop-old-key", f"remove '{old}'", (delete_key(report.base, old),), "unsafe")
        _refuse(report, old, f"'{new}' is also set; remove this one", fix)
        del table[old]
        return
    fix = SuggestedFix("rename-key", f"rename '{old}' to '{new}'", (rename_key(report.base, old, new),))
    _refuse(report, old, f"write '{new}'", fix, (new,))
    table[new] = table.pop(old)


def _refuse(
    report: Report, old: str, advice: str, fix: SuggestedFix | None = None, near: tuple[str, ...] = (), *outer: str
) -> None:
    owner = f"pipe '{report.base[1]}'"
    report.schema(
        "old_form",
        f"'{'.'.join((*outer, old))}' of {owner} is an older form: {advice}",
        *outer,
        old,
        on_key=True,
        suggestions=near,
        fix=fix,
    )


def _multiplicity(report: Report, table: dict[str, Any]) -> None:
    output = table.get("output")
    for old in ("nb_output", "multiple_output"):
        if old not in table:
            continue
        value = table.pop(old)
        brackets = _brackets(value)
        if isinstance(output, str) and output.isidentifier() and brackets is not None:
            written = output + brackets
            operations = (delete_key(report.base, old), set_key(report.base, "output", written))
            fix = SuggestedFix("output-brackets", f'write output = "{written}"', operations)
            _refuse(report, old, f"write 'output = \"{written}\"'", fix, (written,))
            table["output"] = written
        else:
            _refuse(report, old, "write the number in brackets on the output: 'Concept[3]' or 'Concept[]'")


def _brackets(value: Any) -> str | None:
    if isinstance(value, bool):
        return "[]" if value else ""
    return f"[{value}]" if isinstance(value, int) and value > 0 else None


def _compose_style(report: Report, table: dict[str, Any]) -> None:
    written = [key for key in _COMPOSE_STYLE if key in table]
    if not written:
        return
    template = table.get("template")
    category = table.get("category", table.get("template_category"))
    operations: list[dict[str, Json]] = [delete_key(report.base, key) for key in written]
    new: dict[str, Json] = {"template": template, "category": category}
    if "templating_style" in table:
        new["templating_style"] = table["templating_style"]
    is_mechanical = isinstance(template, str) and category in _CATEGORIES
    for position, key in enumerate(written):
        fix = None
        if is_mechanical and position == 0 and not {"target_format", "prompting_style"} & set(written):
            operations.append(set_key(report.base, "template", new))
            fix = SuggestedFix("template-table", "move it into the template's table", tuple(operations))
        _refuse(report, key, 'write \'template = { template = "…", category = "…" }\'', fix)
        del table[key]
    if is_mechanical:
        table["template"] = new


def _settings(report: Report, key: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    now = dict(settings)
    table = (*report.base, key)
    for old, new in _RENAMED_SETTINGS.items():
        if old in now and new not in now:
            fix = SuggestedFix("rename-key", f"rename '{old}' to '{new}'", (rename_key(table, old, new),))
            _refuse(report, old, f"write '{new}'", fix, (new,), key)
            now[new] = now.pop(old)
    if "prompting_target" in now:
        fix = SuggestedFix("drop-old-key", "remove 'prompting_target'", (delete_key(table, "prompting_target"),))
        _refuse(report, "prompting_target", "it has no meaning any more; remove it", fix, (), key)
        del now["prompting_target"]
    return now


_REWRITES: Final[Mapping[str, Callable[[Report, dict[str, Any]], None]]] = {
    "PipeLLM": _multiplicity,
    "PipeImgGen": _multiplicity,
    "PipeCompose": _compose_style,
}
"""Pipe type → the rewrites that its older tables need besides renaming."""
