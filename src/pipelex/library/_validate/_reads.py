"""Follows the reads of templates through the declared structures, to find missing names and misleading truth tests.

Source: MTHDS 8.0.0, sections 8.1 and 9.2 of the language reference. Its faults are warnings, because such a template
still renders.
"""

import re
from dataclasses import dataclass
from typing import Final

from pipelex.content.structure import AnyShape, DictShape, ListShape, ObjectShape, ScalarShape, Shape
from pipelex.errors import Json, SuggestedFix, near_names
from pipelex.language.references import Slot
from pipelex.language.templates import ITEM, TemplateRead, TemplateSite, analyse_template
from pipelex.library._library import Library, Pipe
from pipelex.library._validate._context import Checks

_MOST_NAMES: Final = 12
_CLOSING: Final = " }}"
"""The text after the author's, if the site has a prefix before it."""
_AS_WRITTEN: Final = re.compile(r"[$@]?\??([A-Za-z_][\w.\[\]]*)\.")
"""A name and its dot, before the step that is read."""
_DOTTED: Final = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*")
_MOMENT_PARTS: Final = frozenset({"year", "month", "day", "hour", "minute", "second"})
_PARTS: Final[dict[str, frozenset[str]]] = {
    "date": frozenset({"year", "month", "day"}),
    "datetime": _MOMENT_PARTS,
    "time": frozenset({"hour", "minute", "second"}),
}
_SIZES: Final = frozenset({"count", "len", "length", "size"})
_VALUES: Final[dict[str, tuple[str, str]]] = {
    "YesNo": ("yes_no", "a No"),
    "Number": ("number", "0"),
    "Text": ("text", "an empty text"),
    "Markdown": ("text", "an empty text"),
}
"""Native concepts with a value that Python treats as false → its field, and the value in words."""


@dataclass(frozen=True)
class Astray:
    """The step at which a read leaves the declared structures."""

    index: int
    """The index of the step that does not exist."""
    detail: str
    available: tuple[str, ...] = ()
    instead: str | None = None
    """The text to write instead of the step."""

    def said(self, name: str) -> str:
        """The reason, for a value of that name."""
        return self.detail.replace("{name}", name)


def follow(shape: Shape, trail: tuple[str, ...], *, is_list: bool = False) -> Shape | Astray | None:
    """The shape at the end of a trail, or where the trail goes astray; None if the structures leave it open.

    Args:
        shape: the shape of one content of the root.
        trail: the root and the steps from it.
        is_list: whether the root holds several contents.
    """
    current: Shape = ListShape(shape) if is_list else shape
    for index, step in enumerate(trail):
        if index == 0:
            continue
        found = _after(current, step, index)
        if found is None or isinstance(found, Astray):
            return found
        current = found
    return current


def _after(shape: Shape, step: str, index: int) -> Shape | Astray | None:
    match shape:
        case ListShape():
            if step == ITEM:
                return shape.items
            return shape if step == "items" else _of_list(shape, step, index)
        case _ if step == ITEM or step.startswith("_"):
            return None
        case ObjectShape():
            if shape.native == "JSON":
                return None
            field = shape.field(step)
            return _no_field(shape, step, index) if field is None else field.shape
        case DictShape():
            return None if shape.holds_contents else shape.values
        case AnyShape():
            return None
        case _:
            return _of_plain(shape, step, index)


def _no_field(shape: ObjectShape, step: str, index: int) -> Astray:
    names = tuple(field.name for field in shape.fields)
    near = near_names(step, names, most=1)
    if near:
        return Astray(index, f"{shape.title} has no field '{step}': did you mean '{near[0]}'?", names, near[0])
    listed = ", ".join(names[:_MOST_NAMES]) + (", …" if len(names) > _MOST_NAMES else "")
    known = f"its fields are {listed}" if listed else "it has no fields"
    return Astray(index, f"{shape.title} has no field '{step}'; {known}", names)


def _of_list(shape: ListShape, step: str, index: int) -> Astray:
    if step in _SIZES:
        return Astray(index, f"'{{name}}' is a list, which has no '{step}': write '{{name}}|length'")
    inner = shape.items
    if isinstance(inner, ObjectShape) and inner.field(step) is not None:
        way = (
            f"'{{% for item in {{name}} %}}{{{{ item.{step} }}}}{{% endfor %}}', or"
            f" '{{name}}|map(attribute=\"{step}\")'"
        )
        return Astray(index, f"'{{name}}' is a list, and '{step}' is a field of its items: write {way}")
    return Astray(index, f"'{{name}}' is a list, which has no field '{step}'")


def _of_plain(shape: Shape, step: str, index: int) -> Astray | None:
    kind = shape.kind if isinstance(shape, ScalarShape) else "text"
    if step in _PARTS.get(kind, ()) or hasattr(str, step) or hasattr(float, step):
        return None
    kind = "text" if kind == "url" else kind
    return Astray(index, f"'{{name}}' is a plain {kind}, without fields: write '{{name}}'")


def written(trail: tuple[str, ...]) -> str:
    """A trail as a template may write it."""
    return "".join("[0]" if step == ITEM else step if not index else f".{step}" for index, step in enumerate(trail))


