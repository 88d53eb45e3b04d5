"""The JSON Schema of a bundle, derived from the blueprints that read one: for editors and other validators.

It says what one table alone can tell: keys, types, words. References, wiring and templates are the validator's matter.
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
"""The file beside a method that holds the schema; hidden, so that it is not a part of the method's tree."""

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
    """Put a table's schema, and those it uses, among the definitions."""
    definitions.update(schema.pop("$defs", {}))
    definitions[name] = schema
    return {"$ref": f"#/$defs/{name}"}


def models_at(model: type[BaseModel], path: Keys) -> list[type[BaseModel]]:
    """The models that a table at a path inside of a model may be."""
    found = annotations_at(model, path)
    return [each for each in found if isinstance(each, type) and issubclass(each, BaseModel)]
