"""The rules about templates that can be checked in one pipe's table: syntax, the two-way rule, guarded reads.

Source: MTHDS 8.0.0, sections 5.2, 8.1 and 9 of the language reference.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from pipelex.errors import Json, SuggestedFix, near_names
from pipelex.language._fault import (
    SCHEMA,
    Keys,
    UnplacedFault,
    delete_key,
    did_you_mean,
    place,
    render_path,
    set_key,
    shorten,
)
from pipelex.language.blueprints import PIPE_TYPES, input_paths, template_sites
from pipelex.language.references import PLAIN_NAME_PATTERN, Slot
from pipelex.language.templates import (
    TemplateFault,
    TemplateRead,
    TemplateSite,
    analyse_template,
)

_MOST_TOLD: Final = 50
"""The maximum number of faults that are reported for one template. Each takes a search for its place, and may carry a
fix that contains the whole template."""


def check_templates(code: str, pipe: Mapping[str, Any], *, is_complete: bool = True) -> list[UnplacedFault]:
    """Faults about the templates of one pipe's table, valid or not.

    Args:
        code: the pipe's code.
        pipe: its table.
        is_complete: False when a misspelt key may hide a template, which may read an input that looks unread.
    """
    base: Keys = ("pipe", code)
    slots = _slots(pipe)
    faults: list[UnplacedFault] = []
    read: set[str] = set()
    inline: set[str] = set()
    # A dotted input name has its own fault, and templates that read its root are right in the new form.
    reported = {("undeclared", name.partition(".")[0]) for name in slots if "." in name}
    is_known = is_complete
    sites = template_sites(pipe)
    paths = input_paths(pipe)
    for site in sites:
        keys = (*base, *site.keys)
        names = dict.fromkeys((*slots, *site.extra_names))
        analysis = analyse_template(site.template, category=site.category, sigils=site.has_sigils, declared=names)
        is_known = is_known and analysis.is_parsed
        faults.extend(_template_fault(code, keys, site, found) for found in analysis.faults[:_MOST_TOLD])
        inline |= {found.name.partition(".")[0] for found in analysis.faults if found.kind == "inline_sigil"}
        for each in analysis.reads:
            read.add(each.root)
            if len(reported) > _MOST_TOLD:
                continue
            if each.root not in names and ("undeclared", each.root) not in reported:
                reported.add(("undeclared", each.root))
                faults.append(_undeclared(code, keys, each.root, max(0, each.offset - site.prefix), slots))
            elif _is_unguarded(each, slots) and ("unguarded", each.root) not in reported:
                reported.add(("unguarded", each.root))
                faults.append(_unguarded(code, keys, site, each))
    for keys, path in paths:
        root = path.partition(".")[0].partition("[")[0]
        read.add(root)
        if root not in slots and ("undeclared", root) not in reported:
            reported.add(("undeclared", root))
            faults.append(_undeclared(code, (*base, *keys), root, 0, slots))
    # Without any template, a plainer fault is reported instead.
    is_known = is_known and bool(sites or paths or pipe.get("construct"))
    model = PIPE_TYPES.get(str(pipe.get("type")))
    if is_known and model is not None and model.reads_every_input:
        inline |= {name for name in slots if PLAIN_NAME_PATTERN.fullmatch(name) is None}
        meant = {near for found in faults for near in found.suggestions if found.code == "method.input_undeclared"}
        as_text = _named_as_text([site.template for site in sites if site.has_sigils])
        told = read | inline | meant
        faults.extend(_unused(code, name, as_text) for name in slots if name not in told)
    return faults


def check_default_system_prompt(text: str) -> list[UnplacedFault]:
    """Faults about the bundle's own `system_prompt`, which may read any input of the pipe that uses it."""
    analysis = analyse_template(text, category="llm_prompt", sigils=True, declared=())
    site = TemplateSite(("system_prompt",), text, "llm_prompt")
    return [_template_fault("", ("system_prompt",), site, each) for each in analysis.faults]


def _slots(pipe: Mapping[str, Any]) -> dict[str, Slot | None]:
    inputs = pipe.get("inputs")
    slots: dict[str, Slot | None] = {}
    if not isinstance(inputs, Mapping):
        return slots
    for name, entry in cast("Mapping[str, Any]", inputs).items():
        text = cast("Mapping[str, Any]", entry).get("concept") if isinstance(entry, Mapping) else entry
        try:
            slots[name] = Slot.parse(text) if isinstance(text, str) else None
        except ValueError:
            slots[name] = None
    return slots


def _is_unguarded(read: TemplateRead, slots: Mapping[str, Slot | None]) -> bool:
    slot = slots.get(read.root)
    return slot is not None and slot.presence == "optional" and not read.is_guarded


