from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from pipelex.inference import Inference, InferenceOptions
from tests.support.inference_files import write_stub_inference
from tests.support.openai_server import OpenAIStub

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
    service = Inference.load([inference_dir], {}, InferenceOptions(request_timeout=1.0))
    yield service
    await service.aclose()
