"""Shapes: the structure of a concept's content, and everything that follows from it.

A `Shape` is a small frozen description that the library makes from concepts. The schema of a model's answer, the check
of incoming values and the made-up values of dry runs are derived from it.

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
