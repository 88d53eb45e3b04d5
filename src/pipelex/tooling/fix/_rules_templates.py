"""Rewrites of templates: inline sigils, and values that older releases attached to prompts automatically.

Source: sections 9.1, 9.5 and 13 of the language reference.
"""

import re
from collections.abc import Collection, Iterator
from typing import Any, Final, cast

from pipelex.errors.json import as_texts
from pipelex.language.blueprints import template_sites
from pipelex.language.templates import FILTERS_BY_CATEGORY, TemplateFault, analyse_template
from pipelex.tooling.fix._round import Declared, Edit, Round, inputs_of, slot_of
from pipelex.tooling.fix._templates import reading, unused_inputs

_PATH: Final = re.compile(r"@(\??)([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)")


def inline_sigils(now: Round) -> Iterator[Edit]:
    """Replace `@name` inside a line by the `tag` filter, which keeps the delimiters around the value."""
    for pipe in now.pipes:
        declared = tuple(inputs_of(pipe.table))
        for site in template_sites(pipe.table):
            if not site.has_sigils:
                continue
            text, names = rewrite_sigils(site.template, site.category, (*declared, *site.extra_names))
            if names:
                said = dict.fromkeys(names)
                what = "inside a line write " + ", ".join(f"'{new}' for '@{name}'" for name, new in said)
                op = pipe.set(str(site.keys[-1]), text, *site.keys[:-1])
                yield pipe.edit("inline-sigil", what, op, at=site.keys)


def rewrite_sigils(template: str, category: str, declared: Collection[str]) -> tuple[str, list[tuple[str, str]]]:
    """The template with inline sigils rewritten, and the path and the replacement of each."""
    faults = analyse_template(template, category=category, sigils=True, declared=declared).faults
    text, names = template, list[tuple[str, str]]()
    for found in sorted((one for one in faults if one.kind == "inline_sigil"), key=lambda one: -one.offset):
        text, name = _rewritten(text, found, category)
        names[:0] = [name] if name else []
    return text, names


def _rewritten(text: str, found: TemplateFault, category: str) -> tuple[str, tuple[str, str] | None]:
    match = _PATH.match(text, found.offset)
    if match is None:
        return text, None
    optional, path = match[1], match[2]
    start = text.rfind("\n", 0, match.start()) + 1
    end = text.find("\n", match.end())
    end = len(text) if end < 0 else end
    before, after = text[start : match.start()], text[match.end() : end]
    if not before.strip() and not after.strip():  # alone, but for blanks that are not spaces
        return text[:start] + match[0] + text[end:], (path, match[0])
    tag = f"|tag('{path}')" if "tag" in FILTERS_BY_CATEGORY.get(category, ()) else ""
    written = "{{ " + path + tag + " }}"
    if optional:
        written = "{% if " + path + " %}" + written + "{% endif %}"
    return text[: match.start()] + written + text[match.end() :], (path, written)


def attached_files(now: Round) -> Iterator[Edit]:
    """Read unread images and documents in the prompt of a PipeLLM; older releases attached every declared one."""
    for pipe in now.pipes:
        if pipe.type != "PipeLLM":
            continue
        unread = [
            name
            for name in unused_inputs(now, pipe)
            if now.native_of(_slot(pipe, name), pipe.domain) in ("Image", "Document")
        ]
        ops = reading(pipe, unread) if unread else []
        if ops:
            names = ", ".join(f"'@{name}'" for name in unread)
            what = f"read {names} at the end of the prompt, which attaches what was attached implicitly"
            yield pipe.edit("read-input", what, *ops, at=("inputs", unread[0]), safety="unsafe")


def images_key(now: Round) -> Iterator[Edit]:
    """Replace `images = [...]` of a PipeLLM by reads in the prompt."""
    for pipe in now.pipes:
        images = pipe.table.get("images")
        if pipe.type != "PipeLLM" or images is None:
            continue
        names = [images] if isinstance(images, str) else images
        if not isinstance(names, list) or not all(isinstance(name, str) for name in cast("list[Any]", names)):
            continue
        unread = [name for name in cast("list[str]", names) if not _is_read(pipe, name)]
        ops = reading(pipe, unread) if unread else []
        what = "read the images in the prompt" if unread else "remove 'images': the prompt reads them"
        yield pipe.edit("read-images", what, pipe.delete("images"), *ops, at=("images",))


