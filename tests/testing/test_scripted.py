"""A script behind every family of models, in this process and on a Temporal server: what a run makes of its answers."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from pydantic import BaseModel

from pipelex import MethodInvalidError, PipelexError
from pipelex.errors import Json
from pipelex.runner import Pipelex
from pipelex.temporal.dev_server import DevServer
from pipelex.testing import Answer, Asked, Failure, Refusal, Reply, ScriptedModel, dry, durable, in_order, scripted
from tests.support.documents import PdfPage, pdf
from tests.support.methods import DESCRIBE_ALL, GREET, written
from tests.support.untyped import untyped

pytestmark = pytest.mark.slow

WAYS = (
    "direct",
    pytest.param("every_pipe", marks=pytest.mark.server),
    pytest.param("controllers", marks=pytest.mark.server),
)


ONCE: dict[str, Json] = {"inference.transport_max_retries": 0}


@dataclass(frozen=True)
class Way:
    """A way to run methods behind a script."""

    policy: str
    server: DevServer | None

    @asynccontextmanager
    async def running(self, model: ScriptedModel, overrides: dict[str, Json] | None = None) -> AsyncGenerator[Pipelex]:
        if self.server is None:
            with scripted(model, overrides=overrides) as app:
                yield app
            return
        policy = {"temporal.worker_config.child_workflow_policy": self.policy}
        async with durable(model, server=self.server, overrides={**policy, **(overrides or {})}) as app:
            yield app


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> Way:
    return Way(request.param, None if request.param == "direct" else request.getfixturevalue("temporal_server"))


def pipe(kind: str, output: str, more: str, inputs: str = '{ topic = "Text" }', concepts: str = "") -> str:
    head = f'domain = "harbour"\nmain_pipe = "main"\n{concepts}\n[pipe.main]\ntype = "{kind}"\ndescription = "D"\n'
    return f'{head}inputs = {inputs}\noutput = "{output}"\n{more}'


async def test_pipes_are_known_by_name(way: Way, tmp_path: Path) -> None:
    model = ScriptedModel(pipes={"describe": in_order("wet", "dry", "green")})
    method = written(tmp_path, DESCRIBE_ALL)
    async with way.running(model, {"interpreter.pipeline_execution.max_concurrency": 1}) as app:
        result = await app.load(method).run({"words": ["sea", "sand", "grass"]})
    assert [item["text"] for item in untyped(result.main_stuff.content)["items"]] == ["wet", "dry", "green"]
    assert [one.pipe for one in model.asked] == ["describe"] * 3
    model.assert_used_up()


async def test_failures_are_tried_again(way: Way, tmp_path: Path) -> None:
    model = ScriptedModel(Failure(503), "Hello")
    async with way.running(model, {"inference.transport_max_retries": 1}) as app:
        result = await app.load(written(tmp_path, GREET)).run({"name": "Ada"})
    assert result.text == "Hello"
    model.assert_asked(2, pipe="greet", containing="Hello Ada")


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (Failure(401), "provider.credential_refused"),
        (Refusal(), "model.content_refused"),
        (Reply("Hel", is_cut=True), "model.output_truncated"),
        ("", "provider.response_invalid"),
    ],
)
async def test_what_a_provider_may_do(answer: Answer, code: str, tmp_path: Path) -> None:
    model = ScriptedModel(respond=lambda _: answer)
    with scripted(model, overrides=ONCE) as app, pytest.raises(PipelexError) as failed:
        await app.load(written(tmp_path, GREET)).run({"name": "Ada"})
    assert failed.value.code == code


async def test_a_script_that_has_no_answer_says_what_was_asked(tmp_path: Path) -> None:
    model = ScriptedModel()
    with scripted(model) as app, pytest.raises(PipelexError, match=r"no answer left; greet asked .*'Hello Ada'"):
        await app.load(written(tmp_path, GREET)).run({"name": "Ada"})
    assert len(model.asked) == 1, "it is not tried again"


class Ship(BaseModel):
    name: str
    tons: int | None = None


SHIP = """
[concept.Ship]
description = "A ship"
[concept.Ship.structure]
name = "Her name"
tons = { type = "integer", description = "Her tonnage" }
"""


async def test_objects_are_models_or_json(tmp_path: Path) -> None:
    model = ScriptedModel([Ship(name="Ada"), {"name": "Bea", "tons": 7}], pipes={})
    method = written(tmp_path, pipe("PipeLLM", "Ship[]", 'prompt = "Ships: $topic"', concepts=SHIP))
    with scripted(model) as app:
        result = await app.load(method).run({"topic": "tall"})
    assert result.main_stuff.content == {"items": [{"name": "Ada"}, {"name": "Bea", "tons": 7}]}
    (asked,) = model.asked
    assert asked.prompt == "Ships: tall"
    assert asked.schema is not None
    assert "items" in asked.schema["properties"]


async def test_usage_is_counted(tmp_path: Path) -> None:
    with scripted(ScriptedModel(Reply("Hi", input_tokens=300, output_tokens=20), "one two three")) as app:
        told = await app.load(written(tmp_path, GREET)).run({"name": "Ada"})
        counted = await app.load(written(tmp_path, GREET)).run({"name": "Ada Bea"})
    assert [(one.usage[0].input_tokens, one.usage[0].output_tokens) for one in (told, counted)] == [(300, 20), (3, 3)]


async def test_images_searches_judgments(way: Way, tmp_path: Path) -> None:
    source = {"url": "https://harbour.example/tides", "title": "Tides"}
    model = ScriptedModel(
        respond=lambda asked: {
            "img_gen": None,
            "search": {"answer": "At six.", "sources": [source]},
            "llm": {"question_1": "yes"},
            "judgment": {"yes_no": True},
        }[asked.family]
    )
    searched = pipe("PipeSearch", "SearchResult", 'prompt = "When is $topic?"')
    drawn = pipe("PipeImgGen", "Image[2]", 'prompt = "A picture of $topic"')
    judged = pipe("PipeJudge", "YesNo", 'prompt = "@topic"\nquestion = "Is it water?"')
    async with way.running(model) as app:
        answer = await app.load(written(tmp_path, searched)).run({"topic": "high tide"})
        images = await app.load(written(tmp_path, drawn)).run({"topic": "the sea"})
        verdict = await app.load(written(tmp_path, judged)).run({"topic": "the sea"})
    assert answer.main_stuff.content == {"answer": "At six.", "sources": [source]}
    assert [image["mime_type"] for image in untyped(images.main_stuff.content)["items"]] == ["image/png"] * 2
    assert untyped(images.main_stuff.content)["items"][0]["width"] == 8
    assert verdict.main_stuff.content == {"yes_no": True}
    model.assert_asked(1, containing="When is high tide?")
    model.assert_asked(1, containing="A picture of the sea")


READ = pipe("PipeExtract", "Page[]", 'model = "pypdfium2-extract-pdf"', inputs='{ notice = "Document" }')
READ_BY_A_PROVIDER = READ.replace("pypdfium2-extract-pdf", "mistral-ocr")


async def test_documents_are_read_for_real_or_by_a_script(tmp_path: Path) -> None:
    file = tmp_path / "notice.pdf"
    file.write_bytes(pdf(PdfPage(["Closed on Monday"])))
    model = ScriptedModel(["first page", "second page"])
    with scripted(model) as app:
        real = await app.load(written(tmp_path, READ)).run({"notice": str(file)})
        told = await app.load(written(tmp_path, READ_BY_A_PROVIDER)).run({"notice": str(file)})
    assert "Closed on Monday" in str(real.main_stuff.content)
    assert [page["text_and_images"]["text"]["text"] for page in untyped(told.main_stuff.content)["items"]] == [
        "first page",
        "second page",
    ]


async def test_the_projects_own_names_and_capabilities_count(tmp_path: Path) -> None:
    folder = tmp_path / ".pipelex" / "inference"
    (folder / "backends").mkdir(parents=True)
    (folder / "backends.toml").write_text('[own]\nendpoint = "${NOWHERE}"\napi_key = "${NO_KEY}"\n', encoding="utf-8")
    (folder / "backends" / "own.toml").write_text(
        '[house-model]\nsdk = "openai"\noutputs = ["text"]\n', encoding="utf-8"
    )
    model = ScriptedModel("Hi")
    named = GREET.replace('prompt = "Hello', 'model = "house-model"\nprompt = "Hello')
    with scripted(model, project=tmp_path) as app:
        assert (await app.load(written(tmp_path, named)).run({"name": "Ada"})).text == "Hi"
        with pytest.raises(MethodInvalidError, match="structured"):
            app.load(written(tmp_path, named.replace('output = "Text"', 'output = "Number"')))
    assert model.asked[0].model == "house-model"


async def test_other_machines_are_not_reached(tmp_path: Path) -> None:
    with scripted(ScriptedModel(), overrides=ONCE) as app, pytest.raises(PipelexError, match="connection failed"):
        await app.load(written(tmp_path, READ)).run({"notice": "https://1.1.1.1/notice.pdf"})


async def test_dry_runs_ask_nobody_and_make_inputs_up(tmp_path: Path) -> None:
    with dry() as app:
        method = app.load(written(tmp_path, GREET))
        made_up = await method.run()
        given = await method.run({"name": "Ada"})
        assert made_up.text
        assert given.text
        assert method.run_sync().text == made_up.text


def test_a_function_gets_everything_that_is_asked(tmp_path: Path) -> None:
    def answer(asked: Asked) -> str:
        return f"{asked.family} {asked.pipe} {asked.system} {asked.images}"

    text = pipe("PipeLLM", "Text", 'prompt = "Look: $topic"\nsystem_prompt = "Be brief."', '{ topic = "Image" }')
    image = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="
    with scripted(ScriptedModel(respond=answer)) as app:
        assert app.load(written(tmp_path, text)).run_sync({"topic": image}).text == "llm main Be brief. 1"
