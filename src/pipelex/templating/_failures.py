"""Explains failures of templates to their authors: the place, and the kinds of the values."""

import re
from typing import Final

from jinja2 import Template

_LONGEST: Final = 80

_KINDS: Final = {
    "str": "a text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "list": "a list",
    "tuple": "a list",
    "dict": "an object",
    "mappingproxy": "an object",
    "NoneType": "nothing",
    "Markup": "a text",
    "IsoText": "a date or time",
    "ObjectValue": "a structured value",
    "ListValue": "a list",
    "OpenList": "a list",
    "MadeList": "a list",
    "MadeTuple": "a list",
    "MadeDict": "an object",
    "Missing": "nothing",
    "StrictMissing": "nothing",
    "Null": "nothing",
    "Turns": "a list",
    "generator": "a list",
    "method": "a method",
    "builtin_function_or_method": "a method",
    "Macro": "a macro",
}
"""Class names in Python's messages → words for the author."""

_CLASS: Final = re.compile(rf"""(?P<quote>['"]?)\b(?:{"|".join(sorted(_KINDS))})\b(?P=quote)(?: object)?""")
_INSTANCES: Final = re.compile(r"not supported between instances of (.+) and (.+)")


def plain_words(error: Exception) -> str:
    """The message of an exception that an expression raised, without class names."""
    text = str(error)
    if not isinstance(error, TypeError):
        return text or type(error).__name__
    text = _CLASS.sub(lambda match: _KINDS[match[0].removesuffix(" object").strip("'\"")], text)
    return _INSTANCES.sub(r"cannot be used between \1 and \2", text)


def place_of(error: BaseException, ready: Template, template: str) -> str:
    """The place where a template failed, as `, line 2: {{ … }}`; empty if it is not known."""
    line = None
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_globals.get("__jinja_template__") is ready:
            line = ready.get_corresponding_lineno(trace.tb_lineno)
        trace = trace.tb_next
    lines = template.splitlines()
    if line is None or not 1 <= line <= len(lines):
        return ""
    text = lines[line - 1].strip()
    shown = text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
    return f" (line {line} of the template: {shown})"
