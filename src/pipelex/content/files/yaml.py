"""Reads YAML inputs. They have JSON's values, so `no` and `012` are texts, and a date stays as it is written."""

import re
from collections.abc import Hashable
from typing import Any, Final

import yaml

from pipelex.content.files.not_readable import NotReadable
from pipelex.content.stuff import Json

_SCALARS: Final = (
    ("null", r"(?:~|null|Null|NULL)$", "~nN"),
    ("bool", r"(?:true|True|TRUE|false|False|FALSE)$", "tTfF"),
    ("int", r"[-+]?(?:0|[1-9][0-9]*)$", "-+0123456789"),
    ("float", r"[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*)(?:[eE][-+]?[0-9]+)?$", "-+.0123456789"),
)
"""The plain scalars that are not texts, from the core schema of YAML 1.2: the tag, the pattern, and the possible first
characters."""


_HINTS: Final = {
    "mapping values are not allowed": "a text with a colon needs quotes",
    "'\\t' that cannot start": "indent lines with spaces, not tabs",
}
"""A part of the parser's message → the usual reason for the fault."""


class CoreLoader(yaml.SafeLoader):
    """Reads the core schema, and refuses aliases and duplicate keys."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 declared so by the base class

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            mark = _untyped(self).peek_event().start_mark
            raise NotReadable("must not use aliases (*name): write the value out", mark.line + 1, mark.column + 1)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Hashable, Any]:
        members: dict[Hashable, Any] = {}
        for key, value in node.value:
            mark = key.start_mark
            if not isinstance(key, yaml.ScalarNode):
                raise NotReadable("has a key that is not a name", mark.line + 1, mark.column + 1)
            name = str(self.construct_scalar(key))
            if name in members:
                raise NotReadable(f"gives the member '{name}' twice", mark.line + 1, mark.column + 1)
            members[name] = _untyped(self).construct_object(value, deep=True)
        return members


def _untyped(loader: object) -> Any:
    """The loader as `Any`, because the stubs leave out some of its methods."""
    return loader


for _name, _form, _first in _SCALARS:
    _untyped(CoreLoader).add_implicit_resolver(f"tag:yaml.org,2002:{_name}", re.compile(_form), [*_first])
_untyped(CoreLoader).add_implicit_resolver("tag:yaml.org,2002:null", re.compile("$"), [""])


def load_yaml(text: str) -> Json:
    """The value of a YAML document.

    Raises:
        NotReadable: the document is not valid, or has something that JSON does not have.
    """
    try:
        return yaml.load(text, CoreLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = (None, None) if mark is None else (mark.line + 1, mark.column + 1)
        problem = error.problem or error.context or ""
        hint = next((f": {hint}" for found, hint in _HINTS.items() if found in problem), "")
        raise NotReadable(f"is not valid YAML: {problem}{hint}", *place) from None
    except yaml.YAMLError as error:
        raise NotReadable(f"is not valid YAML: {' '.join(str(error).split())}") from None
