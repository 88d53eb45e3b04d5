"""JSON Schemas (2020-12) of TOML files, made from the models that read them.

The description of a key is the text below its field, and that of a table the docstring of its model. The module is
imported only where schemas are written, because it reads the models' source files.
"""

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from itertools import pairwise
from typing import Any, Final, TypeAlias, cast, get_args

from pydantic import BaseModel

from pipelex.errors import Json

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

_VARIABLE: Final = {"type": "string", "pattern": r"\$\{", "description": "An environment variable: ${NAME}."}
_CONSTRAINTS: Final = ("enum", "const", "pattern", "format", "minLength", "maxLength")

Schema: TypeAlias = dict[str, Any]
"""A JSON Schema from pydantic, which is changed in place."""


def table_schema(model: type[BaseModel], *, takes_variables: bool = False) -> Schema:
    """The schema of one table; the models of inner tables are in `$defs`.

    Args:
        model: the model that reads the table.
        takes_variables: whether `${NAME}` may stand for a number, a boolean or one of several words.
    """
    schema = model.model_json_schema()
    models = {found.__name__: found for found in _models_of(model)}
    _describe(schema, model)
    for name, definition in schema.get("$defs", {}).items():
        if name in models:
            _describe(definition, models[name])
    _each_schema(schema, _without_null)
    if takes_variables:
        _each_schema(schema, _with_variables)
        schema["$defs"] = {**schema.get("$defs", {}), "Variable": dict(_VARIABLE)}
    return schema


def file_schema(name: str, description: str, schema: Mapping[str, Json]) -> Schema:
    """The schema of a whole file, from the schema of its root table.

    Args:
        name: the file's name, which becomes the title.
        description: the purpose of the file.
        schema: the file's root table.
    """
    rest = {key: value for key, value in schema.items() if key not in ("title", "description")}
    return {"$schema": DIALECT, "title": name, "description": description, **rest}


@cache
def field_texts(model: type[BaseModel]) -> Mapping[str, str]:
    """The texts below a model's fields, those of its bases included."""
    found: dict[str, str] = {}
    for base in reversed(model.__mro__):
        if issubclass(base, BaseModel) and base is not BaseModel:
            found.update(_texts_of(base))
    return found


def _texts_of(model: type[BaseModel]) -> Iterator[tuple[str, str]]:
    try:
        source = inspect.getsource(model)
    except OSError:  # the model was made at run time, and its fields have descriptions
        yield from ((name, field.description) for name, field in model.model_fields.items() if field.description)
        return
    (tree,) = ast.parse(textwrap.dedent(source)).body
    body = cast("ast.ClassDef", tree).body
    for field, text in pairwise(body):
        if not (isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)):
            continue
        if isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant):
            yield field.target.id, " ".join(str(text.value.value).split())


def _describe(schema: Schema, model: type[BaseModel]) -> None:
    texts = field_texts(model)
    schema.pop("title", None)
    if model.__doc__ is not None and "description" in schema:
        schema["description"] = " ".join(schema["description"].split())
    for name, field in model.model_fields.items():
        described: Schema | None = schema.get("properties", {}).get(field.alias or name)
        if described is None:
            continue
        tables = list(_models_in(field.annotation))
        text = texts.get(name) or (" ".join((tables[0].__doc__ or "").split()) if tables else "")
        if text:
            described["description"] = text
        if isinstance(described.get("default"), dict):
            del described["default"]  # the table's own keys say theirs


def _models_of(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    waiting, seen = [model], set[type[BaseModel]]()
    while waiting:
        current = waiting.pop()
        if current not in seen:
            seen.add(current)
            yield current
            for field in current.model_fields.values():
                waiting.extend(_models_in(field.annotation))


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models_in(part)


def _each_schema(schema: Schema, change: Callable[[Schema], None]) -> None:
    """Apply a change to every schema within a schema, the innermost first."""
    for value in [*_children(schema)]:
        _each_schema(value, change)
    change(schema)


def _children(schema: Schema) -> Iterator[Schema]:
    for key in ("properties", "patternProperties", "$defs"):
        yield from schema.get(key, {}).values()
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            yield schema[key]
    for key in ("anyOf", "oneOf", "allOf"):
        yield from schema.get(key, [])


def _without_null(schema: Schema) -> None:
    """Remove null from a schema: TOML has no null, and an absent key is left out."""
    if "default" in schema and schema["default"] is None:
        del schema["default"]
    choices: list[Schema] | None = schema.get("anyOf")
    if choices is None:
        return
    left = [choice for choice in choices if choice != {"type": "null"}]
    if len(left) > 1:
        schema["anyOf"] = left
        return
    del schema["anyOf"]
    for key, value in left[0].items():
        schema.setdefault(key, value)


def _with_variables(schema: Schema) -> None:
    is_scalar = schema.get("type") in ("integer", "number", "boolean")
    is_choice = "type" in schema and schema["type"] == "string" and any(key in schema for key in _CONSTRAINTS)
    if not is_scalar and not is_choice:
        return
    kept = {key: schema.pop(key) for key in ("title", "description", "default") if key in schema}
    value = dict(schema)
    schema.clear()
    schema.update(kept, anyOf=[value, {"$ref": "#/$defs/Variable"}])
