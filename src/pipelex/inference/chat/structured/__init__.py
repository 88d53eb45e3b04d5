"""Asking for objects: the methods, the schemas, and reading and checking the answers."""

from pipelex.inference.chat.structured.check import faults_message
from pipelex.inference.chat.structured.method import Method, structure_method
from pipelex.inference.chat.structured.reading import read_candidates
from pipelex.inference.chat.structured.schema import Schema
from pipelex.inference.chat.structured.wanted import WantedObject, prompt_with_schema

__all__ = [
    "Method",
    "Schema",
    "WantedObject",
    "faults_message",
    "prompt_with_schema",
    "read_candidates",
    "structure_method",
]
