"""Asking for objects: how, by which schema, and what becomes of the answer."""

from pipelex.inference.chat.structured.check import SchemaCheck, findings_message, prompt_with_schema
from pipelex.inference.chat.structured.method import Method, structure_method
from pipelex.inference.chat.structured.reading import read_json
from pipelex.inference.chat.structured.schema import Schema, list_schema, pruned

__all__ = [
    "Method",
    "Schema",
    "SchemaCheck",
    "findings_message",
    "list_schema",
    "prompt_with_schema",
    "pruned",
    "read_json",
    "structure_method",
]
