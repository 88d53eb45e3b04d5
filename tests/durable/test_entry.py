"""What a workflow refuses before it calls any model, because others may have written its arguments by hand."""

from typing import Any, cast

import pytest

from pipelex.content import Stuff
from pipelex.durable.entry import run_pipe
from pipelex.durable.host import Host
from pipelex.durable.jobs import PipeJob, crate_of, owner_of
from pipelex.errors import ErrorReport
from pipelex.library import Library
from pipelex.pipes.calls import PipeCall, RunIdentity
from tests.support.methods import library_of

METHOD = """
domain = "harbour"

[concept.Berth]
description = "A berth"
structure = { code = "Code", depth = { type = "number", description = "Depth" } }

[pipe.describe]
type = "PipeLLM"
description = "Describe berths"
inputs = { berth = "Berth", others = "Berth[2]", note = "Text?" }
output = "Text"
prompt = '''
$berth
@others
@?note
'''

[pipe.alone]
type = "PipeLLM"
description = "Say something"
output = "Text"
prompt = "Say something"
"""
BERTH = Stuff("harbour.Berth", {"code": "B4", "depth": 9})
TWO = Stuff.of_list("harbour.Berth", [{"code": "B5", "depth": 1}, {"code": "B6", "depth": 2}])


class Refused(Exception):
    def __init__(self, report: ErrorReport) -> None:
        self.report = report


class Refusing:
    """The part of a host that a workflow needs to end with a report."""

    def __init__(self) -> None:
        self.logged: list[str] = []

    def failure(self, report: ErrorReport) -> BaseException:
        return Refused(report)

    def is_cancellation(self, error: BaseException) -> bool:
        return False

    def log_bug(self, message: str) -> None:
        self.logged.append(message)


class Cancelled(Refusing):
    """A host whose every exception is the engine's way to cancel."""

    def is_cancellation(self, error: BaseException) -> bool:
        return True


@pytest.fixture(scope="module")
def library() -> Library:
    return library_of(METHOD)


async def refused(library: Library, pipe: str, inputs: dict[str, Stuff], pipe_type: str = "PipeLLM") -> ErrorReport:
    call = PipeCall(pipe=f"harbour.{pipe}", inputs=inputs)
    host = cast("Host", Refusing())
    crate = crate_of(library, PipeCall(pipe=call.pipe, inputs={})).json_bytes
    with pytest.raises(Refused) as failed:
        await run_pipe(host, PipeJob(call=call), crate, None, pipe_type=pipe_type)
    return failed.value.report


@pytest.mark.parametrize(
    ("changed", "code", "says"),
    [
        ({"berth": None}, "input.missing", "'berth'"),
        ({"crane": BERTH}, "input.unexpected", "the declared inputs are berth, others, note"),
        ({"berth": Stuff("native.Text", {"text": "B4"})}, "input.wrong_concept", "takes a harbour.Berth"),
        ({"berth": Stuff("harbour.Nothing", {})}, "input.wrong_concept", "'berth'"),
        ({"berth": TWO}, "input.wrong_multiplicity", "one value, not a list"),
        ({"others": BERTH}, "input.wrong_multiplicity", "a list of harbour.Berth"),
        ({"others": Stuff.of_list("harbour.Berth", [])}, "input.wrong_multiplicity", "exactly 2 values"),
        ({"berth": Stuff("harbour.Berth", {"code": "B4", "depth": "deep"})}, "input.invalid", "depth"),
        ({"others": Stuff.of_list("harbour.Berth", [{"code": 1}, {"code": "B"}])}, "input.invalid", "code"),
        ({"note": Stuff("native.Text", {"words": "x"})}, "input.invalid", "text"),
    ],
)
async def test_inputs_that_do_not_match_are_refused(
    library: Library, changed: dict[str, Any], code: str, says: str
) -> None:
    given = {"berth": BERTH, "others": TWO} | changed
    report = await refused(library, "describe", {name: stuff for name, stuff in given.items() if stuff is not None})
    assert report.code == code
    assert says in report.detail


async def test_a_pipe_without_inputs_takes_none(library: Library) -> None:
    report = await refused(library, "alone", {"berth": BERTH})
    assert report.code == "input.unexpected"
    assert "takes no inputs" in report.detail


async def test_a_workflow_type_runs_only_pipes_of_its_type(library: Library) -> None:
    report = await refused(library, "alone", {}, pipe_type="PipeSequence")
    assert report.code == "request.malformed"
    assert "'harbour.alone' is a PipeLLM" in report.detail


async def test_a_bug_ends_the_run_and_is_logged(library: Library) -> None:
    crate = crate_of(library, PipeCall(pipe="harbour.alone", inputs={})).json_bytes
    job = PipeJob(call=PipeCall(pipe="harbour.alone", inputs={}))
    host = Refusing()  # it can neither start a child nor run an activity
    with pytest.raises(Refused) as failed:
        await run_pipe(cast("Host", host), job, crate, None)
    assert failed.value.report.code == "runtime.unexpected"
    assert host.logged == ["pipe 'harbour.alone' failed unexpectedly"]
    with pytest.raises(AttributeError):
        await run_pipe(cast("Host", Cancelled()), job, crate, None)


@pytest.mark.parametrize(
    ("told", "owner"),
    [
        (None, RunIdentity(run_id="run-1")),
        (RunIdentity(run_id="", user_id="ada"), RunIdentity(run_id="run-1", user_id="ada")),
        (RunIdentity(run_id="run-0", user_id="ada"), RunIdentity(run_id="run-0", user_id="ada")),
    ],
)
def test_a_job_without_a_run_id_gets_that_of_its_workflow(told: RunIdentity | None, owner: RunIdentity) -> None:
    assert owner_of(told, "run-1") == owner