def _template_fault(code: str, keys: Keys, site: TemplateSite, found: TemplateFault) -> UnplacedFault:
    offset = max(0, found.offset - site.prefix)
    detail = f"{place(keys)}: {found.message}"
    if found.kind == "inline_sigil":
        text = site.template[: found.offset] + "$" + site.template[found.offset :].removeprefix("@").removeprefix("?")
        fix = SuggestedFix(
            "inline-sigil", f"write '${found.name}'", (set_key(keys[:-1], str(keys[-1]), text),), "unsafe"
        )
        params = {"field_path": render_path(keys), "finding": "inline_sigil"}
        return UnplacedFault(SCHEMA, detail, keys, params, suggestions=(f"${found.name}",), fix=fix, offset=offset)
    pipe = {"pipe": code} if code else {}
    if found.kind == "glued_sigil":
        return _glued_sigil(pipe, keys, site, found, detail)
    if found.kind == "private_name":
        params = {**pipe, "variables": [found.name]}
        return UnplacedFault(
            "method.template_private_name", detail, keys, params, category="template_private_name", offset=offset
        )
    if found.kind == "refused":
        params = {**pipe, "name": found.name}
        return UnplacedFault(
            "security.template_refused", detail, keys, params, category="template_refused", offset=offset
        )
    params = {**pipe, "template": render_path(keys[2:] or keys), "finding": found.message}
    return UnplacedFault(
        "method.template_invalid",
        detail,
        keys,
        params,
        category="template_invalid",
        suggestions=found.suggestions,
        offset=offset,
    )


def _glued_sigil(
    pipe: Mapping[str, Json], keys: Keys, site: TemplateSite, found: TemplateFault, detail: str
) -> UnplacedFault:
    written = f"{{{{ {found.name} }}}}"
    text = site.template[: found.offset] + written + site.template[found.offset + 1 + len(found.name) :]
    fix = SuggestedFix("write-braces", f"write '{written}'", (set_key(keys[:-1], str(keys[-1]), text),), "unsafe")
    return UnplacedFault(
        "method.template_invalid",
        detail,
        keys,
        {**pipe, "template": render_path(keys[2:]), "finding": "sigil_is_text"},
        category="template_invalid",
        suggestions=(written,),
        fix=fix,
        severity="warning",
        offset=max(0, found.offset - site.prefix),
    )


def _undeclared(code: str, keys: Keys, root: str, offset: int, slots: Mapping[str, Any]) -> UnplacedFault:
    near = near_names(root, slots)
    advice = did_you_mean(near) or f": add it to 'inputs' of pipe '{shorten(code)}'"
    return UnplacedFault(
        "method.input_undeclared",
        f"{place(keys)} reads '{shorten(root)}', which is not an input of the pipe{advice}",
        keys,
        {"pipe": code, "variables": [root]},
        category="missing_input_variable",
        suggestions=near,
        offset=offset,
    )


def _unused(code: str, name: str, as_text: Mapping[str, str]) -> UnplacedFault:
    keys = ("pipe", code, "inputs", name)
    operation = delete_key(("pipe", code, "inputs"), name)
    advice = "read it in a template, or remove it"
    fix: SuggestedFix | None = SuggestedFix("remove-input", f"remove input '{shorten(name)}'", (operation,), "unsafe")
    told = as_text.get(name)
    if told is not None:
        fix, advice = None, told
    return UnplacedFault(
        "method.input_unused",
        f"input '{shorten(name)}' of pipe '{shorten(code)}' is never read: {advice}",
        keys,
        {"pipe": code, "variables": [name]},
        category="extraneous_input_variable",
        fix=fix,
        on_key=True,
    )


_AS_TEXT: Final = (
    (
        re.compile(r"(?<!\w)\$(\w+)[ \t]+[({\[\"']"),
        "'${}' before a bracket or a quote is plain text, as in shell snippets; {}",
    ),
    (re.compile(r"(?<=\w)\$(\w+)"), "'${}' after a letter or a digit is plain text; {}"),
    (re.compile(r"(?<=\w)@(\w+)"), "'@{}' after a letter or a digit is plain text, as in addresses; {}"),
)
"""A pattern of a name after a sigil, in a place where both are plain text → the advice."""


def _named_as_text(templates: Sequence[str]) -> dict[str, str]:
    """The names that templates write after a sigil in a place where both are plain text → the advice."""
    found: dict[str, str] = {}
    for pattern, advice in _AS_TEXT:
        for name in {match[1] for text in templates for match in pattern.finditer(text)}:
            told = advice.replace("{}", name, 1).replace("{}", f"write '{{{{ {name} }}}}' there")
            found.setdefault(name, told)
    return found


def _unguarded(code: str, keys: Keys, site: TemplateSite, read: TemplateRead) -> UnplacedFault:
    name = read.root
    guard = f"'@?{name}' alone on its line, or " if site.has_sigils else ""
    guarded = f"'{{% if {name} %}}…{{% endif %}}' or '{name} if {name} else …'"
    fix = None
    if site.has_sigils:
        text = re.sub(rf"(?m)^([ \t]*)@(?={re.escape(name)}(?:\.[A-Za-z_][\w.]*)?[ \t]*$)", r"\1@?", site.template)
        if text != site.template:
            fix = SuggestedFix("guard-optional", f"write '@?{name}'", (set_key(keys[:-1], str(keys[-1]), text),))
    return UnplacedFault(
        "method.optional_unhandled",
        f"{place(keys)} reads '{name}', which may be absent: guard it with {guard}{guarded}",
        keys,
        {"pipe": code, "input": name, "site": "template" if site.has_sigils else "condition"},
        category="optional_input_unguarded",
        fix=fix,
        offset=max(0, read.offset - site.prefix),
    )
