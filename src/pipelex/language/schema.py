"""The JSON Schema of a bundle, for editors and other validators, derived from the blueprints that read bundles.

It covers what can be checked in one table: keys, types and words. Validation checks references, wiring and templates.
"""

from typing import Any, Final

from pydantic import BaseModel

from pipelex.config.json_schema import Schema, file_schema, table_schema
from pipelex.errors import Json
from pipelex.language._sentences import allowed_keys, allowed_words, annotations_at
from pipelex.language.blueprints import PIPE_TYPES, BundleBlueprint, ConceptBlueprint, Keys, PipeSignatureBlueprint
from pipelex.language.references import CONCEPT_CODE_PATTERN, DOMAIN_PATTERN, PIPE_CODE_PATTERN

__all__ = ["SCHEMA_NAME", "allowed_keys", "allowed_words", "bundle_schema", "models_at"]

SCHEMA_NAME: Final = ".mthds.schema.json"
"""The name of the schema's file beside a method; hidden files are not part of the method's tree."""

_DESCRIPTION: Final = "A bundle of the MTHDS standard: typed concepts and the pipes that work on them."


def bundle_schema() -> dict[str, Json]:
    """The schema of a `.mthds` file, in the dialect 2020-12."""
    root = table_schema(BundleBlueprint)
    root.pop("$defs", None)
    properties: dict[str, Any] = root["properties"]
    definitions: dict[str, Json] = {}
    properties["domain"]["pattern"] = f"^{DOMAIN_PATTERN.pattern}$"
    concept = _defined("Concept", table_schema(ConceptBlueprint), definitions)
    pipes = [
        _defined(name, table_schema(model), definitions)
        for name, model in {**PIPE_TYPES, "PipeSignature": PipeSignatureBlueprint}.items()
    ]
    properties["concept"] = {
        "description": properties.pop("concepts")["description"],
        "type": "object",
        "propertyNames": {"pattern": f"^{CONCEPT_CODE_PATTERN.pattern}$"},
        "additionalProperties": {"anyOf": [{"type": "string"}, concept]},
    }
    properties["pipe"] = {
        "description": properties.pop("pipes")["description"],
        "type": "object",
        "propertyNames": {"pattern": f"^{PIPE_CODE_PATTERN.pattern}$"},
        "additionalProperties": {"oneOf": pipes},
    }
    return file_schema("MTHDS bundle", _DESCRIPTION, {**root, "$defs": definitions})


def _defined(name: str, schema: Schema, definitions: dict[str, Json]) -> dict[str, Json]:
    """Add a table's schema, and the schemas that it uses, to the definitions, and return a reference to it."""
    definitions.update(schema.pop("$defs", {}))
    definitions[name] = schema
    return {"$ref": f"#/$defs/{name}"}


def models_at(model: type[BaseModel], path: Keys) -> list[type[BaseModel]]:
    """The models that a table at a path inside a model may have."""
    found = annotations_at(model, path)
    return [each for each in found if isinstance(each, type) and issubclass(each, BaseModel)]
