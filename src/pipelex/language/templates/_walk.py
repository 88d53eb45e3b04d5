"""A scope-aware walk over a template's syntax tree."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Final, TypeAlias

from jinja2 import nodes

from pipelex.errors import near_names
from pipelex.language._natives import COUNT_NAME, METADATA_NAMES, RUNTIME_NAMES
from pipelex.language.templates._facts import ITEM, TemplateFault, TemplateFaultKind, TemplateRead
from pipelex.language.templates._filters import GLOBALS, REFUSED_FILTERS, REFUSED_GLOBALS, TESTS

_MAX_DEPTH: Final = 100
_MAX_BRANCHES: Final = 200
"""The maximum number of branches of an `if`: a chain of `elif` nests in the Python code that a template is compiled
to."""

_Path: TypeAlias = tuple[str, ...] | None
"""What a name stands for: the trail of a value from outside, or None for anything else."""
_Guards: TypeAlias = frozenset[str]

_NO_GUARDS: Final[_Guards] = frozenset()
_SAME_ITEMS: Final = frozenset({"sort", "reverse", "list", "unique", "select", "reject", "selectattr", "rejectattr"})
"""Filters whose result has items of their input."""
_ONE_ITEM: Final = frozenset({"first", "last", "min", "max"})
"""Filters whose result is one of the items of their input."""
_TAKES_ATTRIBUTE: Final[dict[str, int | None]] = {
    "attr": 0, "map": None, "sort": 2, "groupby": 0, "unique": 1, "min": 1, "max": 1, "sum": 0, "join": 1,
    "selectattr": 0, "rejectattr": 0,
}  # fmt: skip
"""Filters that take an attribute's name → the position of that argument; None if it is a keyword argument."""
_REFUSED_STATEMENTS: Final[dict[type[nodes.Node], str]] = {
    nodes.Include: "include",
    nodes.Import: "import",
    nodes.FromImport: "from … import",
    nodes.Extends: "extends",
}
_OF_PRESENCE: Final = frozenset({"defined", "undefined", "none"})
"""Tests that check whether there is a value."""
_MACRO_NAMES: Final = ("caller", "varargs", "kwargs")


class _TooDeep(Exception):
    pass


