"""Local files are named by a person's own inputs alone; whatever else names one is refused, wherever the run runs."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from pipelex.errors import PipelexError
from pipelex.temporal.dev_server import DevServer
from tests.support.openai_server import OpenAIStub
from tests.support.project import Project, worker_of, write_project
from tests.support.untyped import untyped

SECRET = "the harbour master's diary"

METHOD = """
domain = "quay"
main_pipe = "main"

[concept.Finding]
description = "What was found"
[concept.Finding.structure]
paper = { type = "concept", concept_ref = "native.Document", description = "The paper", required = true }

[pipe.main]
type = "PipeSequence"
description = "Find a paper and read it"
inputs = { hint = "Text" }
output = "Text"
steps = [{ pipe = "find", result = "finding" }, { pipe = "read", result = "text" }]

[pipe.find]
type = "PipeLLM"
description = "Find a paper"
inputs = { hint = "Text" }
output = "Finding"
prompt = "Find $hint"

[pipe.read]
type = "PipeLLM"
description = "Read it"
inputs = { finding = "Finding" }
output = "Text"
prompt = "Read $finding.paper"

[pipe.show]
type = "PipeLLM"
description = "Read a paper"
inputs = { paper = "Document" }
output = "Text"
prompt = "Read $paper"

[pipe.pages]
type = "PipeSequence"
description = "Find a paper and extract it"
inputs = { hint = "Text" }
output = "Page[]"
steps = [
  { pipe = "find", result = "finding" },
  { from = "finding.paper", result = "paper" },
  { pipe = "extract", result = "pages" },
]

[pipe.extract]
type = "PipeExtract"
description = "Extract"
inputs = { paper = "Document" }
output = "Page[]"

[pipe.compose]
type = "PipeSequence"
description = "A paper that the method's own text names"
inputs = { hint = "Text" }
output = "Text"
steps = [{ pipe = "name_it", result = "finding" }, { pipe = "read", result = "text" }]

[pipe.name_it]
type = "PipeCompose"
description = "Name a file"
inputs = { hint = "Text" }
output = "Finding"
[pipe.name_it.construct.paper]
url = { template = "PATH{% if hint == 'y' %}.{% endif %}" }

[pipe.write]
type = "PipeSequence"
description = "Print what a model wrote"
inputs = { hint = "Text" }
output = "Document"
steps = [{ pipe = "html", result = "page" }, { pipe = "print", result = "printed" }]

[pipe.html]
type = "PipeLLM"
description = "Write a page"
inputs = { hint = "Text" }
output = "Html"
prompt = "Page of $hint"

