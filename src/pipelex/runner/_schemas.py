"""The JSON Schemas of the files of a configuration folder, by the names that `pipelex config schema` uses."""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

Schema: TypeAlias = dict[str, Any]
"""A JSON Schema."""


def settings_schema() -> Schema:
    """The schema of `pipelex.toml` and of the files that override it."""
    from pipelex.config._sections import Sections
    from pipelex.config.json_schema import file_schema, table_schema
    from pipelex.mistral_workflows.config import MistralWorkflowsConfig
    from pipelex.temporal.config import TemporalConfig

    root = table_schema(Sections, takes_variables=True)
    temporal = table_schema(TemporalConfig, takes_variables=True)
    root["$defs"] |= temporal.pop("$defs")
    root["$defs"]["TemporalConfig"] = temporal
    description = "Durable, distributed execution on Temporal."
    root["properties"]["temporal"] = {"$ref": "#/$defs/TemporalConfig", "description": description}
    mistral = table_schema(MistralWorkflowsConfig, takes_variables=True)
    root["$defs"] |= mistral.pop("$defs")
    root["$defs"]["MistralWorkflowsConfig"] = mistral
    about = "Runs inside Mistral Workflows."
    root["properties"]["mistral_workflows"] = {"$ref": "#/$defs/MistralWorkflowsConfig", "description": about}
    return file_schema("pipelex.toml", "Settings of Pipelex; every key may be left out.", root)


def _of_inference(name: str) -> Callable[[], Schema]:
    def schema() -> Schema:
        from pipelex.inference.deck import json_schemas

        return getattr(json_schemas, f"{name}_schema")()

    return schema


CONFIG_SCHEMAS: Mapping[str, Callable[[], Schema]] = {
    "pipelex": settings_schema,
    "backends": _of_inference("backends"),
    "models": _of_inference("models"),
    "routing": _of_inference("routing"),
    "deck": _of_inference("deck"),
}
"""The kinds of files: `pipelex.toml`, `backends.toml`, `backends/<backend>.toml`, `routing_profiles.toml`, `deck/*.toml`."""
