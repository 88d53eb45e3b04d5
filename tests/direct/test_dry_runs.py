"""What validation finds by running pipes on made-up values, and how much it does for that."""

from pathlib import Path

import pytest

from pipelex.config import load_settings
from pipelex.library import Verdict
from pipelex.runner import Pipelex

DOMAIN = 'domain = "harbour"\n'
SHIP = """
[concept.Ship]
description = "A ship"
[concept.Ship.structure]
name  = { type = "text", description = "Name", required = true }
kind  = { choices = ["tug", "ferry"], description = "Kind", required = true }
draft = { type = "number", description = "Draft" }
"""
TOLD = """
[pipe.told]
type = "PipeCompose"
description = "Told"
inputs = { s = "Ship" }
output = "Text"
template = "Ship $s.name"
"""


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pipelex:
    """The packaged configuration; no dry run ends because this machine is busy."""
    monkeypatch.setattr("pipelex.runner._verdicts.SECONDS", 600.0)
    return Pipelex(load_settings(cwd=tmp_path, environ={"HOME": str(tmp_path)}), orchestrator="direct")


async def verdict_on(app: Pipelex, tmp_path: Path, text: str) -> Verdict:
    file = tmp_path / "method.mthds"
    file.write_text(DOMAIN + text, encoding="utf-8")
    return await app.open(file).validate()


def compose(template: str, inputs: str = '{ s = "Ship" }') -> str:
    return f"""
[pipe.main]
type = "PipeCompose"
description = "Main"
inputs = {inputs}
output = "Text"
template = '''{template}'''
"""


def condition(expression: str, outcomes: str, default: str = "fail", output: str = "Text") -> str:
    return f"""
[pipe.main]
type = "PipeCondition"
description = "Main"
inputs = {{ s = "Ship" }}
output = "{output}"
expression = "{expression}"
outcomes = {outcomes}
default_outcome = "{default}"
"""


def doubling(last: str, *, levels: int, chained: bool) -> str:
    text = ""
    for level in range(1, levels):
        first = "topic" if chained else "other"
        text += f"""
[pipe.level_{level}]
type = "PipeSequence"
description = "Runs the next one twice"
inputs = {{ topic = "Text" }}
output = "Text"
steps = [{{ pipe = "level_{level + 1}", result = "{first}" }}, {{ pipe = "level_{level + 1}" }}]
"""
    return text + last.format(level=levels)


LLM = """
[pipe.level_{level}]
type = "PipeLLM"
description = "The end"
inputs = {{ topic = "Text" }}
output = "Text"
prompt = "Tell me about $topic"
"""
COMPOSE = """
[pipe.level_{level}]
type = "PipeCompose"
description = "The end, different each time"
inputs = {{ topic = "Text" }}
output = "Text"
template = "more $topic"
"""


@pytest.mark.slow
async def test_equal_calls_run_once(app: Pipelex, tmp_path: Path) -> None:
    verdict = await verdict_on(app, tmp_path, doubling(LLM, levels=19, chained=False))
    assert verdict.errors == ()
    assert verdict.unchecked == ()


@pytest.mark.slow
async def test_what_takes_too_long_is_left_unchecked_and_the_rest_is_not(app: Pipelex, tmp_path: Path) -> None:
    verdict = await verdict_on(app, tmp_path, doubling(COMPOSE, levels=18, chained=True))
    assert verdict.errors == ()
    assert "harbour.level_1" in verdict.unchecked
    assert not {"harbour.level_18", "harbour.level_14"} & set(verdict.unchecked)


@pytest.mark.slow
async def test_more_than_a_run_may_run_is_an_error_at_the_pipe_where_it_begins(app: Pipelex, tmp_path: Path) -> None:
    (fault,) = (await verdict_on(app, tmp_path, doubling(COMPOSE, levels=70, chained=True))).errors
    assert fault.code == "pipe.stack_overflow"
    assert "'harbour.level_51' runs 1,048,575 pipes" in fault.detail
    assert fault.location.pipe == "harbour.level_51"
    assert fault.location.line is not None


@pytest.mark.parametrize(
    ("template", "says"),
    [
        ("{% if s.draft > 3 %}deep{% endif %}", "'s.draft' has no value, so it cannot be compared (line 1"),
        ("{{ s.draft + 1 }}", "'s.draft' has no value"),
        ("{{ '%.1f' % s.draft }}", "'s.draft' has no value"),
        ("{{ s.draft is none or s.draft > 3 }}", None),
        ("{% if s.draft %}{{ s.draft + 1 }}{% endif %}", None),
        ("{{ s.draft }}{{ s.draft|default(0) + 1 }}", None),
    ],
)
async def test_optional_fields_are_left_out_once(app: Pipelex, tmp_path: Path, template: str, says: str | None) -> None:
    verdict = await verdict_on(app, tmp_path, SHIP + compose(template))
    assert verdict.errors == ()
    found = [fault for fault in verdict.warnings if fault.code == "pipe.template_render_failed"]
    assert [fault.detail.startswith("where optional values are left out, ") for fault in found] == [True] * bool(says)
    assert all(says in fault.detail for fault in found if says)


async def test_what_fails_with_all_fields_is_an_error(app: Pipelex, tmp_path: Path) -> None:
    verdict = await verdict_on(app, tmp_path, SHIP + compose("{{ s.name + 1 }}"))
    assert [fault.code for fault in verdict.errors] == ["pipe.template_render_failed"]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (condition("s.name", '{ Ada = "told" }'), None),
        (condition("s.kind", '{ tug = "fail", ferry = "told" }'), None),
        (condition("s.nmae", '{ Ada = "told" }'), "pipe.condition_unmatched"),
        (condition("'' if s.name else 'x'", '{ Ada = "told" }'), "pipe.condition_unmatched"),
        (condition("s.nmae", '{ Ada = "told" }', default="told"), None),
        (condition("s.nmae", '{ Ada = "told" }', default="continue", output="Text?"), None),
    ],
)
async def test_a_condition_on_made_up_values(app: Pipelex, tmp_path: Path, text: str, code: str | None) -> None:
    verdict = await verdict_on(app, tmp_path, SHIP + TOLD + text)
    assert [fault.code for fault in verdict.errors] == [code] * bool(code)
    assert verdict.unchecked == ()