def check_reads(checks: Checks, pipe: Pipe) -> None:
    """Check what the templates of a pipe read from its inputs."""
    told: set[tuple[object, ...]] = set()
    for site in pipe.blueprint.sites:
        analysis = analyse_template(
            site.template,
            category=site.category,
            sigils=site.has_sigils,
            declared=(*pipe.inputs, *site.extra_names),
        )
        for read in analysis.reads:
            slot = pipe.inputs.get(read.root)
            if slot is None or read.root in site.extra_names:
                continue
            found = follow(checks.library.shape(slot.concept), read.trail, is_list=slot.is_list)
            key = (site.keys, read.offset, read.trail[: found.index + 1] if isinstance(found, Astray) else read.truth)
            if key in told:
                continue
            told.add(key)
            if isinstance(found, Astray):
                _warn_of_missing(checks, pipe, site, read, found)
            elif read.truth is not None and isinstance(found, ObjectShape):
                _warn_of_truth(checks, pipe, site, read, found, slot)


def _warn_of_missing(checks: Checks, pipe: Pipe, site: TemplateSite, read: TemplateRead, found: Astray) -> None:
    step = read.trail[found.index]
    path = ".".join(name for name in read.trail[: found.index + 1] if name != ITEM)
    name = written(read.trail[: found.index])
    place = _place_of(site.template, read.offset, step)
    start = read.offset if place is None else place
    shown = path
    if place is not None and (match := _AS_WRITTEN.fullmatch(site.template, read.offset, place)) is not None:
        name, shown = match[1], f"{match[1]}.{step}"
    fix = None
    if found.instead is not None and place is not None:
        text = site.template[:place] + found.instead + site.template[place + len(step) :]
        fix = _rewrite(checks, pipe, site, text, "field-name", f"write '{found.instead}'")
    checks.report(
        pipe,
        "method.field_path_unresolved",
        f"'{shown}' never exists, so it prints as nothing: {found.said(name)}",
        *site.keys,
        category="template_field_unknown",
        suggestions=() if found.instead is None else (found.instead,),
        fix=fix,
        is_warning=True,
        offset=max(0, start - site.prefix),
        path=path,
        segment=step,
        available_fields=list(found.available),
    )


def _place_of(template: str, offset: int, step: str) -> int | None:
    """The place of a read's step, between the start of the read and the end of its tag or line; None if not found."""
    if template[offset : offset + 1] in ("@", "$"):
        ends = [template.find("\n", offset)]
    else:
        ends = [template.find(mark, offset) for mark in ("}}", "%}")]
    end = min((end for end in ends if end >= 0), default=len(template))
    match = re.compile(rf"(?<![A-Za-z0-9_]){re.escape(step)}(?![A-Za-z0-9_])").search(template, offset, end)
    return None if match is None else match.start()


def _rewrite(
    checks: Checks, pipe: Pipe, site: TemplateSite, template: str, code: str, description: str
) -> SuggestedFix:
    """The fix that replaces the template of a site."""
    text = template[site.prefix : -len(_CLOSING)] if site.prefix else template
    source = checks.source(pipe)
    table = ["pipe", pipe.code, *site.keys[:-1]]
    operation: dict[str, Json] = {"op": "set_key", "table": table, "key": str(site.keys[-1]), "value": text}
    return SuggestedFix(code, description, (operation,), "unsafe", source.bundle.path)


def _warn_of_truth(
    checks: Checks, pipe: Pipe, site: TemplateSite, read: TemplateRead, shape: ObjectShape, slot: Slot
) -> None:
    value = _VALUES.get(shape.native or "")
    if value is None or site.template[read.offset : read.offset + 1] == "@":
        return
    may_be_absent = may_lack(checks.library, slot, read.trail)
    if may_be_absent and (shape.native != "YesNo" or read.truth == "read"):
        return
    field, in_words = value
    name, end = _name_at(site.template, read.offset)
    fix = None
    if name.rpartition(".")[2] == read.trail[-1] or name == written(read.trail):
        text = f"{site.template[:end]}.{field}{site.template[end:]}"
        fix = _rewrite(checks, pipe, site, text, "read-the-value", f"write '{name}.{field}'")
    is_there = "whether there is a value" if may_be_absent else "that there is a value, which there always is"
    checks.report(
        pipe,
        "method.template_invalid",
        f"as a condition, '{name}' says {is_there}, not what it is ({in_words} is a value, too): write '{name}.{field}'",
        *site.keys,
        category="template_truth",
        suggestions=(f"{name}.{field}",),
        fix=fix,
        is_warning=True,
        offset=max(0, read.offset - site.prefix),
        template=".".join(str(key) for key in site.keys),
        finding="truth_of_value",
    )


def _name_at(template: str, offset: int) -> tuple[str, int]:
    """The dotted name at a place in a template, and the place where it ends."""
    match = _DOTTED.match(template, offset)
    return ("", offset) if match is None else (match[0], match.end())


def may_lack(library: Library, slot: Slot, trail: tuple[str, ...]) -> bool:
    """Whether a value may be left out: the input itself, or a field on the way to it."""
    if slot.presence == "optional":
        return True
    current: Shape = library.shape(slot.concept)
    for step in trail[1:]:
        while isinstance(current, ListShape):
            current = current.items
        field = current.field(step) if isinstance(current, ObjectShape) else None
        if field is not None:
            if not field.required and field.default is None:
                return True
            current = field.shape
    return False
