"""Rewrites of older forms that can be recognised in one pipe's table.

Source: section 13 of the language reference. Renamed keys need no rules, because their faults carry the change.
"""

from collections.abc import Iterator
from typing import Any, Final, cast

from pipelex.errors import Json
from pipelex.language import RETIRED_TYPES
from pipelex.language.blueprints import CONTROLLERS, PIPE_TYPES
from pipelex.language.templates import FILTERS_BY_CATEGORY
from pipelex.tooling.fix._document import Op
from pipelex.tooling.fix._round import Declared, Edit, Round, Table, inputs_of, parsed_slot

_TAG_STYLES: Final = frozenset({"no_tag", "ticks", "xml", "square_brackets"})
_TEXT_FORMATS: Final = frozenset({"plain", "markdown", "html", "json"})
_STYLE_KEYS: Final = ("category", "template_category", "target_format", "templating_style", "prompting_style")
_IMAGE_MODELS: Final = ("model", "img_gen", "imgg", "img_gen_handle", "imgg_handle")
_IMAGE_PROMPTS: Final = frozenset({"prompt", "img_gen_prompt", "prompt_template"})
_IMAGE_SETTINGS: Final = ("nb_steps", "guidance_scale", "is_moderated", "safety_tolerance", "quality")


def type_as_key(now: Round) -> Iterator[Edit]:
    """Rewrite `PipeLLM = "what it does"` to `type` and `description`."""
    for pipe in now.pipes:
        found = [key for key in pipe.table if key in PIPE_TYPES and isinstance(pipe.table[key], str)]
        if "type" in pipe.table or len(found) != 1:
            continue
        (name,) = found
        taken = "description" in pipe.table or "definition" in pipe.table
        keep = pipe.delete(name) if taken else pipe.rename(name, "description")
        what = f"write type = \"{name}\" and the text as 'description'"
        yield pipe.edit("pipe-type-key", what, keep, pipe.set("type", name), at=(name,))


def retired_types(now: Round) -> Iterator[Edit]:
    """Replace the types `PipeOcr`, `PipeJinja2` and `PipeLLMPrompt`."""
    for pipe in now.pipes:
        new = RETIRED_TYPES.get(pipe.type)
        if new is not None and "input" not in pipe.table:
            yield pipe.edit("new-pipe-type", f'write type = "{new}"', pipe.set("type", new), at=("type",))


def extract_keys(now: Round) -> Iterator[Edit]:
    """Replace the boolean `page_images` by the number `max_page_images`, which is left out for all images."""
    for pipe in now.pipes:
        if pipe.type != "PipeExtract" or "page_images" not in pipe.table:
            continue
        value = pipe.table["page_images"]
        if "max_page_images" in pipe.table or value is True:
            edit = (pipe.delete("page_images"),)
            what = "remove 'page_images': without a limit every image of a page is taken"
        elif isinstance(value, int):  # False is 0
            edit = (pipe.rename("page_images", "max_page_images"), pipe.set("max_page_images", int(value)))
            what = f"write max_page_images = {int(value)}"
        else:
            continue
        yield pipe.edit("extract-keys", what, *edit, at=("page_images",))


def combined_output(now: Round) -> Iterator[Edit]:
    """Make the `combined_output` of a PipeParallel its output."""
    for pipe in now.pipes:
        if pipe.type != "PipeParallel" or "combined_output" not in pipe.table:
            continue
        concept = pipe.table["combined_output"]
        if not isinstance(concept, str):
            continue
        if "output" in pipe.table:
            ops = (pipe.delete("combined_output"), pipe.set("output", concept))
        else:
            ops = (pipe.rename("combined_output", "output"),)
        yield pipe.edit("combined-output", f'write output = "{concept}"', *ops, at=("combined_output",))


def default_outcome(now: Round) -> Iterator[Edit]:
    """Add the default `fail` to a condition without one, which failed when nothing matched."""
    for pipe in now.pipes:
        has_map = isinstance(pipe.table.get("outcomes", pipe.table.get("pipe_map")), dict)
        if (
            pipe.type == "PipeCondition"
            and has_map
            and not {"default_outcome", "default_pipe_code"} & pipe.table.keys()
        ):
            what = 'add default_outcome = "fail", what a condition without a default did'
            yield pipe.edit("add-default-outcome", what, pipe.set("default_outcome", "fail"))


def output_brackets(now: Round) -> Iterator[Edit]:
    """Replace `nb_output` and `multiple_output` of a pipe by brackets on its output."""
    for pipe in now.pipes:
        written = [key for key in ("nb_output", "multiple_output") if key in pipe.table]
        slot = parsed_slot(pipe.table.get("output"))
        if pipe.type in CONTROLLERS or not written or slot is None:
            continue
        number, several = pipe.table.get("nb_output"), pipe.table.get("multiple_output")
        is_number = isinstance(number, int) and not isinstance(number, bool) and number >= 1
        if ("nb_output" in written and not is_number) or (
            "multiple_output" in written and not isinstance(several, bool)
        ):
            continue
        ops: list[Op] = [pipe.delete(key) for key in written]
        brackets = f"[{number}]" if is_number and number != 1 else "[]" if several else ""
        output = pipe.table["output"]
        if brackets and not slot.is_list:
            output = slot.concept + brackets
            ops.append(pipe.set("output", output))
        yield pipe.edit("output-brackets", f'write output = "{output}"', *ops, at=(written[0],))


