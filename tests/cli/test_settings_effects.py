"""What changed settings change, as a person sees it: see `tests.config.test_every_key`."""

import asyncio
import base64
import json
import logging
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from pipelex.content.stuff import Stuff
from pipelex.errors import PipelexError
from pipelex.runner import RunResult
from tests.cli.conftest import Cli
from tests.support.inference_files import STUB_MODELS, write_stub_inference
from tests.support.methods import DESCRIBE_ALL
from tests.support.openai_server import OpenAIStub, Reply
from tests.support.otlp_collector import Collector
from tests.support.processes import free_port
from tests.support.untyped import untyped

LOG = "runtime.log"
GREETING = ("run", "greet.mthds", "-i", '{"name": "Ada"}', "--no-pretty-print")

DESCRIBE = """
domain = "harbour"
main_pipe = "describe"

[concept.Berth]
description = "A place for a ship"
[concept.Berth.structure]
code = { type = "text", description = "The number painted on the quay", required = true }

[pipe.describe]
type = "PipeLLM"
description = "Describe"
inputs = { name = "Text" }
output = "Berth"
prompt = "Describe the berth of $name"
"""

SHOW = """
domain = "harbour"
main_pipe = "show"

[pipe.show]
type = "PipeLLM"
description = "Say what is to be seen"
inputs = { first = "Image", second = "Image" }
output = "Text"
prompt = "What do $first and $second show?"
"""

WRITE = """
domain = "harbour"
main_pipe = "write"

[pipe.write]
type = "PipeLLM"
description = "Write"
inputs = { name = "Text", names = "Text[]" }
output = "Text"
prompt = '''
@name
$names
'''
"""

MADE_UP = """
domain = "harbour"
main_pipe = "main"

[pipe.main]
type = "PipeParallel"
description = "Main"
inputs = { topic = "Text", paper = "Document" }
output = "Composite"
branches = [
  { pipe = "write", result = "text" }, { pipe = "list", result = "texts" },
  { pipe = "paint", result = "images" }, { pipe = "extract", result = "pages" },
]
add_each_output = true

[pipe.write]
type = "PipeLLM"
description = "A text"
inputs = { topic = "Text" }
output = "Text"
prompt = "$topic"

[pipe.list]
type = "PipeLLM"
description = "Texts"
inputs = { topic = "Text" }
output = "Text[]"
prompt = "$topic"

[pipe.paint]
type = "PipeImgGen"
description = "Three images"
inputs = { topic = "Text" }
output = "Image[3]"
prompt = "$topic"
model = "gpt-image-1"

[pipe.extract]
type = "PipeExtract"
description = "Pages"
inputs = { paper = "Document" }
output = "Page[]"
"""


def change(cli: Cli, **values: Any) -> None:
    """Have settings say something else from now on; `__` stands for the dot of a key."""
    lines = [f"{key.replace('__', '.')} = {json.dumps(value)}\n" for key, value in values.items()]
    (cli.root / ".pipelex" / "pipelex_override.toml").write_text("".join(lines), encoding="utf-8")


async def run(cli: Cli, text: str, inputs: dict[str, Any], *, is_dry: bool = False, **values: Any) -> RunResult:
    """Run a method in-process with settings changed."""
    overrides = {key.replace("__", "."): value for key, value in values.items()}
    async with cli.project.app("direct", overrides=overrides) as app:
        return await app.load(cli.project.method(text)).run(inputs, dry_run=is_dry, full_memory=True)


def photo(color: str) -> str:
    buffer = BytesIO()
    Image.new("RGB", (8, 8), color).save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


# --- where things go --------------------------------------------------------------------------------------------------


def test_where_a_run_goes(cli: Cli, stub: OpenAIStub) -> None:
    stub.on("Ada", text="Welcome")
    assert cli(*GREETING).code == 0
    change(cli, run__execution="hosted")
    ended = cli(*GREETING)
    assert ended.code == 2
    assert "hosted" in ended.err
    assert cli(*GREETING, "--local").code == 0


