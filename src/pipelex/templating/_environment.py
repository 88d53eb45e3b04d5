"""The sandboxed Jinja2 environment, one for each category of templates."""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Final, NoReturn, cast

from jinja2 import Template, TemplateError, Undefined, nodes, pass_context
from jinja2.compiler import CodeGenerator
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Cycler, Joiner, Namespace
from jinja2.visitor import NodeTransformer

from pipelex.content.structure import AnyShape, OpenList
from pipelex.errors import ErrorCategory, PipelexError
from pipelex.language import COUNT_NAME
from pipelex.language.templates import code_size, expand_sigils
from pipelex.templating._budget import STATE, refuse
from pipelex.templating._calls import MOMENT_PARTS, call_checked, is_readable, join_texts, operate
from pipelex.templating._filters import CATEGORIES, filters_of
from pipelex.templating._missing import Missing, Null, StrictMissing
from pipelex.templating._tests import tests
from pipelex.templating._values import METADATA, MISSING, IsoText, Value, as_text, bare, wrap

_LONGEST_TEMPLATE: Final = 2_000_000
_MOST_CODE: Final = 100_000
"""The maximum number of characters of code between braces, because compiling it takes time."""

_FORBIDDEN_STATEMENTS: Final[dict[type[nodes.Node], str]] = {
    nodes.Include: "include",
    nodes.Import: "import",
    nodes.FromImport: "import",
    nodes.Extends: "extends",
}


class _TemplateGuard(NodeTransformer):
    """Refuses forbidden statements and names, and has loops, comparisons and new containers charged to the budget."""

    def visit(self, node: nodes.Node, *args: Any, **kwargs: Any) -> Any:
        statement = _FORBIDDEN_STATEMENTS.get(type(node))
        if statement is not None:
            refuse(statement, "templates stand alone")
        return super().visit(node, *args, **kwargs)

    def visit_Name(self, node: nodes.Name) -> nodes.Node:
        if node.name.startswith("_") and (node.name, node.ctx) != (COUNT_NAME, "load"):
            refuse(node.name, "names that start with '_' are private")
        return node

    def visit_Getattr(self, node: nodes.Getattr) -> nodes.Node:
        if node.attr.startswith("_") and node.attr not in METADATA:
            refuse(node.attr, "names that start with '_' are private")
        return self.generic_visit(node)

    def visit_For(self, node: nodes.For) -> nodes.Node:
        self.generic_visit(node)
        node.iter = _filtered(cast("nodes.Expr", node.iter), "turns!")
        return node

    def visit_Compare(self, node: nodes.Compare) -> nodes.Node:
        self.generic_visit(node)
        node.expr = _weighed(node.expr)
        for operand in node.ops:
            operand.expr = _weighed(operand.expr)
        return node

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Node:
        self.generic_visit(node)
        if isinstance(node.arg, nodes.Slice):
            node.node = _weighed(node.node)
        return node

    def visit_List(self, node: nodes.List) -> nodes.Node:
        self.generic_visit(node)
        return _filtered(node, "made!") if node.items else node

    def visit_Dict(self, node: nodes.Dict) -> nodes.Node:
        self.generic_visit(node)
        return _filtered(node, "made!") if node.items else node

    def visit_Tuple(self, node: nodes.Tuple) -> nodes.Node:
        self.generic_visit(node)
        return _filtered(node, "made!") if node.ctx == "load" and node.items else node

    def visit_Filter(self, node: nodes.Filter) -> nodes.Node:
        path = _dotted(node.node)
        self.generic_visit(node)
        if node.name == "tag" and path is not None and not node.args and not node.kwargs:
            keyword = nodes.Keyword("default_name", nodes.Const(path), lineno=node.lineno)
            node.kwargs = cast("list[nodes.Pair]", [keyword])
        return node


def _filtered(node: nodes.Expr, name: str) -> nodes.Filter:
    return nodes.Filter(node, name, [], [], None, None, lineno=node.lineno)


def _weighed(node: nodes.Expr) -> nodes.Expr:
    return node if isinstance(node, nodes.Const) else _filtered(node, "seen!")


def _dotted(node: nodes.Node | None) -> str | None:
    names: list[str] = []
    while isinstance(node, nodes.Getattr):
        names.append(node.attr)
        node = node.node
    return ".".join([node.name, *reversed(names)]) if isinstance(node, nodes.Name) else None


class _Generator(CodeGenerator):
    def visit_Concat(self, node: nodes.Concat, frame: Any) -> None:
        self.write("environment.join_parts(context, (")
        for part in node.nodes:
            self.visit(part, frame)
            self.write(", ")
        self.write("))")


