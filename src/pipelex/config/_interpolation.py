"""`${NAME}` and `${NAME:-default}` in settings; `$${NAME}` stands for the text `${NAME}` itself.

`${secret:ID}` stands for a secret, if the environment provides secrets.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

from pipelex.config._keys import Path
from pipelex.errors import Json

SECRET = "secret:"
_VARIABLE = re.compile(rf"\$?\$\{{({SECRET}[A-Za-z0-9_.-]+|[A-Za-z_][A-Za-z0-9_]*)(?::-([^{{}}]*))?\}}")


@dataclass(frozen=True, slots=True)
class Interpolated:
    """A text with its variables filled in, and their names."""

    text: str
    """The text; variables without a value stay as they were written."""
    used: tuple[str, ...]
    """The names of all variables in the text; for a secret, the name of the variable that may hold it."""
    unset: tuple[str, ...]
    """The variables that have neither a value nor a default."""


def interpolate(text: str, environ: Mapping[str, str]) -> Interpolated:
    """Fill in the variables of a text. As in a shell, `:-` also applies to an empty variable."""
    used: list[str] = []
    unset: list[str] = []

    def fill(match: re.Match[str]) -> str:
        if match.group().startswith("$$"):
            return match.group()[1:]
        name, default = match.groups()
        shown = secret_variable(name.removeprefix(SECRET)) if name.startswith(SECRET) else name
        used.append(shown)
        value = environ.get(name)
        if default is not None:
            return value or default
        if value is None:
            unset.append(shown)
            return match.group()
        return value

    filled = _VARIABLE.sub(fill, text)
    return Interpolated(filled, tuple(used), tuple(unset))


def named_variables(value: Json) -> tuple[str, ...]:
    """The variables and secrets (`secret:ID`) in the texts of a value, as they are written, each once."""
    found: dict[str, None] = {}
    waiting: list[Json] = [value]
    while waiting:
        current = waiting.pop()
        if isinstance(current, str):
            matches = _VARIABLE.finditer(current) if "${" in current else ()
            found.update({match[1]: None for match in matches if not match[0].startswith("$$")})
        elif isinstance(current, Mapping):
            waiting.extend(cast("Mapping[str, Json]", current).values())
        elif isinstance(current, list):
            waiting.extend(current)
    return tuple(found)


def secret_variable(secret_id: str) -> str:
    """The environment variable that may hold a secret: `my-key` → `MY_KEY`."""
    return re.sub(r"\W", "_", secret_id).upper()


@dataclass(slots=True)
class Variables:
    """The variables that the settings use, by the path of the value. The index of an item is not part of the path."""

    used: dict[Path, tuple[str, ...]] = field(default_factory=dict[Path, tuple[str, ...]])
    unset: dict[Path, tuple[str, ...]] = field(default_factory=dict[Path, tuple[str, ...]])


def interpolate_all(value: Json, environ: Mapping[str, str], found: Variables, at: Path = ()) -> Json:
    """The value with the variables of all its texts filled in; the variables are added to `found`."""
    if isinstance(value, str):
        if "${" not in value:
            return value
        filled = interpolate(value, environ)
        if filled.used:
            found.used[at] = (*found.used.get(at, ()), *filled.used)
        if filled.unset:
            found.unset[at] = (*found.unset.get(at, ()), *filled.unset)
        return filled.text
    if isinstance(value, Mapping):
        table = cast("Mapping[str, Json]", value)
        return {key: interpolate_all(item, environ, found, (*at, key)) for key, item in table.items()}
    if isinstance(value, list):
        return [interpolate_all(item, environ, found, at) for item in value]
    return value
