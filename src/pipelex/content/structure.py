"""Shapes: what the content of a concept looks like, and everything that follows from it.

A `Shape` is a small frozen description that the library makes from concepts. From it come the schema a model is asked
to satisfy, the check of a value where it enters, and made-up values for dry runs.

Source: MTHDS 8.0.0, sections 2 and 3 of the language reference.
"""

from pipelex.content._example import LIGHT_FIELDS, example
from pipelex.content._open import OpenList, open_parts
from pipelex.content._schema import json_schema
from pipelex.content._shapes import (
    AnyShape,
    ChoiceShape,
    DictShape,
    FieldShape,
    ListShape,
    ObjectShape,
    ScalarKind,
    ScalarShape,
    Shape,
    declared_field,
    nested_objects,
    reach,
    refined,
    shape_from_json,
    shape_to_json,
    to_plain_json,
)
from pipelex.content._validate import ContentError, describe, parse_scalar, plain_json, validate

__all__ = [
    "LIGHT_FIELDS",
    "AnyShape",
    "ChoiceShape",
    "ContentError",
    "DictShape",
    "FieldShape",
    "ListShape",
    "ObjectShape",
    "OpenList",
    "ScalarKind",
    "ScalarShape",
    "Shape",
    "declared_field",
    "describe",
    "example",
    "json_schema",
    "nested_objects",
    "open_parts",
    "parse_scalar",
    "plain_json",
    "reach",
    "refined",
    "shape_from_json",
    "shape_to_json",
    "to_plain_json",
    "validate",
]
