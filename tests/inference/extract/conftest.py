import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from pipelex.config import load_settings
from pipelex.inference import ModelDeck
from pipelex.inference.extract import Extraction
from pipelex.pipes.effects.jobs import ExtractJob
from pipelex.pipes.effects.requests import ExtractRequest
from pipelex.pipes.models import ModelUsage, ResolvedModel
from pipelex.storage import FetchPolicy, Storage
from tests.support.inference_files import write

Json = Any

# ONNX Runtime spins its threads on both cores otherwise.
os.environ.setdefault("OMP_NUM_THREADS", "2")


class Bench:
    """An `Extraction` on a store of its own, asked in one line."""

    def __init__(self, root: Path, environ: Mapping[str, str], files: Mapping[str, str]) -> None:
        dirs = [write(root / "inference", **files)] if files else []
        settings = load_settings(cwd=root, environ={"HOME": str(root)})
        self.storage = Storage.open(settings.runtime.storage, root)
        self.deck = ModelDeck.load(dirs, environ)
        self.policy = FetchPolicy(is_guarded=False)
        self.extraction = Extraction(self.deck, self.storage, self.policy)
        self.usage: ModelUsage | None = None

    async def pages(
        self,
        source: bytes | str,
        model: str = "pypdfium2-extract-pdf",
        *,
        backend: str = "internal",
        filename: str | None = None,
        settings: dict[str, Json] | None = None,
        **request: Json,
    ) -> list[Json]:
        """The pages of some bytes, or of a URL."""
        url = source if isinstance(source, str) else (await self.storage.put(source, filename=filename)).uri
        content: dict[str, Json] = {"url": url, "filename": filename} if filename is not None else {"url": url}
        job = ExtractJob(
            model=ResolvedModel(handle=model, backend=backend, settings=settings or {}),
            request=ExtractRequest(source=content, source_kind="document", **request),
        )
        result = await self.extraction.extract_pages(ExtractJob.model_validate_json(job.model_dump_json()))
        self.usage = result.usage
        return list(result.contents)

    async def bytes_of(self, content: Json) -> bytes:
        """The bytes of an Image content."""
        return await self.storage.get(content["url"])


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path, {}, {})


@pytest.fixture
def bench_with(tmp_path: Path) -> Callable[..., Bench]:
    """A bench with inference files of its own."""

    def make(environ: Mapping[str, str] | None = None, **files: str) -> Bench:
        return Bench(tmp_path, environ or {}, files)

    return make


def text_of(page: Json) -> str:
    return page["text_and_images"]["text"]["text"]


def images_of(page: Json) -> list[Json]:
    return page["text_and_images"]["images"]