def test_levels_of_log_lines(cli: Cli, capsys: pytest.CaptureFixture[str]) -> None:
    def shown() -> set[str]:
        cli("config", "show")
        for name in ("pipelex.here", "pipelex.there", "library"):
            logging.getLogger(name).info("of %s", name)
        return {line.split()[-1] for line in capsys.readouterr().err.splitlines()}

    assert shown() == {"pipelex.here", "pipelex.there"}
    change(cli, runtime__log__level="ERROR")
    assert shown() == set()
    change(cli, runtime__log__level="OFF")
    assert shown() == set()
    try:
        change(cli, runtime__log__package_levels__library="INFO")
        assert shown() == {"pipelex.here", "pipelex.there", "library"}
    finally:
        logging.getLogger("library").setLevel(logging.NOTSET)


def test_where_log_lines_go(cli: Cli, capsys: pytest.CaptureFixture[str]) -> None:
    def written() -> tuple[str, str]:
        cli("config", "show")
        logging.getLogger("pipelex.here").warning("Look")
        out, err = capsys.readouterr()
        return out, err

    assert written() == ("", "WARNING pipelex.here: Look\n")
    change(cli, runtime__log__console_target="stdout")
    assert written() == ("WARNING pipelex.here: Look\n", "")
    change(cli, runtime__log__sinks=["json", "console"])
    (as_json, plain) = written()[1].splitlines()
    assert json.loads(as_json)["message"] == "Look"
    assert plain == "WARNING pipelex.here: Look"
    change(cli, runtime__log__sinks=["otlp"])
    assert "runtime.log.sinks: this release does not send logs over OTLP" in cli("config", "show").err


def test_the_table_of_costs(cli: Cli, stub: OpenAIStub) -> None:
    stub.on("Ada", text="Welcome")
    change(cli, runtime__log__table_target="stdout")
    assert "stub" in cli(*GREETING).out
    change(cli, runtime__log__table_target="stderr")
    ended = cli(*GREETING)
    assert ("stub" in ended.out, "stub" in ended.err) == (False, True)
    change(cli, runtime__reporting__is_log_costs_to_console=False, runtime__log__table_target="stdout")
    assert "stub" not in cli(*GREETING).out


@pytest.mark.slow
def test_spans_can_be_switched_off(cli: Cli, stub: OpenAIStub, collector: Collector) -> None:
    stub.on("Ada", text="Welcome")
    change(cli, runtime__telemetry__endpoint=collector.url, runtime__telemetry__is_enabled=False)
    assert cli.command(*GREETING).code == 0
    assert collector.spans == []


@pytest.mark.slow
def test_the_service_of_spans(cli: Cli, stub: OpenAIStub, collector: Collector) -> None:
    stub.on("Ada", text="Welcome")
    change(cli, runtime__telemetry__endpoint=collector.url, runtime__telemetry__service_name="pilots")
    assert cli.command(*GREETING).code == 0
    assert {span.resource["service.name"] for span in collector.spans} == {"pilots"}


def test_what_a_run_leaves(cli: Cli, stub: OpenAIStub) -> None:
    stub.on("Ada", text="Welcome")

    def left(folder: str) -> set[str]:
        assert cli(*GREETING, "-o", folder).code == 0
        return {file.name for file in (cli.root / folder).rglob("*.json")} & {"graphspec.json", "usage.json"}

    assert left("both") == {"graphspec.json", "usage.json"}
    change(cli, interpreter__pipeline_execution__is_generate_graph=False)
    assert left("usage") == {"usage.json"}
    change(cli, interpreter__pipeline_execution__is_generate_usage=False)
    assert left("graph") == {"graphspec.json"}


# --- how models are called --------------------------------------------------------------------------------------------


