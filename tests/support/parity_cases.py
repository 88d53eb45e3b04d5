"""Cases of `tests/parity/cases`: what is run, what the model answers, and what everybody must see of it."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from pipelex.content.stuff import Absence
from pipelex.errors import PipelexError
from pipelex.runner import Pipelex, RunResult
from tests.support.openai_server import OpenAIStub, Reply
from tests.support.project import Project

Json = Any
CASES = Path(__file__).parents[1] / "parity" / "cases"
_OF_A_REPLY = ("text", "object", "status", "headers", "body", "delay", "fault", "finish_reason", "refusal", "expand")


@dataclass(frozen=True)
class Case:
    """One method with inputs, what the model answers, and what comes out."""

    name: str
    method: str
    data: dict[str, Json]
    expect: dict[str, Json]


def load_cases() -> list[Case]:
    cases: list[Case] = []
    for file in sorted(CASES.glob("*.toml")):
        table = tomllib.loads(file.read_text(encoding="utf-8"))
        for data in cast("list[dict[str, Json]]", table["case"]):
            method = str(table.get("method", "")) + str(data.get("method", ""))
            cases.append(Case(f"{file.stem}-{data['name']}", method, data, data["expect"]))
    assert len({case.name for case in cases}) == len(cases)
    return cases


def stub_of(case: Case) -> OpenAIStub:
    stub = OpenAIStub()
    for rule in cast("list[dict[str, Json]]", case.data.get("model", [])):
        replies = [Reply(**reply) for reply in rule.get("replies", [])]
        single = {key: value for key, value in rule.items() if key in _OF_A_REPLY}
        stub.on(rule.get("contains"), *replies, matches=rule.get("matches"), **single)
    return stub


@dataclass(frozen=True)
class Seen:
    """What a user sees of one run."""

    outcome: dict[str, Json]
    prompts: list[str]


async def run_case(case: Case, app: Pipelex, project: Project, stub: OpenAIStub) -> Seen:
    """Run a case, and say what a user sees of it."""
    data = case.data
    for name, text in cast("dict[str, str]", data.get("files", {})).items():
        (project.root / name).write_text(text, encoding="utf-8")
    method = app.load(project.method(case.method))
    if "files" in data:
        app.inference.trees.add_folder(project.root)  # as `pipelex worker --library` does
    try:
        result = await method.run(
            data.get("inputs"),
            pipe=data.get("pipe"),
            full_memory=data.get("full_memory", True),
            dry_run=data.get("dry_run", False),
            mock=data.get("mock", False),
            output_concept=data.get("output_concept"),
            on_item_failure=data.get("on_item_failure", "fail"),
        )
    except PipelexError as failed:
        report = failed.report.to_json()
        report.pop("request_id", None)
        return Seen({"error": report}, sorted(request.prompt for request in stub.completions))
    return Seen(_seen(result), sorted(request.prompt for request in stub.completions))


def _seen(result: RunResult) -> dict[str, Json]:
    return {
        "pipe": result.pipe,
        "value": result.value.to_json(),
        "is_absent": isinstance(result.value, Absence),
        "memory": result.working_memory.to_json(),
        "names": list(result.working_memory.root),
        "usage": [_rounded(usage.model_dump()) for usage in result.usage],
        "failures": None if result.failures is None else result.failures.model_dump(),
    }


def _rounded(usage: dict[str, Json]) -> dict[str, Json]:
    """A usage whose cost does not tell in which order it was added up."""
    return {
        name: round(value, 12) if name == "cost_usd" and value is not None else value for name, value in usage.items()
    }


def check(case: Case, seen: Seen) -> None:
    expect, outcome = case.expect, seen.outcome
    if "requests" in expect:
        assert len(seen.prompts) == expect["requests"], seen.prompts
    for text in expect.get("prompts", ()):
        assert any(text in prompt for prompt in seen.prompts), seen.prompts
    for text in expect.get("no_prompt", ()):
        assert not any(text in prompt for prompt in seen.prompts), seen.prompts
    if "error" in expect:
        check_error(expect["error"], outcome.get("error"))
        return
    assert "error" not in outcome, outcome
    checks: dict[str, Json] = {
        "content": outcome["value"].get("content"),
        "concept": outcome["value"].get("concept"),
        "absent": outcome["value"].get("kind"),
        "names": outcome["names"],
        "main": outcome["memory"]["aliases"].get("main_stuff", "main_stuff"),
        "absences": {name: absence["kind"] for name, absence in outcome["memory"]["absences"].items()},
        "memory": {
            name: outcome["memory"]["root"][name]["content"]
            for name in expect.get("memory", ())
            if name in outcome["memory"]["root"]
        },
        "concepts": {
            name: outcome["memory"]["root"][name]["concept"]
            for name in expect.get("concepts", ())
            if name in outcome["memory"]["root"]
        },
        "calls": sum(usage["calls"] for usage in outcome["usage"]),
        "failed": [
            [failure["index"], "/".join(failure["path"]), failure["error"]["code"]]
            for failure in (outcome["failures"] or {"first": ()})["first"]
        ],
    }
    unknown = expect.keys() - checks.keys() - {"requests", "prompts", "no_prompt"}
    assert not unknown
    assert {key: checks[key] for key in expect if key in checks} == {
        key: expect[key] for key in expect if key in checks
    }


def check_error(expected: dict[str, Json], report: dict[str, Json] | None) -> None:
    assert report is not None
    found = {**report, "pipe": report.get("location", {}).get("pipe"), "path": report.get("location", {}).get("path")}
    wanted = dict(expected)
    for text in wanted.pop("says", ()):
        assert text in report["detail"]
    assert {key: found.get(key) for key in wanted} == wanted, report


def check_agreement(case: Case, seen: dict[str, Seen]) -> None:
    """All ways to run a case give the same."""
    if not case.data.get("full_memory", True):
        # What a durable run brings back without being asked for more is less than what a process has at hand.
        for one in seen.values():
            one.outcome.pop("memory")
            one.outcome.pop("names")
    if case.data.get("is_race", False):
        # Which of the others had already asked their model when one failed is chance, and so is what they used.
        for one in seen.values():
            one.prompts.clear()
            one.outcome.get("error", {}).pop("usage", None)
    first, *others = seen.values()
    for other in others:
        assert other == first