def compose_style(now: Round) -> Iterator[Edit]:
    """Move the keys that say how a template is rendered into the template's own table."""
    for pipe in now.pipes:
        written = [key for key in _STYLE_KEYS if key in pipe.table]
        template = pipe.table.get("template")
        if pipe.type != "PipeCompose" or not written or ("jinja2" in pipe.table and template is None):
            continue
        ops: list[Op] = [pipe.delete(key) for key in written]
        is_lossless = True
        if isinstance(template, str):
            new, is_lossless = _template_table(pipe.table, template)
            if new.keys() != {"template", "category"} or new["category"] != "basic":
                ops.append(pipe.set("template", new))
        what = "say how the template is rendered in its own table" if isinstance(template, str) else "remove it"
        safety = "safe" if is_lossless else "unsafe"
        yield pipe.edit("template-table", what, *ops, at=(written[0],), safety=safety)


def _template_table(table: Table, template: str) -> tuple[Table, bool]:
    """The template's table, and whether it keeps everything that was set."""
    said = [table[key] for key in ("category", "template_category", "target_format") if key in table]
    category = next((word for word in said if isinstance(word, str) and word in FILTERS_BY_CATEGORY), None)
    is_lossless = category is not None or not said
    new: Table = {"template": template, "category": category or "basic"}
    for key in ("templating_style", "prompting_style"):
        if key in table and "templating_style" not in new:
            style = _style(table[key])
            is_lossless = is_lossless and style is not None
            if style is not None:
                new["templating_style"] = style
    return new, is_lossless


def _style(value: Any) -> Json:
    if isinstance(value, str):
        return value if value in _TAG_STYLES else None
    if not isinstance(value, dict):
        return None
    style = cast("Table", value)
    fits = style.get("tag_style", "xml") in _TAG_STYLES and style.get("text_format", "plain") in _TEXT_FORMATS
    return style if fits and style.keys() <= {"tag_style", "text_format"} and style else None


def image_settings(now: Round) -> Iterator[Edit]:
    """Move `nb_steps` and similar keys of a PipeImgGen into the model's table."""
    for pipe in now.pipes:
        written = {key: pipe.table[key] for key in _IMAGE_SETTINGS if key in pipe.table}
        if pipe.type != "PipeImgGen" or not written:
            continue
        key = next((name for name in _IMAGE_MODELS if name in pipe.table), "model")
        model = pipe.table.get(key)
        ops: list[Op] = [pipe.delete(name) for name in written]
        names = ", ".join(f"'{name}'" for name in written)
        if isinstance(model, dict):
            ops += [pipe.set(name, value, key) for name, value in written.items() if name not in model]
            yield pipe.edit("model-table", f"write {names} in the model's table", *ops, at=(next(iter(written)),))
        elif isinstance(model, str) and not model.startswith(("$", "preset:")):
            ops.append(pipe.set(key, {"model": model, **written}))
            yield pipe.edit("model-table", f"write {names} in the model's table", *ops, at=(next(iter(written)),))
        else:
            what = f"remove {names}: " + ("the preset has its own" if model else "no model is named that could take it")
            yield pipe.edit("drop-model-setting", what, *ops, at=(next(iter(written)),), safety="unsafe")


def image_prompt(now: Round) -> Iterator[Edit]:
    """Add a prompt to a PipeImgGen without one, which used its only text input."""
    for pipe in now.pipes:
        if pipe.type != "PipeImgGen" or _IMAGE_PROMPTS & pipe.table.keys():
            continue
        names = [name for name, entry in inputs_of(pipe.table).items() if _is_textual(now, pipe, entry)]
        if len(names) == 1:
            what = f'write prompt = "${names[0]}"'
            yield pipe.edit("add-prompt", what, pipe.set("prompt", f"${names[0]}"), at=("inputs", names[0]))


def _is_textual(now: Round, pipe: Declared, entry: Any) -> bool:
    slot = parsed_slot(entry)
    if slot is None or slot.is_list:
        return False
    if slot.concept.rpartition(".")[2] in ("ImgGenPrompt", "LlmPrompt"):
        return True
    return now.native_of(slot.concept, pipe.domain) in ("Text", "Markdown")


RULES = (
    type_as_key,
    retired_types,
    extract_keys,
    combined_output,
    default_outcome,
    output_brackets,
    compose_style,
    image_settings,
    image_prompt,
)
