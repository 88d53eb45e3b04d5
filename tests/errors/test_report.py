"""A report as data: what is written is read back, and a problem document says what HTTP callers need."""

from pipelex.errors import ErrorCategory, ErrorReport, Fault, Location, SuggestedFix

FAULT = Fault(
    "method.wiring_invalid",
    "it is not a list",
    Location(file="m.mthds", line=3, column=5),
    category="input_type",
    params={"pipe": "d.p", "finding": "it is not a list"},
    suggestions=("Text[]",),
    suggested_fix=SuggestedFix("set-key", "make it a list", ({"op": "set_key", "key": "a", "value": "Text[]"},)),
)
WARNING = Fault("method.input_unused", "nobody reads it", severity="warning")
REPORT = ErrorReport(
    "provider.rate_limited",
    "busy",
    ErrorCategory.TRANSIENT,
    retry_after=3.0,
    params={"reason": "quota"},
    location=Location(pipe="d.p"),
    faults=(FAULT, WARNING),
    attempts=2,
)


def test_what_is_written_is_read_back() -> None:
    for report in (REPORT, ErrorReport("runtime.unexpected", "a bug")):
        assert ErrorReport.from_json(report.to_json()) == report
    assert Fault.from_json(FAULT.to_json()) == FAULT
    assert Fault.from_json(WARNING.to_json()) == WARNING


def test_members_of_other_releases_are_passed_over() -> None:
    assert ErrorReport.from_json({**REPORT.to_json(), "of_tomorrow": 1}) == REPORT


def test_a_problem_says_what_is_known() -> None:
    problem = REPORT.to_problem("run-1")
    assert problem["retry_after"] == 3.0
    assert problem["pipeline_run_id"] == "run-1"
    assert problem["location"] == {"pipe": "d.p"}
    assert problem["errors"] == [FAULT.to_item()], "warnings change no verdict"
    bare = ErrorReport("runtime.unexpected", "a bug").to_problem()
    assert bare.keys().isdisjoint({"retry_after", "pipeline_run_id", "location", "errors", "params"})


def test_a_fault_may_be_told_at_another_place() -> None:
    there = Location(file="other.mthds", line=1)
    assert FAULT.at(there).to_json() == {**FAULT.to_json(), "location": there.to_json()}
