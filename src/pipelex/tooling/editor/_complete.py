"""Suggestions for a place of a bundle."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from pipelex.config.json_schema import field_texts
from pipelex.content.natives import NATIVE_CONCEPTS
from pipelex.content.structure import ObjectShape
from pipelex.language.blueprints import BundleBlueprint
from pipelex.language.schema import allowed_keys, allowed_words, models_at
from pipelex.tooling.editor._chains import TemplateText, bound_at
from pipelex.tooling.editor._describe import field_line, kind_of_shape
from pipelex.tooling.editor._group import OpenFile, OpenMethod, PathEnd, PipeView, inner
from pipelex.tooling.editor._occurrences import template_of
from pipelex.tooling.editor._sites import model_of, site_at
from pipelex.tooling.editor._sketch import Path, WrittenValue

_TOP_KEYS: Final = {"concepts": "concept", "pipes": "pipe"}
_WORD: Final = re.compile(r"[A-Za-z0-9_.>/-]*\Z")
_KEY: Final = re.compile(r"[A-Za-z0-9_-]*\Z")
_DOTTED: Final = re.compile(r"(?P<sigil>\$|@\??)?(?P<path>(?:[A-Za-z_]\w*)?(?:\.(?:[A-Za-z_]\w*)?)*)\Z")


@dataclass(frozen=True, slots=True)
class Suggestion:
    """One suggestion for a place."""

    label: str
    kind: Literal["concept", "pipe", "name", "field", "key", "word"]
    start: int
    """The beginning of the text that it replaces; that text ends at the place."""
    detail: str = ""
    documentation: str = ""
    insert: str | None = None
    """The text to insert; None to insert the label."""


def suggestions(group: OpenMethod, file: OpenFile, offset: int, around: OpenMethod | None = None) -> list[Suggestion]:
    """The suggestions for a place of a file, even if the file has faults.

    Args:
        group: the method of the file.
        file: the file as it is now.
        offset: the place.
        around: the files that may become part of the method; only those of the method when None.
    """
    value = file.sketch.value_at(offset)
    if value is not None and value.kind == "string":
        return list(_in_string(group, around or group, file, value, offset))
    if value is not None and value.kind == "none":
        return []
    return list(_keys(file, offset))


# --- keys -------------------------------------------------------------------------------------------------------------


def _keys(file: OpenFile, offset: int) -> Iterator[Suggestion]:
    line_start = file.text.rfind("\n", 0, offset) + 1
    match = _KEY.search(file.text, line_start, offset)
    start = offset if match is None else match.start()
    if file.text[line_start:start].strip().startswith("[") and not file.sketch.table_at(offset):
        return
    table = file.sketch.table_at(start)
    written = {str(name.path[-1]) for name in file.sketch.keys_below(table) if not name.start <= offset <= name.end}
    for key, text in _known_keys(file, table).items():
        if key not in written:
            yield Suggestion(key, "key", start, documentation=text, insert=f"{key} = ")


def _known_keys(file: OpenFile, table: Path) -> dict[str, str]:
    """The keys of a table → their descriptions."""
    if not table:
        top = field_texts(BundleBlueprint)
        return {_TOP_KEYS.get(name, name): top.get(name, "") for name in BundleBlueprint.model_fields}
    found = model_of(file.sketch, table)
    if found is None:
        return {}
    model, path = found
    keys = allowed_keys(model, path, {str(name.path[-1]): None for name in file.sketch.keys_below(table)})
    texts: dict[str, str] = {}
    for each in models_at(model, path):
        said = field_texts(each)
        for name, info in each.model_fields.items():
            texts[info.alias or name] = said.get(name, "")
    return {key: texts.get(key, "") for key in keys}


def key_text(file: OpenFile, path: Path) -> str:
    """The description of a key of a bundle."""
    return _known_keys(file, path[:-1]).get(str(path[-1]), "") if path else ""


# --- strings ----------------------------------------------------------------------------------------------------------


def _in_string(
    group: OpenMethod, around: OpenMethod, file: OpenFile, value: WrittenValue, offset: int
) -> Iterator[Suggestion]:
    before = file.text[value.inner_start : offset]
    word = _WORD.search(before)
    start = offset - (len(word[0]) if word is not None else 0)
    view = group.pipes.get(f"{file.domain}.{value.path[1]}") if value.path[:1] == ("pipe",) else None
    match site_at(value.path):
        case "concept" | "slot":
            yield from _concepts(around, file, start)
        case "pipe" | "outcome" as kind:
            yield from _pipes(around, file, start, is_own=value.path == ("main_pipe",))
            if kind == "outcome":
                yield Suggestion("fail", "word", start, "stop the run with an error")
                yield Suggestion("continue", "word", start, "run nothing; the output is absent")
        case "name" if view is not None:
            yield from (Suggestion(name, "name", start, slot) for name, slot in view.inputs.items())
        case "path" if view is not None:
            yield from _path(group, group.names(view), before, offset, {})
        case "template" | "expression" if view is not None:
            template = template_of(file, value)
            if template is not None:
                yield from _in_template(group, view, template, before, offset)
        case None:
            yield from _words(file, value, start)
        case _:
            pass


def _words(file: OpenFile, value: WrittenValue, start: int) -> Iterator[Suggestion]:
    found = model_of(file.sketch, value.path)
    if found is None:
        return
    model, path = found
    words = allowed_words(model, path)
    if value.path[:1] == ("pipe",) and path == ("type",):
        from pipelex.language.blueprints import PIPE_TYPES

        for name, each in PIPE_TYPES.items():
            yield Suggestion(name, "word", start, documentation=" ".join((each.__doc__ or "").split()))
        return
    if path[-1:] in (("item_type",), ("value_type",), ("key_type",)):
        words = allowed_words(model, (*path[:-1], "type"))
    yield from (Suggestion(word, "word", start) for word in words)


def _concepts(group: OpenMethod, file: OpenFile, start: int) -> Iterator[Suggestion]:
    for ref, (home, said) in group.concepts.items():
        code = ref.rpartition(".")[2]
        label = code if home.domain == file.domain else ref
        yield Suggestion(label, "concept", start, f"concept of {home.domain}", said)
    for code, native in NATIVE_CONCEPTS.items():
        yield Suggestion(code, "concept", start, "native concept", native.description)


def _pipes(group: OpenMethod, file: OpenFile, start: int, *, is_own: bool) -> Iterator[Suggestion]:
    for view in group.pipes.values():
        if is_own and view.file is not file:
            continue
        label = view.code if view.file.domain == file.domain else view.ref
        yield Suggestion(label, "pipe", start, f"{view.type or 'signature'} {view.contract}", view.description)


# --- templates and paths ----------------------------------------------------------------------------------------------


def _in_template(
    group: OpenMethod, view: PipeView, template: TemplateText, before: str, offset: int
) -> Iterator[Suggestion]:
    match = _DOTTED.search(before)
    is_code = template.is_expression or _is_in_tag(before)
    if match is None or (match["sigil"] is None and not is_code) or (match["sigil"] and is_code):
        return
    if match["sigil"] and (not template.has_sigils or re.search(r"\w\Z", before[: match.start()])):
        return
    bound = bound_at(TemplateText(before + "\0"), len(before)) if is_code else {}
    names = group.names(view) if view.type == "PipeSequence" else None
    known = (
        names if names is not None else {name: group.slot(slot, view.file.domain) for name, slot in view.inputs.items()}
    )
    yield from _path(group, known, match["path"], offset, bound)


def _is_in_tag(before: str) -> bool:
    return any(before.rfind(opening) > before.rfind(closing) for opening, closing in (("{{", "}}"), ("{%", "%}")))


def _path(
    group: OpenMethod,
    known: Mapping[str, PathEnd | None],
    written: str,
    offset: int,
    bound: Mapping[str, tuple[str, ...] | None],
) -> Iterator[Suggestion]:
    """Suggest the names that can start a path, or the fields that can continue it."""
    *names, last = written.split(".")
    start = offset - len(last)
    if not names:
        for name, reached in known.items():
            yield Suggestion(name, "name", start, "" if reached is None else kind_of_shape(reached.shape))
        for name, path in bound.items():
            reached = _reach(group, known, path) if path is not None else None
            yield Suggestion(name, "name", start, "" if reached is None else kind_of_shape(inner(reached.shape)))
        return
    base = bound.get(names[0], (names[0],))
    reached = None if base is None else _reach(group, known, (*base, *names[1:]))
    shape = None if reached is None else inner(reached.shape)
    if isinstance(shape, ObjectShape):
        for field in shape.fields:
            yield Suggestion(field.name, "field", start, field_line(field), field.description)


def _reach(group: OpenMethod, known: Mapping[str, PathEnd | None], path: tuple[str, ...]) -> PathEnd | None:
    root = known.get(path[0])
    return None if root is None else group.walk(root, path[1:])