async def test_failed_calls_are_repeated(cli: Cli, stub: OpenAIStub) -> None:
    busy = Reply(status=503, body={"error": {"message": "busy"}})
    stub.on("Describe", busy, Reply(object={"code": "B1"}))
    with pytest.raises(PipelexError):
        await run(cli, DESCRIBE, {"name": "Ada"}, inference__transport_max_retries=0)
    assert len(stub.completions) == 1


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [0.2, 60.0])
@pytest.mark.parametrize("where", ["settings", "model"])
async def test_how_long_a_call_may_take(cli: Cli, stub: OpenAIStub, seconds: float, where: str) -> None:
    stub.on("Describe", Reply(object={"code": "B1"}, delay=1.0))
    changed: dict[str, Any] = {"inference__transport_max_retries": 0, "inference__call_timeout": seconds}
    if where == "model":  # its own wins
        models = STUB_MODELS.replace("[stub]\n", f"[stub]\ncall_timeout = {seconds}\n")
        write_stub_inference(cli.root / ".pipelex" / "inference", stub.url, models=models)
        changed["inference__call_timeout"] = 60.2 - seconds
    running = run(cli, DESCRIBE, {"name": "Ada"}, **changed)
    if seconds == 60.0:
        assert (await running).content == {"code": "B1"}
        return
    with pytest.raises(PipelexError) as caught:
        await running
    assert caught.value.code == "provider.timeout"


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [0, 60])
async def test_a_provider_that_is_away_for_a_while(cli: Cli, seconds: int) -> None:
    address = ("127.0.0.1", free_port())
    url = f"http://{address[0]}:{address[1]}/v1"
    write_stub_inference(cli.root / ".pipelex" / "inference", url, models=STUB_MODELS)
    changed: dict[str, Any] = {"inference__transport_max_retries": 0, "inference__outages__retry_seconds": seconds}
    running = asyncio.ensure_future(run(cli, DESCRIBE, {"name": "Ada"}, **changed))
    # The first attempt finds nothing; one after the provider is back succeeds.
    await asyncio.wait([running], timeout=None if seconds == 0 else 1.5)
    with OpenAIStub(address=address) as back:
        back.on("Describe", object={"code": "B1"})
        if seconds == 0:
            with pytest.raises(PipelexError, match="no connection"):
                await running
        else:
            assert (await running).content == {"code": "B1"}
            assert len(back.completions) == 1


async def test_answers_that_do_not_fit_are_asked_for_again(cli: Cli, stub: OpenAIStub) -> None:
    stub.on("berth of Ada", Reply(object={"code": 1}), Reply(object={"no": 1}), Reply(object={"code": "B1"}))
    stub.on("berth of Bob", Reply(object={"no": 1}))
    result = await run(cli, DESCRIBE, {"name": "Ada"}, inference__llm__schema_reask_max_attempts=2)
    assert result.content == {"code": "B1"}
    asked = len(stub.completions)
    with pytest.raises(PipelexError):
        await run(cli, DESCRIBE, {"name": "Bob"}, inference__llm__schema_reask_max_attempts=0)
    assert len(stub.completions) == asked + 1


@pytest.mark.parametrize("is_described", [True, False])
async def test_the_wanted_structure_is_described(cli: Cli, stub: OpenAIStub, is_described: bool) -> None:
    stub.on("Describe", object={"code": "B1"})
    await run(cli, DESCRIBE, {"name": "Ada"}, inference__llm__is_structure_prompt_enabled=is_described)
    assert ("painted on the quay" in stub.completions[0].prompt) is is_described


async def test_the_most_images_of_a_prompt(cli: Cli, stub: OpenAIStub) -> None:
    stub.on("What do", text="Two colours")
    images = {"first": photo("red"), "second": photo("blue")}
    await run(cli, SHOW, images, inference__llm__default_max_images=2)
    with pytest.raises(PipelexError, match="at most 1 images in a prompt, not 2") as caught:
        await run(cli, SHOW, images, inference__llm__default_max_images=1)
    assert caught.value.code == "model.capability_unsupported"
    assert len(stub.completions) == 1

    models = cli.root / ".pipelex" / "inference" / "backends" / "openai.toml"
    text = models.read_text(encoding="utf-8").replace("[stub]\n", "[stub]\nmax_prompt_images = 2\n")
    models.write_text(text, encoding="utf-8")
    await run(cli, SHOW, images, inference__llm__default_max_images=1)


async def test_how_prompts_write_values(cli: Cli, stub: OpenAIStub) -> None:
    stub.on("Ada", text="Noted")
    style = {"tag_style": "square_brackets", "text_format": "json"}
    inputs = {"name": "Ada", "names": ["Bob", "Eve"]}
    await run(cli, WRITE, inputs)
    await run(cli, WRITE, inputs, inference__templating__default_templating_style=style)
    usual, changed = (request.prompt for request in stub.completions)
    assert "<name>\nAnn</name>".replace("Ann", "Ada\n") in usual
    assert "[name]\nAda\n[/name]" in changed
    assert usual != changed
    assert '"Bob"' in changed
    assert '"Bob"' not in usual


