"""The JSON Schemas of configuration files: they agree with what reads the files."""

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

import pipelex
from pipelex.config._load import default_keys
from pipelex.runner import CONFIG_SCHEMAS
from tests.config.test_settings_values import CHANGES

Json = Any
PACKAGE = Path(pipelex.__file__).parent
DEPLOY = Path(__file__).parents[2] / "deploy"
INFERENCE = PACKAGE / "inference" / "defaults"
FILES: list[tuple[str, Path]] = [
    ("pipelex", PACKAGE / "config" / "defaults" / "pipelex.toml"),
    *(("pipelex", file) for file in sorted(DEPLOY.glob("*/.pipelex/pipelex*.toml"))),
    ("backends", INFERENCE / "backends.toml"),
    ("routing", INFERENCE / "routing_profiles.toml"),
    *(("models", file) for file in sorted((INFERENCE / "backends").glob("*.toml"))),
    *(("deck", file) for file in sorted((INFERENCE / "deck").glob("*.toml"))),
]
WRONG: list[tuple[str, str]] = [
    ("pipelex", "inference.transport_max_retrys = 1"),
    ("pipelex", 'inference.transport_max_retries = "two"'),
    ("pipelex", "inference.dry_run.image_urls = []"),
    ("pipelex", 'runtime.log.level = "LOUD"'),
    ("pipelex", 'temporal.worker_config.task_timeout = "soon"'),
    ("pipelex", "temporal.worker_config.task_timeout = 10"),
    ("pipelex", "temporal.payload_codec_config.size_threshold = 1048576"),
    ("backends", "ollama = 'http://localhost'"),
    ("backends", "[ollama]\nenabled = 'yes'"),
    ("models", "[one]\nsdk = 'openai'\nmax-tokens = 3"),
    ("models", "[one]\ninputs = ['smells']"),
    ("models", "[one]\nheaders = { a = 'b' }"),
    ("routing", "[profiles.one]\ndefault = 'openai'"),
    ("deck", "[llm.presets.one]\nmodel = 'm'"),
    ("deck", "[llm.waterfalls]\none = []"),
]


def faults(kind: str, text: str) -> list[str]:
    validator: Any = Draft202012Validator(CONFIG_SCHEMAS[kind]())
    return [error.message for error in validator.iter_errors(tomllib.loads(text))]


@pytest.mark.parametrize("kind", CONFIG_SCHEMAS)
def test_they_are_schemas_of_the_dialect_they_name(kind: str) -> None:
    schema = CONFIG_SCHEMAS[kind]()
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["title"].endswith(".toml")
    assert "null" not in json.dumps(schema)


@pytest.mark.matrix(fast=3)
@pytest.mark.parametrize(("kind", "file"), FILES, ids=lambda value: value.name if isinstance(value, Path) else value)
def test_files_that_are_read_fit(kind: str, file: Path) -> None:
    assert faults(kind, file.read_text(encoding="utf-8")) == []


@pytest.mark.matrix(fast=8)
@pytest.mark.parametrize(("key", "written"), [(key, written) for key, written, _ in CHANGES])
def test_values_that_are_read_fit(key: str, written: str) -> None:
    assert faults("pipelex", f"{key} = {written}") == []
    if not written.startswith(("[", "{")):
        assert faults("pipelex", f'{key} = "${{A_VARIABLE:-}}"') == []


@pytest.mark.parametrize(("kind", "text"), WRONG)
def test_what_is_refused_or_has_no_effect_does_not_fit(kind: str, text: str) -> None:
    assert faults(kind, text) != []


def test_every_default_of_the_packaged_file_is_said() -> None:
    schema = CONFIG_SCHEMAS["pipelex"]()
    said = {path for path, found in _keys(schema, schema) if "default" in found}
    untold = {key for key in default_keys() if not key.startswith("temporal.")} - said
    assert {key for key in untold if "effort_to_budget" not in key and "quality_to_steps" not in key} == {
        "runtime.log.package_levels"
    }


@pytest.mark.parametrize("kind", CONFIG_SCHEMAS)
def test_every_key_has_a_title_and_a_description(kind: str) -> None:
    schema = CONFIG_SCHEMAS[kind]()
    bare = [path for path, found in _keys(schema, schema) if "description" not in found]
    assert [path for path in bare if not path.startswith("temporal.")] == []


def _keys(schema: Json, root: Json, at: str = "") -> Iterator[tuple[str, Json]]:
    for name, found in _at_reference(schema, root).get("properties", {}).items():
        path = f"{at}.{name}" if at else name
        yield path, found
        yield from _keys(found, root, path)


def _at_reference(schema: Json, root: Json) -> Json:
    return root["$defs"][schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
