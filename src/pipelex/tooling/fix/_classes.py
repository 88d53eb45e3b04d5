"""Reads structures that older files keep in Python classes, without running them."""

import ast
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from pipelex.tooling.fix._python import parsed
from pipelex.tooling.fix._round import Table, words_of

_SIMPLE: Final = {
    "str": "text",
    "int": "integer",
    "float": "number",
    "bool": "boolean",
    "date": "date",
    "datetime": "datetime",
    "time": "time",
    "Decimal": "number",
    "HttpUrl": "text",
    "AnyUrl": "text",
    "EmailStr": "text",
    "dict": "dict",
    "Dict": "dict",
    "list": "list",
    "List": "list",
}
_CONTENTS: Final = {
    "TextContent": "Text",
    "NumberContent": "Number",
    "ImageContent": "Image",
    "PDFContent": "Document",
    "DocumentContent": "Document",
    "HtmlContent": "Html",
    "PageContent": "Page",
    "TextAndImagesContent": "TextAndImages",
}
"""Classes of the older runtime that structures use → the native concepts."""
_WRAPPERS: Final = frozenset({"Annotated", "Required", "Final"})
_NONE: Final = object()


class _Unsaid(Exception):
    """A type cannot be expressed in a structure table."""


@dataclass(frozen=True)
class _Source:
    """The classes of some sources, by name."""

    classes: dict[str, ast.ClassDef]

    def fields(self, name: str, seen: frozenset[str] = frozenset()) -> dict[str, Table]:
        found: dict[str, Table] = {}
        node = self.classes[name]
        for base in node.bases:
            inherited = _name(base)
            if inherited in self.classes and inherited not in seen:
                found |= self.fields(inherited, seen | {name})
        for statement in node.body:
            if not isinstance(statement, ast.AnnAssign) or not isinstance(statement.target, ast.Name):
                continue
            if _name(statement.annotation) != "ClassVar" and not statement.target.id.startswith("_"):
                found[statement.target.id] = self.field(statement.target.id, statement)
        return found

    def field(self, name: str, statement: ast.AnnAssign) -> Table:
        entry, is_optional = self.type(statement.annotation)
        default, description = _default_and_description(statement.value)
        table: Table = {**entry, "description": description or words_of(name)}
        if default is not None and default is not _NONE:
            table["default_value"] = default
        elif not is_optional and default is None:
            table["required"] = True
        return table

    def type(self, node: ast.expr) -> tuple[Table, bool]:
        """The keys of a field's table that express the type, and whether None is allowed."""
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            return self.type(ast.parse(node.value, mode="eval").body)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
            return self.union([node.left, node.right])
        name = _name(node)
        arguments = _arguments(node)
        if name == "Optional":
            return self.type(arguments[0])[0], True
        if name == "Union":
            return self.union(arguments)
        if name in _WRAPPERS and arguments:
            return self.type(arguments[0])
        if name == "Literal":
            return _choices([_constant(argument) for argument in arguments]), False
        if name in ("list", "List"):
            return self.list_of(arguments), False
        if name in ("dict", "Dict"):
            kinds = [_SIMPLE.get(_name(argument), "Any") for argument in arguments]
            key, value = kinds if len(kinds) == 2 else ("text", "Any")
            return {"type": "dict", "key_type": key if key != "Any" else "text", "value_type": value}, False
        if name in _SIMPLE:
            return {"type": _SIMPLE[name]}, False
        if name in self.classes:
            words = _enumeration(self.classes[name])
            return (_choices(words) if words else {"type": "concept", "concept_ref": name}), False
        if name in _CONTENTS:
            return {"type": "concept", "concept_ref": _CONTENTS[name]}, False
        raise _Unsaid(name)

    def union(self, nodes: Iterable[ast.expr]) -> tuple[Table, bool]:
        kinds = [node for node in nodes if not (isinstance(node, ast.Constant) and node.value is None)]
        if len(kinds) != 1:
            raise _Unsaid("union")
        return self.type(kinds[0])[0], True

    def list_of(self, arguments: list[ast.expr]) -> Table:
        if not arguments:
            return {"type": "list"}
        item, _ = self.type(arguments[0])
        if item.get("type") == "concept":
            return {"type": "list", "item_type": "concept", "item_concept_ref": item["concept_ref"]}
        return {"type": "list", "item_type": item.get("type", "text")}


def structures_of_source(sources: Iterable[str]) -> dict[str, dict[str, Table]]:
    """Class name → structure table, for every class whose fields can be expressed in one.

    Args:
        sources: the text of Python files; they are parsed, never run. Invalid ones are skipped.
    """
    classes: dict[str, ast.ClassDef] = {}
    for source in sources:
        tree = parsed(source)
        if tree is None:
            continue
        classes.update({node.name: node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)})
    found: dict[str, dict[str, Table]] = {}
    for name in classes:
        try:
            fields = _Source(classes).fields(name)
        except (_Unsaid, IndexError, SyntaxError, ValueError, RecursionError):
            continue
        if fields:
            found[name] = fields
    return found


def _name(node: ast.expr) -> str:
    if isinstance(node, ast.Subscript):
        return _name(node.value)
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _arguments(node: ast.expr) -> list[ast.expr]:
    if not isinstance(node, ast.Subscript):
        return []
    return list(node.slice.elts) if isinstance(node.slice, ast.Tuple) else [node.slice]


def _constant(node: ast.expr) -> Any:
    if isinstance(node, ast.Constant):
        return node.value
    raise _Unsaid("no constant")


def _choices(words: list[Any]) -> Table:
    if not words or not all(isinstance(word, str) for word in words):
        raise _Unsaid("choices")
    return {"choices": words}


def _enumeration(node: ast.ClassDef) -> list[str]:
    if not any(_name(base) in ("Enum", "StrEnum") for base in node.bases):
        return []
    values = [statement.value for statement in node.body if isinstance(statement, ast.Assign)]
    return [value.value for value in values if isinstance(value, ast.Constant) and isinstance(value.value, str)]


def _default_and_description(node: ast.expr | None) -> tuple[Any, str | None]:
    """A field's default and description. No default is None; a default that is None or from a factory is `_NONE`."""
    if node is None:
        return None, None
    if not isinstance(node, ast.Call):
        return _default(node), None
    default: Any = _default(node.args[0]) if node.args else None
    description: str | None = None
    for keyword in node.keywords:
        if keyword.arg == "default":
            default = _default(keyword.value)
        elif keyword.arg == "default_factory":
            default = _NONE
        elif keyword.arg == "description" and isinstance(keyword.value, ast.Constant):
            description = str(keyword.value.value)
    return default, description


def _default(node: ast.expr) -> Any:
    try:
        value = ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError):
        return _NONE  # a name or a call: a default that a table cannot express
    if value is ...:
        return None
    return value if isinstance(value, str | int | float | bool) else _NONE