def _join_buffer(chunks: Iterable[str]) -> str:
    found = list(chunks)
    state = STATE.get(None)
    if state is not None:
        state.write(sum(map(len, found)), "writing text")
        state.spend(len(found) // 16, "writing text")
    return "".join(found)


@pass_context
def _finalize(context: Any, value: Any) -> Any:
    text = as_text(value)
    STATE.get().write(len(text), "writing text")
    return text


class SandboxEnvironment(ImmutableSandboxedEnvironment):
    """Jinja for untrusted templates: no private names, only a few calls, and a budget for all work."""

    code_generator_class = _Generator
    concat = staticmethod(_join_buffer)  # type: ignore[assignment]
    intercepted_binops = frozenset({"+", "-", "*", "/", "//", "%", "**"})
    intercepted_unops = frozenset({"+", "-"})

    def __init__(self, category: str, *, strict: bool) -> None:
        super().__init__(
            # The optimiser would fold constants while compiling, without a budget.
            optimized=False,
            autoescape=category == "html",
            finalize=_finalize,
            undefined=StrictMissing if strict else Missing,
            cache_size=0,
        )
        self.filters = filters_of(category)
        self.tests = tests()
        self.globals = {
            "range": range,
            "dict": dict,
            "namespace": Namespace,
            "cycler": Cycler,
            "joiner": Joiner,
        }

    def _generate(self, source: nodes.Template, *args: Any, **kwargs: Any) -> str:
        return super()._generate(_TemplateGuard().visit(source), *args, **kwargs)

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        return operate(STATE.get(), operator, left, right, self.binop_table[operator])

    def call_unop(self, context: Any, operator: str, arg: Any) -> Any:
        return self.unop_table[operator](bare(arg))

    def call(__self, __context: Any, __obj: Any, *args: Any, **kwargs: Any) -> Any:
        return call_checked(__self, __context, STATE.get(), __obj, args, kwargs)

    def join_parts(self, context: Any, parts: tuple[Any, ...]) -> str:
        return join_texts(STATE.get(), parts, autoescape=bool(context.eval_ctx.autoescape))

    def getattr(self, obj: Any, attribute: str) -> Any:
        if attribute.startswith("_"):
            if isinstance(obj, Value) and attribute in METADATA:
                return obj.template_metadata(attribute)
            refuse(attribute, "names that start with '_' are private")
        if isinstance(obj, Value):
            return self._found(obj, attribute, obj.template_field(attribute))
        if isinstance(obj, Null):
            return obj.member(attribute)
        if isinstance(obj, Undefined):
            return getattr(obj, attribute)
        if _holds(obj, attribute):
            return wrap(AnyShape(), obj[attribute], attribute)
        if attribute == "items" and type(obj) is OpenList:
            return cast("Any", obj)
        if isinstance(obj, Namespace):
            return self._found(obj, attribute, getattr(obj, attribute, MISSING))
        if attribute in MOMENT_PARTS and isinstance(obj, IsoText):
            return self._found(obj, attribute, obj.part(attribute))
        if is_readable(obj, attribute):
            return self._found(obj, attribute, getattr(obj, attribute, MISSING))
        if type(obj).__name__ == "TemplateReference":
            return obj[attribute]
        if hasattr(obj, attribute):
            refuse(attribute, f"a template may not read it of a {type(obj).__name__}")
        return self.undefined(obj=obj, name=attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        argument = bare(argument)
        if isinstance(argument, str):
            # Only a subscript can read a mapping's key that starts with an underscore.
            return wrap(AnyShape(), obj[argument], argument) if _holds(obj, argument) else self.getattr(obj, argument)
        if _holds(obj, str(argument)):
            argument = str(argument)
        try:
            return obj[argument]
        except (TypeError, LookupError):
            return self.undefined(obj=obj, name=argument)

    def _found(self, obj: Any, name: str, value: Any) -> Any:
        return self.undefined(obj=obj, name=name) if value is MISSING else value


def _holds(obj: Any, key: str) -> bool:
    return isinstance(obj, dict) and key in obj


@lru_cache(maxsize=64)
def _environment(category: str, strict: bool) -> SandboxEnvironment:
    return SandboxEnvironment(category, strict=strict)


@lru_cache(maxsize=512)
def compiled(template: str, *, category: str, sigils: bool, strict: bool) -> Template:
    """The compiled template; the most recent few hundred are cached.

    Raises:
        PipelexError: `method.template_invalid` or `security.template_refused`.
    """
    if category not in CATEGORIES:
        _invalid(f"unknown template category '{category}': use one of {', '.join(sorted(CATEGORIES))}", "category")
    if sigils:
        template = expand_sigils(template)
    template = template.replace("\r\n", "\n").replace("\r", "\n")
    if len(template) > _LONGEST_TEMPLATE or code_size(template) > _MOST_CODE:
        _invalid("the template is too long", "too_long")
    try:
        return _environment(category, strict).from_string(template)
    except TemplateError as error:
        line = getattr(error, "lineno", None)
        place = f", line {line}" if line is not None else ""
        _invalid(f"the template is not valid{place}: {error.message or type(error).__name__}", "syntax")
    except PipelexError:
        raise
    except Exception as error:  # Jinja and Python's own compiler give up in many ways on hostile text
        _invalid(f"the template is not valid: it is nested too deeply or malformed ({type(error).__name__})", "syntax")


def _invalid(detail: str, finding: str) -> NoReturn:
    raise PipelexError("method.template_invalid", detail, category=ErrorCategory.CONTENT, params={"finding": finding})