def _is_read(pipe: Declared, name: str) -> bool:
    pattern = re.compile(rf"(?<!\w){re.escape(name)}(?!\w)")
    texts = (pipe.table.get(key) for key in ("prompt", "prompt_template", "system_prompt", "system_prompt_template"))
    return any(isinstance(text, str) and pattern.search(re.sub(r"[^@${.\w\s]", " ", text)) for text in texts)


def _slot(pipe: Declared, name: str) -> str | None:
    return slot_of(inputs_of(pipe.table).get(name))


def read_undeclared(now: Round) -> Iterator[Edit]:
    """Declare a value that a template reads, if every caller has a value of one concept by that name."""
    for fault in now.faults:
        pipe = now.pipe_at(fault)
        names = as_texts(fault.params.get("variables", ())) if fault.code == "method.input_undeclared" else ()
        is_old = pipe is not None and not isinstance(pipe.table.get("inputs", {}), str)
        if pipe is None or not names or fault.suggestions or not is_old or "steps" in pipe.table:
            continue
        name = names[0]
        slots = _slots_at_callers(now, pipe, name)
        if len(slots) == 1:
            (slot,) = slots
            op = pipe.set(name, slot, "inputs") if "inputs" in pipe.table else pipe.set("inputs", {name: slot})
            what = f'declare the input {name} = "{slot}", which its callers hold'
            yield pipe.edit("declare-input", what, op, safety="unsafe")


def _slots_at_callers(now: Round, pipe: Declared, name: str) -> set[str]:
    """The slots that a name has in the sequences that run a pipe, as this pipe's file writes them."""
    found: set[str] = set()
    for caller in now.pipes:
        for index, step in enumerate(cast("list[Any]", caller.table.get("steps") or [])):
            if not isinstance(step, dict) or cast("dict[str, Any]", step).get("pipe") not in (pipe.code, pipe.ref):
                continue
            for earlier in reversed(caller.table["steps"][:index]):
                given = now.library.pipes.get(f"{caller.domain}.{earlier.get('pipe')}")
                if earlier.get("result") == name and given is not None and "batch_over" not in earlier:
                    found.add(now.slot_text(given.output, pipe.domain))
                    break
            else:
                slot = _slot(caller, name)
                if slot is not None and caller.domain == pipe.domain:
                    found.add(slot)
    return found


def guarded_sigils(now: Round) -> Iterator[Edit]:
    """Rewrite `$name` before a bracket or a quote, which is text, if it names an input that nothing else reads."""
    for pipe in now.pipes:
        unread = unused_inputs(now, pipe)
        for site in template_sites(pipe.table) if unread else ():
            names = "|".join(map(re.escape, unread))
            pattern = rf"(?<![\w$])\$((?:{names})(?:\.[A-Za-z_]\w*)*)(?=[ \t]+[({{\"'])"
            text = re.sub(pattern, r"{{ \1 }}", site.template) if site.has_sigils else site.template
            if text != site.template:
                what = "before a bracket or a quote write '{{ name }}' for '$name'"
                op = pipe.set(str(site.keys[-1]), text, *site.keys[:-1])
                yield pipe.edit("inline-sigil", what, op, at=site.keys, safety="unsafe")


def remove_unused(now: Round) -> Iterator[Edit]:
    """Remove inputs that nothing reads, except those whose names occur in a text."""
    lacking = {
        (fault.location.file, fault.location.pipe) for fault in now.faults if fault.code == "method.input_undeclared"
    }
    for pipe in now.pipes:
        if (pipe.file, pipe.code) in lacking:  # the name may only be wrong
            continue
        texts = [site.template for site in template_sites(pipe.table)]
        if pipe.type == "PipeLLM" and "system_prompt" not in pipe.table:
            texts.append(str(now.documents[pipe.file].plain.get("system_prompt", "")))
        for name in unused_inputs(now, pipe):
            if any(re.search(rf"[$@{{%][^}}%\n]{{0,80}}\b{re.escape(name)}\b", text) for text in texts):
                continue
            what = f"remove the input '{name}', which nothing reads"
            ops = (pipe.delete(name, "inputs"),)
            yield pipe.edit("remove-input", what, *ops, at=("inputs", name), safety="unsafe")
