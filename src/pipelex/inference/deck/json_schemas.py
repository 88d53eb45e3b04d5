"""The JSON Schemas of the files under `.pipelex/inference/`."""

from typing import Final

from pipelex.config.json_schema import Schema, file_schema, table_schema
from pipelex.inference.deck.schema import BackendTable, DeckTables, ModelTable, RoutingFile

_HEADER: Final = {"type": "string", "description": "A header of the model's requests."}


def backends_schema() -> Schema:
    """The schema of `backends.toml`."""
    root = _named_tables(table_schema(BackendTable), "Backend")
    return file_schema("backends.toml", "Where models are reached: one table for each backend.", root)


def models_schema() -> Schema:
    """The schema of `backends/<backend>.toml`."""
    table = table_schema(ModelTable)
    del table["properties"]["headers"], table["required"]  # headers have a hyphen; `defaults` may have the rest
    table["patternProperties"] = {"-": _HEADER}
    root = _named_tables(table, "Model")
    defaults = {"$ref": "#/$defs/Model", "description": "What holds for every model that does not say otherwise."}
    root["properties"] = {"defaults": defaults}
    return file_schema("backends/<backend>.toml", "The models of one backend: one table for each.", root)


def routing_schema() -> Schema:
    """The schema of `routing_profiles.toml`."""
    return file_schema("routing_profiles.toml", "Which backend serves which model.", table_schema(RoutingFile))


def deck_schema() -> Schema:
    """The schema of `deck/*.toml`."""
    description = "Names for models: aliases, waterfalls, presets and defaults of each family."
    return file_schema("deck/*.toml", description, table_schema(DeckTables))


def _named_tables(table: Schema, name: str) -> Schema:
    """The schema of a file that contains only tables of one kind, each under its own name."""
    inner = table.pop("$defs", {})
    reference = {"$ref": f"#/$defs/{name}"}
    return {"type": "object", "additionalProperties": reference, "$defs": {**inner, name: table}}
