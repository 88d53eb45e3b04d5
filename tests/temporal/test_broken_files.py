"""Files that are broken fail alike in this process and on a worker, at once, and before a provider is paid."""

import base64
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from pipelex.content.files.kinds import type_of_extension
from pipelex.errors import PipelexError
from pipelex.runner import Pipelex
from tests.support.archives import BREAKS, OFFICE
from tests.support.openai_server import OpenAIStub
from tests.support.pictures import flipped, noise, saved
from tests.support.project import Project, worker_of
from tests.support.untyped import untyped

READ = """
domain = "harbour"

[pipe.read]
type = "PipeExtract"
description = "Read"
inputs = { document = "Document" }
output = "Page[]"
model = "@default-extract-document"

[pipe.draw]
type = "PipeImgGen"
description = "Draw"
inputs = { photo = "Image" }
output = "Image"
prompt = "Draw {{ photo }}"
model = "painter"
"""
PAINTER = """
[painter]
model_type = "img_gen"
sdk = "openai_img_gen"
model_id = "gpt-image-2"
inputs = ["text", "images"]
outputs = ["image"]
"""


@pytest_asyncio.fixture(params=["direct", "temporal"])
async def either(project: Project, stub: OpenAIStub, request: pytest.FixtureRequest) -> AsyncIterator[Pipelex]:
    """The project's runtime on each orchestrator, with a model that draws."""
    inference = project.root / ".pipelex" / "inference"
    (inference / "backends" / "paint.toml").write_text(PAINTER, encoding="utf-8")
    with (inference / "backends.toml").open("a", encoding="utf-8") as backends:
        backends.write(f'[paint]\nendpoint = "{stub.url}"\napi_key = "k"\n')
    with (inference / "routing_profiles.toml").open("a", encoding="utf-8") as routes:
        routes.write('fallback_order = ["paint"]\n')
    async with project.app(request.param) as app:
        if request.param == "direct":
            yield app
        else:
            async with worker_of(app):
                yield app


def file(data: bytes, name: str) -> dict[str, str]:
    """A file, given by its bytes and the type that its name stands for."""
    return {"url": f"data:{type_of_extension(name)};base64,{base64.b64encode(data).decode()}"}


@pytest.mark.parametrize(("form", "broken"), [("docx", "damaged"), ("xlsx", "encrypted"), ("pptx", "too new")])
async def test_an_office_file(either: Pipelex, project: Project, form: str, broken: str) -> None:
    change, said = BREAKS[broken]
    document = {"document": file(change(OFFICE[form]("Hello")), f"a.{form}")}
    with pytest.raises(PipelexError, match=said) as caught:
        await either.load(project.method(READ)).run(document, pipe="read")
    assert (caught.value.code, caught.value.report.is_retryable) == ("input.file_unreadable", False)


@pytest.mark.parametrize(
    ("photo", "filename"),
    [(saved(noise(), "JPEG")[:-900], "cut.jpg"), (flipped(saved(noise(), "PNG")), "damaged.png")],
    ids=["cut", "damaged"],
)
async def test_a_reference_image(
    either: Pipelex, project: Project, stub: OpenAIStub, photo: bytes, filename: str
) -> None:
    with pytest.raises(PipelexError) as caught:
        await either.load(project.method(READ)).run({"photo": file(photo, filename)}, pipe="draw")
    assert (caught.value.code, caught.value.report.is_retryable) == ("input.file_unreadable", False)
    assert stub.requests == []


async def test_whole_files_are_read(either: Pipelex, project: Project) -> None:
    method = either.load(project.method(READ))
    for form in OFFICE:
        result = await method.run({"document": file(OFFICE[form]("Hello"), f"a.{form}")}, pipe="read")
        (page,) = untyped(result.content)["items"]
        assert "Hello" in page["text_and_images"]["text"]["text"]
