"""The full verdict on a method: each of its pipes runs on made-up values, to find faults that only show at run time."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from pipelex.config import Settings
from pipelex.direct._known import TOO_LONG
from pipelex.direct._run import DirectRun
from pipelex.errors import ErrorReport, Fault, Location, PipelexError
from pipelex.library import Library, LoadedLibrary, Verdict, ready_pipes
from pipelex.orchestration.wiring import options_of
from pipelex.pipes.calls import PipeCall, RunIdentity
from pipelex.runner._inputs import mock_inputs

if TYPE_CHECKING:
    from pipelex.inference import Inference

SECONDS: Final = 10.0
"""The time for the dry runs of one method, in seconds; pipes that are left then are listed in `Verdict.unchecked`."""

PIPE_RUNS: Final = 2_000
"""The most pipe runs in the dry run of one pipe; a longer one is abandoned."""

_TELLING: Final = frozenset(
    {
        "pipe.binding_failed",
        "pipe.condition_unmatched",
        "pipe.input_unresolved",
        "pipe.output_invalid",
        "pipe.output_multiplicity",
        "pipe.stack_overflow",
        "pipe.template_render_failed",
    }
)
"""The codes of failures that the method itself causes. Other failures may come from this machine, or from the made-up
values, such as a condition that none of them meets."""


@dataclass(frozen=True)
class JudgedMethod:
    """The method whose pipes get dry runs, and the settings for these."""

    loaded: LoadedLibrary
    settings: Settings

    @property
    def library(self) -> Library:
        """The linked library. Without one, no pipe is ready to run, so this property is not used."""
        assert self.loaded.library is not None
        return self.loaded.library


async def checked_verdict(method: JudgedMethod) -> Verdict:
    """The verdict on a method, including the faults that dry runs of its pipes find.

    Args:
        method: the method; if it is focused on a single pipe, only that pipe runs.
    """
    deadline = time.monotonic() + SECONDS
    faults: dict[tuple[object, ...], Fault] = {}
    unchecked: dict[str, None] = {}
    for pipe in _in_order(method):
        left = deadline - time.monotonic()
        # A pipe that runs an unchecked pipe would take even longer.
        is_hopeless = left <= 0 or any(below in unchecked for below in method.library.callees(pipe))
        try:
            found = _ABANDONED if is_hopeless else await asyncio.wait_for(_fault(method, pipe), left)
        except TimeoutError:
            found = _ABANDONED
        if isinstance(found, Fault):
            faults.setdefault((found.code, found.detail, found.location), found)
        elif found is _ABANDONED:
            unchecked[pipe] = None
    return _with(method.loaded.verdict, tuple(faults.values()), tuple(unchecked))


def _in_order(method: JudgedMethod) -> list[str]:
    """The pipes to run, in order: first those that exceed the limit of pipe runs, then the others by size."""
    limit = method.settings.interpreter.pipeline_execution.max_pipe_runs
    library = method.loaded.library
    ready = ready_pipes(method.loaded)
    least = {pipe: 1 if library is None else library.least_runs(pipe) for pipe in ready}
    return sorted(ready, key=lambda pipe: (least[pipe] <= limit, least[pipe]))


def _with(verdict: Verdict, faults: tuple[Fault, ...], unchecked: Sequence[str]) -> Verdict:
    errors = (fault for fault in faults if fault.severity == "error")
    warnings = (fault for fault in faults if fault.severity == "warning")
    return replace(
        verdict,
        errors=(*verdict.errors, *errors),
        warnings=(*verdict.warnings, *warnings),
        unchecked=tuple(unchecked),
    )


def _no_inference() -> "Inference":
    raise AssertionError("a dry run asks no model")


class _Abandoned:
    """The outcome of a dry run that was abandoned."""


_ABANDONED: Final = _Abandoned()


async def _fault(method: JudgedMethod, pipe: str) -> Fault | _Abandoned | None:
    """The fault of a pipe on made-up values: an error with all optional values present, a warning without them.

    The latter is only a warning, because the method's author knows whether an optional value is ever left out.
    """
    report = await _failure(method, pipe, is_sparse=False)
    if report is not None:
        return _judged(method, report)
    report = await _failure(method, pipe, is_sparse=True)
    if report is None or not _is_telling(report.code):
        return None
    told = _told(method, report)
    return replace(told, severity="warning", detail=f"where optional values are left out, {told.detail}")


def _judged(method: JudgedMethod, report: ErrorReport) -> Fault | _Abandoned | None:
    if report.code == TOO_LONG:
        return _ABANDONED
    return _told(method, report) if _is_telling(report.code) else None


def _told(method: JudgedMethod, report: ErrorReport) -> Fault:
    return Fault(report.code, report.detail, _place(method.loaded, report.location), params=report.params)


async def _failure(method: JudgedMethod, pipe: str, *, is_sparse: bool) -> ErrorReport | None:
    call = PipeCall.sparse(
        pipe=pipe, inputs=mock_inputs(method.library, method.library.pipe(pipe), is_sparse=is_sparse)
    )
    options = options_of(method.settings, is_dry=True, is_sparse=is_sparse)
    identity = RunIdentity(run_id="validation")
    try:
        await DirectRun(method.library, _no_inference, identity, options, most_dry_runs=PIPE_RUNS).execute(call)
    except PipelexError as failed:
        return failed.report
    return None


def _is_telling(code: str) -> bool:
    return code in _TELLING or code.startswith("method.")


def _place(loaded: LoadedLibrary, known: Location) -> Location:
    """The place of the failing pipe in its bundle."""
    domain, _, code = (known.pipe or "").rpartition(".")
    for bundle in loaded.files.packages[0].bundles:
        blueprint = bundle.blueprint
        if blueprint is not None and blueprint.domain == domain and code in blueprint.pipes:
            place = bundle.locate(("pipe", code), on_key=True)
            return replace(place, pipe=known.pipe, input=known.input, item=known.item)
    return Location(pipe=known.pipe, input=known.input)
