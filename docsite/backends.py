"""The page of the packaged backends and models, made from the files that come with the package."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any, Final

from pipelex.inference.providers import BUILT_IN

_HEAD: Final = """# Backends and models

What comes with the package. A backend is there once its variable is set; [use a provider](../how-to/providers.md) says how
one of several is chosen, and [use an endpoint of your own](../how-to/endpoint.md) how to add one.
"""
_EXTRAS: Final = {entry.sdk: entry.extra for entry in BUILT_IN if entry.extra is not None}


def backends_page() -> str:
    """The page as Markdown: a table of the backends, then one of the models of each."""
    folder = files("pipelex.inference").joinpath("defaults")
    backends = _read(folder.joinpath("backends.toml"))
    rows = [f"| [{_title(name, table)}](#{name}) | {_keys(table)} |" for name, table in backends.items()]
    parts = [_HEAD, "| backend | key |\n|---|---|\n" + "\n".join(rows) + "\n"]
    for name, table in backends.items():
        parts.append(f"## {_title(name, table)} {{ #{name} }}\n")
        parts.extend(_models(folder.joinpath("backends", f"{name}.toml")))
    return "\n".join(parts)


def _read(file: Traversable) -> dict[str, dict[str, Any]]:
    return tomllib.loads(file.read_text(encoding="utf-8"))


def _title(name: str, table: Mapping[str, Any]) -> str:
    return f"{table.get('display_name', name)} (`{name}`)"


def _keys(table: Mapping[str, Any]) -> str:
    named = re.findall(r"\$\{([A-Z0-9_]+)\}", " ".join(str(value) for value in table.values()))
    return ", ".join(f"`{name}`" for name in dict.fromkeys(named)) or "none"


def _models(file: Traversable) -> Iterator[str]:
    if not file.is_file():
        return
    tables = _read(file)
    defaults = tables.pop("defaults", {})
    rows = [_row(handle, {**defaults, **table}) for handle, table in tables.items()]
    if rows:
        yield "| model | family | takes | gives | client |\n|---|---|---|---|---|\n" + "\n".join(rows) + "\n"


def _row(handle: str, table: Mapping[str, Any]) -> str:
    sdk = str(table.get("sdk", ""))
    client = f"`{sdk}`, extra `{_EXTRAS[sdk]}`" if sdk in _EXTRAS else f"`{sdk}`"
    cells = (f"`{handle}`", table.get("model_type", "llm"), _list(table, "inputs"), _list(table, "outputs"), client)
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def _list(table: Mapping[str, Any], key: str) -> str:
    return ", ".join(table.get(key, ()))
