"""The filters, tests and globals that a template may use.

Source: MTHDS 8.0.0, sections 9.3 and 9.4 of the language reference. The names are listed here instead of taken from
Jinja2 at run time, because a later release of Jinja2 must not extend the language, and most callers do not need to load
it.
"""

from typing import Final

_JINJA_FILTERS: Final = frozenset(
    {
        "abs",
        "attr",
        "batch",
        "capitalize",
        "center",
        "count",
        "d",
        "default",
        "dictsort",
        "e",
        "escape",
        "filesizeformat",
        "first",
        "float",
        "forceescape",
        "groupby",
        "indent",
        "int",
        "items",
        "join",
        "last",
        "length",
        "list",
        "lower",
        "map",
        "max",
        "min",
        "pprint",
        "reject",
        "rejectattr",
        "replace",
        "reverse",
        "round",
        "safe",
        "select",
        "selectattr",
        "slice",
        "sort",
        "string",
        "striptags",
        "sum",
        "title",
        "tojson",
        "trim",
        "truncate",
        "unique",
        "upper",
        "urlencode",
        "urlize",
        "wordcount",
        "wordwrap",
        "xmlattr",
    }
)

REFUSED_FILTERS: Final = frozenset({"random"})
"""Jinja2's filters that are refused because they are not deterministic."""

FILTERS_BY_CATEGORY: Final[dict[str, frozenset[str]]] = {
    "basic": _JINJA_FILTERS | {"format", "tag"},
    "expression": _JINJA_FILTERS | {"format"},
    "html": _JINJA_FILTERS | {"format", "tag", "escape_script_tag", "markdown"},
    "markdown": _JINJA_FILTERS | {"format", "tag", "escape_script_tag"},
    "mermaid": _JINJA_FILTERS | {"format"},
    "llm_prompt": _JINJA_FILTERS | {"format", "tag", "with_images"},
    "img_gen_prompt": _JINJA_FILTERS | {"format", "tag", "with_images"},
}
"""Category → the filters that its templates may use. `format` is Jinja2's own filter in `expression` and `mermaid`, and
the language's in the others."""

TESTS: Final = frozenset(
    {
        "!=",
        "<",
        "<=",
        "==",
        ">",
        ">=",
        "boolean",
        "callable",
        "defined",
        "divisibleby",
        "eq",
        "equalto",
        "escaped",
        "even",
        "false",
        "filter",
        "float",
        "ge",
        "greaterthan",
        "gt",
        "in",
        "integer",
        "iterable",
        "le",
        "lessthan",
        "lower",
        "lt",
        "mapping",
        "ne",
        "none",
        "number",
        "odd",
        "sameas",
        "sequence",
        "string",
        "test",
        "true",
        "undefined",
        "upper",
    }
)

GLOBALS: Final = frozenset({"range", "dict", "cycler", "joiner", "namespace"})

REFUSED_GLOBALS: Final = frozenset({"lipsum"})
"""Jinja2's globals that are refused because they are not deterministic."""
