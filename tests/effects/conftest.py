from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.effects.http_stub import HTTPStub
from tests.support.openai_server import OpenAIStub
from tests.support.project import Project, write_project


@pytest.fixture
def stub() -> Iterator[OpenAIStub]:
    with OpenAIStub() as server:
        yield server


@pytest.fixture
def project(stub: OpenAIStub, tmp_path: Path) -> Project:
    return write_project(tmp_path, stub=stub.url)


@pytest.fixture
def service() -> Iterator[HTTPStub]:
    with HTTPStub() as server:
        yield server


KEY = "sk-very-secret-0123456789"


@pytest.fixture
def served(project: Project, service: HTTPStub) -> Project:
    """The project with every provider of searches and images at the stand-in."""
    inference = project.root / ".pipelex" / "inference"
    with (inference / "backends.toml").open("a", encoding="utf-8") as backends:
        for name in ("linkup", "tavily", "fal", "xai", "google", "paint"):
            backends.write(f'[{name}]\nendpoint = "{service.url}"\napi_key = "{KEY}"\n')
    (inference / "backends" / "paint.toml").write_text(PAINT, encoding="utf-8")
    (inference / "routing_profiles.toml").write_text(ROUTING, encoding="utf-8")
    return project


PAINT = """
[defaults]
model_type = "img_gen"
sdk        = "openai_img_gen"
inputs     = ["text", "images"]
outputs    = ["image"]
[painter]
model_id = "gpt-image-1"
[free-painter]
model_id = "gpt-image-2"
costs = { input = 1.0, output = 10.0 }
[blind-painter]
model_id = "gpt-image-2"
inputs = ["text"]
"""

ROUTING = """
active = "all"
[profiles.all]
description = "All"
default = "openai"
routes = { "linkup-*" = "linkup" }
fallback_order = ["paint", "fal", "xai", "google", "linkup", "tavily"]
"""
