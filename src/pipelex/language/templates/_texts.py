"""Finds the texts that a short template can render to, if they are known before any run."""

from collections.abc import Callable, Iterable, Sequence
from itertools import product
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from pipelex.language.templates._analysis import parsed

if TYPE_CHECKING:
    from jinja2 import nodes

Texts: TypeAlias = frozenset[str] | None
"""Every text that can be the result; None if they are not known."""

_MOST_TEXTS: Final = 200
_TRUTHS: Final[Texts] = frozenset({"True", "False"})
_MAPPED: Final[dict[str, Callable[[str], str]]] = {
    "lower": str.lower,
    "upper": str.upper,
    "trim": str.strip,
    "capitalize": str.capitalize,
    "string": str,
    "format": str,
}


def possible_texts(template: str, value_of: Callable[[tuple[str, ...]], Texts]) -> Texts:
    """The texts that a template without sigils can render to, stripped; None if they are not known.

    Args:
        template: a condition as a template.
        value_of: returns the texts that the value at a dotted path can render to.
    """
    tree = parsed(template)
    if tree is None:
        return None
    found = _Teller(value_of).body(tree.body)
    return None if found is None else frozenset(text.strip() for text in found)


def _joined(parts: Iterable[Texts]) -> Texts:
    known: list[frozenset[str]] = []
    size = 1
    for part in parts:
        if part is None:
            return None
        known.append(part)
        size *= len(part)
        if size > _MOST_TEXTS:
            return None
    return frozenset("".join(pieces) for pieces in product(*known))


def _either(parts: Iterable[Texts]) -> Texts:
    found: frozenset[str] = frozenset()
    for part in parts:
        if part is None:
            return None
        found |= part
    return found


class _Teller:
    def __init__(self, value_of: Callable[[tuple[str, ...]], Texts]) -> None:
        self._value_of = value_of

    def body(self, body: "Sequence[nodes.Node]") -> Texts:
        return _joined(self._statement(node) for node in body)

    def _statement(self, node: "nodes.Node") -> Texts:
        from jinja2 import nodes

        match node:
            case nodes.Output():
                return _joined(self._expression(part) for part in node.nodes)
            case nodes.If():
                branches = [node.body, *(branch.body for branch in node.elif_), node.else_]
                return _either(self.body(branch) for branch in branches)
            case _:
                return None

    def _expression(self, node: "nodes.Node") -> Texts:
        from jinja2 import nodes

        match node:
            case nodes.TemplateData():
                return frozenset({node.data})
            case nodes.Const():
                return frozenset({"" if node.value is None else str(node.value)})
            case nodes.Name() | nodes.Getattr():
                path = _path(node)
                return None if path is None else self._value_of(path)
            case nodes.CondExpr():
                other = frozenset({""}) if node.expr2 is None else self._expression(node.expr2)
                return _either((self._expression(node.expr1), other))
            case nodes.Or() | nodes.And():
                return _either((self._expression(node.left), self._expression(node.right)))
            case nodes.Not() | nodes.Compare() | nodes.Test():
                return _TRUTHS
            case nodes.Concat():
                return _joined(self._expression(part) for part in node.nodes)
            case nodes.Filter():
                return self._filter(node)
            case _:
                return None

    def _filter(self, node: "nodes.Filter") -> Texts:
        from jinja2 import nodes

        given = None if node.node is None else self._expression(node.node)
        change: Any = _MAPPED.get(node.name)
        values = [argument.value for argument in node.args if isinstance(argument, nodes.Const)]
        if given is None or node.kwargs or len(values) != len(node.args):
            return None
        if change is not None and not values:
            return frozenset(change(text) for text in given)
        if node.name in ("default", "d") and values:
            return given | {str(values[0])}
        if node.name == "replace" and len(values) == 2:
            return frozenset(text.replace(str(values[0]), str(values[1])) for text in given)
        return None


def _path(node: "nodes.Node") -> tuple[str, ...] | None:
    from jinja2 import nodes

    names: list[str] = []
    while isinstance(node, nodes.Getattr):
        names.append(node.attr)
        node = node.node
    return (node.name, *reversed(names)) if isinstance(node, nodes.Name) else None