async def test_what_a_dry_run_makes_up(cli: Cli) -> None:
    inputs = {"topic": "a topic of many words", "paper": "https://example.org/a.pdf"}

    async def made_up(**values: Any) -> tuple[Any, ...]:
        result = await run(cli, MADE_UP, inputs, is_dry=True, **values)
        found = {name: untyped(stuff.content) for name, stuff in result.working_memory.root.items()}
        images = [image["url"] for image in found["images"]["items"]]
        return found["text"]["text"], len(found["texts"]["items"]), images, len(found["pages"]["items"])

    first, second = (f"https://mock.invalid/image_{rank}.png" for rank in (1, 2))
    assert await made_up() == ("DRY RUN: a topic of many words", 3, [first, second, first], 4)
    shape = {
        "text_gen_truncate_length": 7,
        "nb_list_items": 2,
        "nb_extract_pages": 1,
        "image_urls": ["https://a/b.png"],
    }
    assert await made_up(inference__dry_run=shape) == ("DRY RUN: a topic", 2, ["https://a/b.png"] * 3, 1)


# --- how methods are read and run -------------------------------------------------------------------------------------


@pytest.mark.slow
async def test_items_of_a_batch_at_the_same_time(cli: Cli, stub: OpenAIStub) -> None:
    stub.on("Describe", text="fine", delay=0.1)
    await run(cli, DESCRIBE_ALL, {"words": list("abcdef")}, interpreter__pipeline_execution__max_concurrency=1)
    assert stub.most_in_flight == 1


async def test_files_given_as_data(cli: Cli, stub: OpenAIStub) -> None:
    stub.on("What do", text="Two colours")
    key = "interpreter__pipeline_execution__is_normalize_data_urls_to_storage"

    async def address(is_moved: bool) -> str:
        result = await run(cli, SHOW, {"first": photo("red"), "second": photo("blue")}, **{key: is_moved})
        first = result.working_memory.root["first"]
        assert isinstance(first, Stuff)
        return untyped(first.content)["url"].partition(":")[0]

    assert (await address(True), await address(False)) == ("pipelex-storage", "data")


def test_how_large_a_folder_may_be(cli: Cli) -> None:
    folder = _folder(cli, {"method.mthds": DESCRIBE, "notes.txt": "x" * 2000})
    assert cli("validate", folder).code == 0
    change(cli, interpreter__method_tree_limits__max_files=1)
    for command in (("validate", folder), ("run", folder, "--dry-run", "-i", '{"name": "Ada"}')):
        ended = cli(*command)
        assert ended.code != 0
        assert "more than 1 files" in ended.err
        assert "interpreter.method_tree_limits.max_files" in ended.err
    change(cli, interpreter__method_tree_limits__max_total_bytes=1000)
    assert "more than 1000 bytes" in cli("validate", folder).err
    (cli.root / folder / ".gitignore").write_text("notes.txt\n", encoding="utf-8")
    assert cli("validate", folder).code == 0


def test_where_no_bundles_are_looked_for(cli: Cli) -> None:
    folder = _folder(cli, {"method.mthds": DESCRIBE, "drafts/b.mthds": "no TOML", "deep/results/c.mthds": "no TOML"})
    assert cli("validate", folder).code == 1  # `results` is excluded as shipped, `drafts` is not
    change(cli, interpreter__scan__excluded_dirs=["drafts", "results"])
    assert cli("validate", folder).code == 0
    assert "drafts" not in cli("fmt", folder, "--check").out
    assert cli("validate", f"{folder}/drafts").code == 1  # what is asked for by name is looked at
    change(cli, interpreter__scan__excluded_dirs=["drafts"])
    assert cli("validate", folder).code == 1


def _folder(cli: Cli, files: dict[str, str]) -> str:
    root = cli.root / "berths"
    for name, text in files.items():
        file = Path(root, name)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return "berths"
