"""Layered TOML settings with the origin of every value."""

from pipelex.config._check import KeyFault, Names, Section, inert_keys, known_keys, read_section
from pipelex.config._interpolation import Interpolated, interpolate
from pipelex.config._keys import dotted, lookup, split_dotted
from pipelex.config._load import load_settings
from pipelex.config._positions import Span, TomlPositions, locate
from pipelex.config._sections import (
    AzureStorage,
    BucketStorage,
    GoogleStorage,
    InferenceSettings,
    InterpreterSettings,
    LocalStorage,
    RunSettings,
    RuntimeSettings,
    StorageSettings,
)
from pipelex.config._settings import Layer, LayerKind, Origin, Settings, describe

__all__ = [
    "AzureStorage",
    "BucketStorage",
    "GoogleStorage",
    "InferenceSettings",
    "Interpolated",
    "InterpreterSettings",
    "KeyFault",
    "Layer",
    "LayerKind",
    "LocalStorage",
    "Names",
    "Origin",
    "RunSettings",
    "RuntimeSettings",
    "Section",
    "Settings",
    "Span",
    "StorageSettings",
    "TomlPositions",
    "describe",
    "dotted",
    "inert_keys",
    "interpolate",
    "known_keys",
    "load_settings",
    "locate",
    "lookup",
    "read_section",
    "split_dotted",
]