class Walker:
    """Collects the reads and the faults of one parsed template."""

    def __init__(
        self,
        declared: frozenset[str],
        filters: frozenset[str],
        category: str,
        names: dict[tuple[int, str], list[int]],
    ) -> None:
        self.reads: list[TemplateRead] = []
        self.faults: list[TemplateFault] = []
        self._declared = declared
        self._filters = filters
        self._category = category
        self._names = names
        self._used: dict[tuple[int, str], int] = {}
        self._scopes: list[dict[str, _Path]] = [{}]
        self._depth = 0
        self._last_offset = 0

    def walk(self, tree: nodes.Template) -> bool:
        """Walk the tree; False if it is nested too deeply to be walked to its end."""
        try:
            self._statements(tree.body, _NO_GUARDS)
        except (_TooDeep, RecursionError):
            return False
        return True

    # --- names

    def _bind(self, target: nodes.Node, path: _Path) -> None:
        if isinstance(target, nodes.Name):
            self._offset(target, target.name)  # so the next search for that name starts after it
            self._scopes[-1][target.name] = path
        elif isinstance(target, nodes.Tuple):
            for item in target.items:
                self._bind(item, None)

    def _is_bound(self, name: str) -> bool:
        return any(name in scope for scope in self._scopes)

    def _bound_path(self, name: str) -> _Path:
        return next(scope[name] for scope in reversed(self._scopes) if name in scope)

    def _offset(self, node: nodes.Node, name: str) -> int:
        key = (node.lineno, name)
        offsets = self._names.get(key)
        if not offsets:
            return self._last_offset
        index = self._used.get(key, 0)
        self._used[key] = index + 1
        self._last_offset = offsets[min(index, len(offsets) - 1)]
        return self._last_offset

    def _report(
        self, kind: TemplateFaultKind, message: str, offset: int, name: str, near: tuple[str, ...] = ()
    ) -> None:
        self.faults.append(TemplateFault(kind, message, offset, name, near))

    def _private(self, name: str, offset: int) -> None:
        if name.startswith("_") and name not in METADATA_NAMES:
            self._report("private_name", f"'{name}': a template cannot read names that start with '_'", offset, name)

    # --- statements

    def _statements(self, body: Iterable[nodes.Node], guards: _Guards) -> None:
        for node in body:
            self._statement(node, guards)

    def _inner(self, body: Iterable[nodes.Node], guards: _Guards, names: Iterable[str] = ()) -> None:
        self._scopes.append(dict.fromkeys(names))
        self._statements(body, guards)
        self._scopes.pop()

    def _statement(self, node: nodes.Node, guards: _Guards) -> None:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise _TooDeep
        match node:
            case nodes.Output():
                for part in node.nodes:
                    self._expression(part, guards)
            case nodes.If():
                self._if(node, guards)
            case nodes.For():
                self._for(node, guards)
            case nodes.Assign():
                path = self._expression(node.node, guards)
                self._target(node.target, path, guards)
            case nodes.AssignBlock():
                if node.filter is not None:
                    self._expression(node.filter, guards)
                self._inner(node.body, guards)
                self._target(node.target, None, guards)
            case nodes.Macro():
                self._scopes[-1][node.name] = None
                self._macro(node, guards)
            case nodes.CallBlock():
                self._expression(node.call, guards)
                self._macro(node, guards)
            case nodes.With():
                self._with(node, guards)
            case nodes.FilterBlock():
                self._expression(node.filter, guards)
                self._inner(node.body, guards)
            case nodes.Block():
                self._inner(node.body, guards, ("self", "super"))
            case nodes.Scope():
                self._inner(node.body, guards)
            case _:
                self._other_statement(node, guards)
        self._depth -= 1

    def _other_statement(self, node: nodes.Node, guards: _Guards) -> None:
        word = _REFUSED_STATEMENTS.get(type(node))
        if word is not None:
            self._report("refused", f"'{word}' is not available in templates", self._last_offset, word)
            return
        for child in node.iter_child_nodes():
            if isinstance(child, nodes.Expr):
                self._expression(child, guards)
            else:
                self._statement(child, guards)

    def _target(self, target: nodes.Node, path: _Path, guards: _Guards) -> None:
        if isinstance(target, nodes.NSRef):
            self._expression(nodes.Name(target.name, "load", lineno=target.lineno), guards)
        else:
            self._bind(target, path)

    def _if(self, node: nodes.If, guards: _Guards) -> None:
        if len(node.elif_) > _MAX_BRANCHES:
            raise _TooDeep
        start = len(self.reads)
        before = dict(self._scopes[-1])
        endings: list[dict[str, _Path]] = []
        for branch in (node, *node.elif_):
            self._truth_of(branch.test, guards)
            when_true, when_false = self._truth(branch.test)
            endings.append(self._branch(branch.body, guards | when_true, before))
            guards = guards | when_false
        endings.append(self._branch(node.else_, guards, before))
        self._scopes[-1] = _joined(endings)
        self._settle_truths(start)

    def _branch(self, body: Iterable[nodes.Node], guards: _Guards, before: dict[str, _Path]) -> dict[str, _Path]:
        """Walk one branch, and return what names stand for at its end."""
        self._scopes[-1] = dict(before)
        self._statements(body, guards)
        return self._scopes[-1]

    def _truth_of(self, node: nodes.Node, guards: _Guards) -> None:
        """Walk an expression of which only the truth matters."""
        start = len(self.reads)
        path = self._expression(node, guards, is_tested=True)
        if (
            path is not None
            and isinstance(node, nodes.Name | nodes.Getattr | nodes.Getitem)
            and len(self.reads) > start
        ):
            self.reads[-1] = replace(self.reads[-1], truth="unread")

    def _settle_truths(self, start: int) -> None:
        """Mark each value whose truth was tested since `start` and that was also read."""
        read = [each.trail for each in self.reads[start:] if each.truth is None]
        for index in range(start, len(self.reads)):
            asked = self.reads[index]
            if asked.truth == "unread" and any(trail[: len(asked.trail)] == asked.trail for trail in read):
                self.reads[index] = replace(asked, truth="read")

    def _for(self, node: nodes.For, guards: _Guards) -> None:
        path = self._expression(node.iter, guards)
        self._scopes.append({"loop": None})
        self._bind(node.target, None if path is None else (*path, ITEM))
        if node.test is not None:
            self._truth_of(node.test, guards)
            guards = guards | self._truth(node.test)[0]
        self._statements(node.body, guards)
        self._scopes.pop()
        self._inner(node.else_, guards)

    def _macro(self, node: nodes.Macro | nodes.CallBlock, guards: _Guards) -> None:
        for default in node.defaults:
            self._expression(default, guards)
        arguments = [argument.name for argument in node.args]
        for argument in node.args:
            self._offset(argument, argument.name)
        self._inner(node.body, guards, (*arguments, *_MACRO_NAMES))

    def _with(self, node: nodes.With, guards: _Guards) -> None:
        paths = [self._expression(value, guards) for value in node.values]
        self._scopes.append({})
        for target, path in zip(node.targets, paths, strict=True):
            self._bind(target, path)
        self._statements(node.body, guards)
        self._scopes.pop()

    # --- expressions

    def _expression(
        self, node: nodes.Node, guards: _Guards, *, is_tested: bool = False, is_with_images: bool = False
    ) -> _Path:
        """Record what an expression reads, and return the path that it stands for; None if it is not a path."""
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise _TooDeep
        path: _Path = None
        match node:
            case nodes.Name() | nodes.Getattr() | nodes.Getitem():
                path = self._read(node, guards, is_tested=is_tested, is_with_images=is_with_images)
            case nodes.Filter():
                path = self._filter(node, guards)
            case nodes.Test():
                self._test(node, guards)
            case nodes.Call():
                self._call(node, guards)
            case nodes.CondExpr():
                self._condition(node, guards)
            case nodes.And() | nodes.Or():
                start = len(self.reads)
                if is_tested or isinstance(node, nodes.And):
                    self._truth_of(node.left, guards)
                else:  # `note or 'none'` is the note itself, where there is one
                    self._expression(node.left, guards, is_tested=True)
                when_true, when_false = self._truth(node.left)
                more = when_true if isinstance(node, nodes.And) else when_false
                if is_tested:
                    self._truth_of(node.right, guards | more)
                else:
                    self._expression(node.right, guards | more)
                self._settle_truths(start)
            case nodes.Not():
                self._truth_of(node.node, guards)
            case nodes.Compare() if (compared := _compared_with_none(node)) is not None:
                self._expression(compared, guards, is_tested=True)
            case _:
                for child in node.iter_child_nodes():
                    self._expression(child, guards)
        self._depth -= 1
        return path

    def _read(
        self, node: nodes.Expr, guards: _Guards, *, is_tested: bool, is_with_images: bool, dropped: int = 0
    ) -> _Path:
        base, steps, is_static = self._unwind(node, guards)
        if dropped:
            steps = steps[:-dropped] if is_static else steps
        if not isinstance(base, nodes.Name):
            return self._read_on(base, steps, guards, is_static=is_static)
        root: _Path = (base.name,)
        offset = self._offset(base, base.name)
        if self._is_bound(base.name):
            root = self._bound_path(base.name)
        elif not self._is_from_outside(base.name, offset):
            root = None
        if root is None:
            return None
        path = (*root, *steps)
        is_guarded = is_tested or path[0] in guards
        self.reads.append(TemplateRead(path, offset, is_guarded, is_with_images))
        return path if is_static else None

    def _read_on(self, base: nodes.Node, steps: tuple[str, ...], guards: _Guards, *, is_static: bool) -> _Path:
        """Record a read that continues from the result of an expression: `(notes|first).text`."""
        if isinstance(base, nodes.Const | nodes.TemplateData):
            return None
        start = len(self.reads)
        path = self._expression(base, guards)
        if path is None or len(self.reads) == start:
            return None
        trail = (*path, *steps)
        if steps:
            self.reads.append(replace(self.reads[start], trail=trail, truth=None))
        return trail if is_static else None

    def _is_from_outside(self, name: str, offset: int) -> bool:
        if name in self._declared:
            return True
        if name in REFUSED_GLOBALS:
            self._report("refused", f"'{name}' is not available in templates: its text is random", offset, name)
            return False
        if name == COUNT_NAME:
            return False
        if name.startswith("_"):
            message = f"'{name}': a template cannot read variables that start with '_'"
            self._report("private_name", message, offset, name)
            return False
        return name not in GLOBALS and name not in RUNTIME_NAMES

    def _unwind(self, node: nodes.Expr, guards: _Guards) -> tuple[nodes.Node, tuple[str, ...], bool]:
        """The start of a chain of attributes and subscripts, its static steps, and whether all steps are static."""
        links: list[nodes.Getattr | nodes.Getitem] = []
        while isinstance(node, nodes.Getattr | nodes.Getitem):
            links.append(node)
            node = node.node
        if len(links) > _MAX_DEPTH:
            raise _TooDeep
        steps: list[str] = []
        is_static = True
        for link in reversed(links):
            if isinstance(link, nodes.Getattr):
                self._private(link.attr, self._last_offset)
                name: str | None = link.attr
            elif isinstance(link.arg, nodes.Const):
                name = link.arg.value if isinstance(link.arg.value, str) else ITEM
            elif isinstance(link.arg, nodes.Slice):
                self._expression(link.arg, guards)
                name = None
            else:
                self._expression(link.arg, guards)
                is_static = False
                name = None
            if is_static and name is not None:
                steps.append(name)
        return node, tuple(steps), is_static

    def _condition(self, node: nodes.CondExpr, guards: _Guards) -> None:
        start = len(self.reads)
        self._truth_of(node.test, guards)
        when_true, when_false = self._truth(node.test)
        self._expression(node.expr1, guards | when_true)
        if node.expr2 is not None:
            self._expression(node.expr2, guards | when_false)
        self._settle_truths(start)

    def _call(self, node: nodes.Call, guards: _Guards) -> None:
        function = node.node
        if isinstance(function, nodes.Getattr):
            # A method is not a field: `note.upper()` reads `note`.
            self._read(function, guards, is_tested=False, is_with_images=False, dropped=1)
        else:
            self._expression(function, guards)
        self._arguments(node, guards)

    def _filter(self, node: nodes.Filter, guards: _Guards) -> _Path:
        path: _Path = None
        if node.node is not None:
            path = self._expression(node.node, guards, is_with_images=node.name == "with_images")
        if node.name not in self._filters:
            self._unknown_filter(node.name)
        if node.name in _TAKES_ATTRIBUTE:
            self._attributes(node, path, guards)
        self._arguments(node, guards)
        if path is None or node.name in _SAME_ITEMS:
            return path
        return (*path, ITEM) if node.name in _ONE_ITEM else None

    def _unknown_filter(self, name: str) -> None:
        if name in REFUSED_FILTERS:
            self._report(
                "refused", f"the filter '{name}' is not available: its result is random", self._last_offset, name
            )
            return
        near = near_names(name, sorted(self._filters))
        hint = f": did you mean {' or '.join(repr(word) for word in near)}?" if near else ""
        message = f"unknown filter '{name}' in a template of category '{self._category}'{hint}"
        self._report("unknown_filter", message, self._last_offset, name, near)

    def _attributes(self, node: nodes.Filter, path: _Path, guards: _Guards) -> None:
        """Record the attributes that a filter's arguments name as reads of the value or of its items."""
        position = _TAKES_ATTRIBUTE[node.name]
        named = [keyword.value for keyword in node.kwargs if keyword.key == "attribute"]
        if position is not None:
            named += node.args[position : position + 1]
        for value in [*named, *(argument for argument in node.args[:1] if argument not in named)]:
            self._check_attribute_name(value)
        for value in named:
            if path is not None and isinstance(value, nodes.Const) and isinstance(value.value, str):
                start = path if node.name == "attr" else (*path, ITEM)
                for name in value.value.split(","):
                    parts = tuple(ITEM if part.isdigit() else part for part in name.strip().split("."))
                    self.reads.append(TemplateRead((*start, *parts), self._last_offset, start[0] in guards))

    def _check_attribute_name(self, value: nodes.Node) -> None:
        if isinstance(value, nodes.Const) and isinstance(value.value, str):
            for part in value.value.split("."):
                self._private(part, self._last_offset)

    def _test(self, node: nodes.Test, guards: _Guards) -> None:
        self._expression(node.node, guards, is_tested=node.name in _OF_PRESENCE)
        if node.name not in TESTS:
            near = near_names(node.name, sorted(TESTS))
            hint = f": did you mean {' or '.join(repr(word) for word in near)}?" if near else ""
            self._report("unknown_test", f"unknown test '{node.name}'{hint}", self._last_offset, node.name, near)
        self._arguments(node, guards)

    def _arguments(self, node: nodes.Call | nodes.Filter | nodes.Test, guards: _Guards) -> None:
        for argument in node.args:
            self._expression(argument, guards)
        for keyword in node.kwargs:
            self._expression(keyword.value, guards)
        for spread in (node.dyn_args, node.dyn_kwargs):
            if spread is not None:
                self._expression(spread, guards)

    # --- guards

    def _truth(self, node: nodes.Node, depth: int = 0) -> tuple[_Guards, _Guards]:
        """The roots that are known to be present when an expression is true, and when it is false."""
        if depth > _MAX_DEPTH:
            raise _TooDeep
        match node:
            case nodes.Name() | nodes.Getattr() | nodes.Getitem():
                return self._roots(node), _NO_GUARDS
            case nodes.Test() if node.name == "defined":
                return self._roots(node.node), _NO_GUARDS
            case nodes.Test() if node.name in ("undefined", "none"):
                return _NO_GUARDS, self._roots(node.node)
            case nodes.Compare() if (compared := _compared_with_none(node)) is not None:
                roots = self._roots(compared)
                return (_NO_GUARDS, roots) if node.ops[0].op == "eq" else (roots, _NO_GUARDS)
            case nodes.Not():
                when_true, when_false = self._truth(node.node, depth + 1)
                return when_false, when_true
            case nodes.And() | nodes.Or():
                left_true, left_false = self._truth(node.left, depth + 1)
                right_true, right_false = self._truth(node.right, depth + 1)
                if isinstance(node, nodes.And):
                    return left_true | right_true, left_false & right_false
                return left_true & right_true, left_false | right_false
            case _:
                return _NO_GUARDS, _NO_GUARDS

    def _roots(self, node: nodes.Node) -> _Guards:
        while isinstance(node, nodes.Getattr | nodes.Getitem):
            node = node.node
        if not isinstance(node, nodes.Name):
            return _NO_GUARDS
        if not self._is_bound(node.name):
            return frozenset({node.name})
        path = self._bound_path(node.name)
        return _NO_GUARDS if path is None else frozenset({path[0]})


def _joined(endings: list[dict[str, _Path]]) -> dict[str, _Path]:
    """What names stand for where branches meet: None for a name on which the branches do not agree."""
    names = dict.fromkeys(name for ending in endings for name in ending)
    found: dict[str, _Path] = {}
    for name in names:
        paths = {ending.get(name) for ending in endings}
        found[name] = paths.pop() if len(paths) == 1 else None
    return found


def _compared_with_none(node: nodes.Compare) -> nodes.Expr | None:
    """The value that `… == none` or `none != …` compares; None for every other comparison."""
    if len(node.ops) != 1 or node.ops[0].op not in ("eq", "ne"):
        return None
    left, right = node.expr, node.ops[0].expr
    if isinstance(right, nodes.Const) and right.value is None:
        return left
    return right if isinstance(left, nodes.Const) and left.value is None else None
