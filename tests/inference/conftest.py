from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from pipelex.inference import Inference, InferenceOptions
from tests.inference.http_stub import HTTPStub
from tests.support.inference_files import write_stub_inference
from tests.support.openai_server import OpenAIStub
from tests.support.project import Project, write_project

KEY = "test-key-0123456789"


@pytest.fixture
def stub() -> Iterator[OpenAIStub]:
    with OpenAIStub(api_key=KEY) as server:
        yield server


@pytest.fixture
def inference_dir(stub: OpenAIStub, tmp_path: Path) -> Path:
    return write_stub_inference(tmp_path / "inference", stub.url, api_key=KEY)


@pytest_asyncio.fixture
async def inference(inference_dir: Path) -> AsyncIterator[Inference]:
    service = Inference.load([inference_dir], {}, InferenceOptions(call_timeout=1.0))
    yield service
    await service.aclose()


@pytest.fixture
def project(stub: OpenAIStub, tmp_path: Path) -> Project:
    return write_project(tmp_path, stub=stub.url)


@pytest.fixture
def service() -> Iterator[HTTPStub]:
    with HTTPStub() as server:
        yield server


SERVED_KEY = "sk-very-secret-0123456789"


@pytest.fixture
def served(project: Project, service: HTTPStub) -> Project:
    """The project with every provider of searches and images at the stand-in."""
    inference = project.root / ".pipelex" / "inference"
    with (inference / "backends.toml").open("a", encoding="utf-8") as backends:
        for name in ("linkup", "tavily", "fal", "xai", "google", "paint"):
            backends.write(f'[{name}]\nendpoint = "{service.url}"\napi_key = "{SERVED_KEY}"\n')
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
