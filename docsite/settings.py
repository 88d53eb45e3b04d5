"""The page of all settings, made from the schemas of the settings files."""

import tomllib
from collections.abc import Iterator, Mapping
from importlib.resources import files
from typing import Any, Final, cast

from pipelex.runner import CONFIG_SCHEMAS

Schema = Mapping[str, Any]

_HEAD: Final = """# Settings

Every setting, with its type and its default. `pipelex config show --origin` prints what is in force and where it comes
from; [Configuration](../configuration.md) says which files there are and which of them wins. A string may hold
`${VARIABLE}` or `${VARIABLE:-default}`.
"""
_FILES: Final = {
    "pipelex": ("`pipelex.toml`", "In `.pipelex/` of a project, or in `~/.pipelex/`."),
    "backends": ("`inference/backends.toml`", "One table for each backend, that is, whoever serves models."),
    "models": ("`inference/backends/<backend>.toml`", "The models of a backend: one table for each, by its handle."),
    "routing": ("`inference/routing_profiles.toml`", "Which backend serves a model that several could serve."),
    "deck": ("`inference/deck/*.toml`", "Aliases, waterfalls, presets and defaults: the names that methods use."),
}


def settings_page() -> str:
    """The page as Markdown: a section for each file, and in it one for each table."""
    parts = [_HEAD]
    for name, make in CONFIG_SCHEMAS.items():
        title, text = _FILES[name]
        schema = make()
        known: Schema = _packaged() if name == "pipelex" else {}
        parts += [f"## {title}\n", f"{text}\n", *_tables(schema, schema.get("$defs", {}), "", known)]
    return "\n".join(parts)


def _packaged() -> Mapping[str, Any]:
    """The packaged default of every key of pipelex.toml, by its dotted name."""
    text = files("pipelex.config").joinpath("defaults", "pipelex.toml").read_text(encoding="utf-8")
    return dict(_flat(tomllib.loads(text), ""))


def _flat(table: Mapping[str, Any], path: str) -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        here = f"{path}.{key}" if path else key
        yield from _flat(cast("dict[str, Any]", value), here) if isinstance(value, dict) else [(here, value)]


def _tables(schema: Schema, defs: Schema, path: str, known: Mapping[str, Any]) -> Iterator[str]:
    """A table's keys, then the tables below it."""
    plain: list[str] = []
    below: list[tuple[str, Schema, str]] = []
    for name, found in schema.get("properties", {}).items():
        here = f"{path}.{name}" if path else name
        inner, is_map = _inner(found, defs)
        if inner is None:
            plain.append(f"| `{name}` | {_type(found, defs)} | {_default(here, found, known)} | {_text(found)} |")
        else:
            below.append((f"{here}.<name>" if is_map else here, inner, _text(found)))
    inner, _ = _inner(schema, defs) if not plain and not below else (None, False)
    if inner is not None:
        below.append((f"{path}.<name>" if path else "<name>", inner, ""))
    if plain:
        yield "| key | type | default | |\n|---|---|---|---|\n" + "\n".join(plain) + "\n"
    for here, inner, text in below:
        yield f"### `[{here}]`\n"
        if text := text or inner.get("description", ""):
            yield f"{text}\n"
        yield from _tables(inner, defs, here, known)


def _inner(found: Schema, defs: Schema) -> tuple[Schema | None, bool]:
    """The schema of the table that a key holds, and whether it is one of many by name; (None, False) for a value."""
    for option in _options(found, defs):
        if option.get("properties"):
            return option, False
        more = option.get("additionalProperties")
        if isinstance(more, dict):
            inner, _ = _inner(cast("Schema", more), defs)
            if inner is not None:
                return inner, True
    return None, False


def _options(found: Schema, defs: Schema) -> list[Schema]:
    """The schemas that a value may follow, references resolved, without the variable that may replace any value."""
    if "$ref" in found:
        name = found["$ref"].rpartition("/")[2]
        return [] if name == "Variable" else _options(defs[name], defs)
    if "anyOf" in found:
        return [each for option in found["anyOf"] for each in _options(option, defs)]
    return [found]


def _type(found: Schema, defs: Schema) -> str:
    words = [_word(option, defs) for option in _options(found, defs)]
    return " or ".join(dict.fromkeys(word for word in words if word))


def _word(option: Schema, defs: Schema) -> str:
    if "enum" in option or "const" in option:
        values = option.get("enum", [option.get("const")])
        return ", ".join(f"`{value}`" for value in values)
    if option.get("type") == "array":
        return f"list of {_type(option.get('items', {}), defs) or 'values'}"
    if option.get("type") == "object":
        more = option.get("additionalProperties")
        return f"table of {_type(cast('Schema', more), defs) or 'values'}" if isinstance(more, dict) else "table"
    if "unlimited" in str(option.get("pattern", "")):
        return "duration"
    kind = str(option.get("type", ""))
    return "true or false" if kind == "boolean" else kind


def _default(here: str, found: Schema, known: Mapping[str, Any]) -> str:
    value = known.get(here, found.get("default"))
    if value is None or value == "" or isinstance(value, dict):
        return ""
    text = {True: "true", False: "false"}.get(value, str(value)) if isinstance(value, bool) else str(value)
    return f"`{text}`".replace("|", "\\|")


def _text(found: Schema) -> str:
    return " ".join(str(found.get("description", "")).split()).replace("|", "\\|")