[pipe.print]
type = "PipeDocGen"
description = "Print"
inputs = { page = "Html" }
output = "Document"
format = "pdf"
"""


@pytest.fixture
def stub() -> Iterator[OpenAIStub]:
    with OpenAIStub() as server:
        yield server


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    (tmp_path / "home").mkdir()
    file = tmp_path / "home" / "diary.txt"
    file.write_text(SECRET, encoding="utf-8")
    return file


@pytest.fixture
def project(tmp_path: Path, stub: OpenAIStub) -> Project:
    return write_project(tmp_path / "project", stub=stub.url)


def spellings(file: Path) -> list[str]:
    """The ways in which a URL may mean a local file."""
    return [str(file), file.as_uri(), f"FILE://{file}", f"file://localhost{file}", f"file:{file}", f"/../../..{file}"]


async def failure(project: Project, pipe: str) -> PipelexError:
    async with project.app("direct") as app:
        method = app.load(project.method(METHOD), pipe=pipe)
        with pytest.raises(PipelexError) as caught:
            await method.run({"hint": "x"}, pipe=pipe)
    return caught.value


def was_sent(stub: OpenAIStub) -> bool:
    return any(SECRET in str(request.body) or "ZGlhcnk" in str(request.body) for request in stub.requests)


@pytest.mark.matrix(fast=3)
@pytest.mark.parametrize("number", range(6))
@pytest.mark.parametrize("pipe", ["main", "pages"])
async def test_a_models_answer_names_none(
    project: Project, stub: OpenAIStub, secret: Path, pipe: str, number: int
) -> None:
    stub.on("Find", object={"paper": {"url": spellings(secret)[number]}}).on("Read", text="fine")
    error = await failure(project, pipe)
    assert error.code == "security.input_url_refused"
    assert not was_sent(stub)


async def test_a_methods_text_names_none(project: Project, stub: OpenAIStub, secret: Path) -> None:
    stub.on("Read", text="fine")
    text = METHOD.replace("PATH", str(secret))
    async with project.app("direct") as app:
        method = app.load(project.method(text), pipe="compose")
        with pytest.raises(PipelexError) as caught:
            await method.run({"hint": "x"}, pipe="compose")
    assert caught.value.code == "security.input_url_refused"
    assert not was_sent(stub)


async def test_a_worker_refuses_the_same(
    tmp_path: Path, stub: OpenAIStub, secret: Path, temporal_server: DevServer
) -> None:
    queue = f"files-{tmp_path.name}"
    project = write_project(tmp_path / "durable", stub=stub.url, target=temporal_server.target, queue=queue)
    stub.on("Find", object={"paper": {"url": secret.as_uri()}}).on("Read", text="fine")
    async with project.app() as app, worker_of(app):
        method = app.load(project.method(METHOD), pipe="main")
        with pytest.raises(PipelexError) as caught:
            await method.run({"hint": "x"}, pipe="main")
    assert caught.value.code == "security.input_url_refused"
    assert not was_sent(stub)


HOLES = {
    "img": '<img src="{uri}"/>',
    "img without quotes": "<img src={uri}>",
    "path": "<img src='{path}'/>",
    "background": '<div style="background-image: url({uri})">x</div>',
    "table": '<table background="{path}"><tr><td background="{uri}">x</td></tr></table>',
    "style": "<style>@page {{ background-image: url({path}); }} p {{ background: url('{uri}') }}</style>",
    "import": "<style>@import url({css});</style>",
    "link": '<link rel="stylesheet" href="{css}"/>',
    "font": "<style>@font-face {{ font-family: x; src: url({path}) }} p {{ font-family: x }}</style>",
    "svg": '<svg><image href="{uri}"/></svg><object data="{uri}"></object><embed src="{uri}"/>',
    "list": '<ul style="list-style-image: url({uri})"><li style="background: url({path})">x</li></ul>',
}


@pytest.mark.matrix(fast=11)
@pytest.mark.parametrize("hole", HOLES)
async def test_a_page_to_print_reads_none(project: Project, stub: OpenAIStub, secret: Path, hole: str) -> None:
    picture = secret.with_name("private.png")
    Image.new("RGB", (421, 307), "blue").save(picture)
    sheet = secret.with_name("private.css")
    sheet.write_text("p { font-size: 77pt }", encoding="utf-8")
    inner = HOLES[hole].format(uri=picture.as_uri(), path=picture, css=sheet.as_uri())
    stub.on("Page of", object={"inner_html": f"<p>seen</p>{inner}", "css_class": "x"})
    async with project.app("direct") as app:
        method = app.load(project.method(METHOD), pipe="write")
        if '<img src="{uri}' in HOLES[hole]:
            with pytest.raises(PipelexError, match="files of this machine are not read here"):
                await method.run({"hint": "x"}, pipe="write")
            return
        result = await method.run({"hint": "x"}, pipe="write")
        data = await app.inference.storage.get(untyped(result.content)["url"])
    assert b"/Width 421" not in data
    assert b" 77 Tf" not in data


# --- what a person names ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("moves_data_urls", [True, False])
async def test_a_persons_own_inputs_name_files(
    project: Project, stub: OpenAIStub, secret: Path, moves_data_urls: bool
) -> None:
    stub.on("Read", text="fine")
    key = "interpreter.pipeline_execution.is_normalize_data_urls_to_storage"
    async with project.app("direct", overrides={key: moves_data_urls}) as app:
        result = await app.load(project.method(METHOD), pipe="show").run({"paper": str(secret)}, pipe="show")
        content = untyped(result.working_memory.root["paper"].to_json())["content"]
        assert content["url"].startswith("pipelex-storage://")
        assert content["filename"] == "diary.txt"
        assert await app.inference.storage.get(content["url"]) == SECRET.encode()
    assert result.content == {"text": "fine"}


@pytest.mark.parametrize("number", range(6))
async def test_other_peoples_inputs_name_none(project: Project, secret: Path, number: int) -> None:
    async with project.app("direct") as app:
        method = app.load(project.method(METHOD), pipe="show")
        with pytest.raises(PipelexError) as caught:
            await method.run({"paper": spellings(secret)[number]}, pipe="show", allow_files=False)
    assert caught.value.code == "security.input_path_refused"


@pytest.mark.parametrize("way", ["path", "uri", "upwards", "link"])
async def test_inputs_of_a_folder_name_its_own_files_alone(project: Project, secret: Path, way: str) -> None:
    link = project.root / "mine.txt"
    link.symlink_to(secret)
    named = {"path": str(secret), "uri": secret.as_uri(), "upwards": "../home/diary.txt", "link": "mine.txt"}[way]
    inputs = project.root / "inputs.toml"
    inputs.write_text(f"paper = '{named}'\n", encoding="utf-8")
    async with project.app("direct") as app:
        method = app.load(project.method(METHOD), pipe="show")
        with pytest.raises(PipelexError) as caught:
            method.read_inputs(inputs, "show", allow_files=project.root)
        assert caught.value.code == "security.input_path_refused"
        assert untyped(method.read_inputs(inputs, "show")["paper"].content)["filename"] == "diary.txt" or way == "link"
        (project.root / "own.txt").write_text("x", encoding="utf-8")
        inputs.write_text("paper = 'own.txt'\n", encoding="utf-8")
        assert (
            untyped(method.read_inputs(inputs, "show", allow_files=project.root)["paper"].content)["filename"]
            == "own.txt"
        )


@pytest.mark.parametrize("name", ["/dev/zero", "/proc/self/environ", "/dev/stdin", "pipe", "/proc/self/fd/0"])
async def test_devices_pipes_and_the_kernels_files_are_no_documents(project: Project, name: str) -> None:
    if name == "pipe":
        name = str(project.root / "pipe")
        os.mkfifo(name)
    async with project.app("direct") as app:
        method = app.load(project.method(METHOD), pipe="show")
        for given in ({"paper": name}, Path(name)):
            with pytest.raises(PipelexError) as caught:
                method.read_inputs(given, "show")
            assert caught.value.code in ("input.file_unreadable", "input.reference_not_found")


@pytest.mark.slow
async def test_many_files_go_through_a_batch(project: Project, stub: OpenAIStub) -> None:
    text = METHOD + (
        '\n[pipe.all]\ntype = "PipeBatch"\ndescription = "All"\ninputs = { papers = "Document[]" }\noutput = "Text[]"\n'
        'branch_pipe_code = "show"\ninput_list_name = "papers"\ninput_item_name = "paper"\n'
    )
    stub.on("Read", text="fine")
    for number in range(30):
        (project.root / f"p{number}.txt").write_text(f"Paper {number % 20}", encoding="utf-8")
    async with project.app("direct") as app:
        method = app.load(project.method(text), pipe="all")
        result = await method.run({"papers": [str(project.root / f"p{n}.txt") for n in range(30)]}, pipe="all")
        addresses = {
            item["url"] for item in untyped(result.working_memory.root["papers"].to_json())["content"]["items"]
        }
    assert len(untyped(result.content)["items"]) == 30
    assert len(addresses) == 20  # equal files are kept once
