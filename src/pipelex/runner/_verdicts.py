"""The verdict on a method with what only shows when values flow: each of its pipes runs on made-up values."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from pipelex.errors import ErrorReport, Fault, Location, PipelexError
from pipelex.library import LoadedLibrary, Verdict, ready_pipes

if TYPE_CHECKING:
    from pipelex.runner._app import Method

SECONDS: Final = 10.0
"""The time for the dry runs of one method; the pipes left then are `Verdict.unchecked`."""

_TELLING: Final = frozenset(
    {
        "pipe.binding_failed",
        "pipe.input_unresolved",
        "pipe.output_invalid",
        "pipe.output_multiplicity",
        "pipe.stack_overflow",
        "pipe.template_render_failed",
    }
)
"""Failures that are the method's own. Others may come from the made-up values, as a condition that none of them meets,
or from this machine."""


async def checked_verdict(method: "Method") -> Verdict:
    """The verdict of a method, with the faults that dry runs of its pipes bring out.

    Args:
        method: a method that runs in this process; of one for a single pipe, only that pipe runs.
    """
    faults: dict[tuple[object, ...], Fault] = {}
    waiting = ready_pipes(method.loaded)
    deadline = time.monotonic() + SECONDS
    while waiting and (left := deadline - time.monotonic()) > 0:
        try:
            report = await asyncio.wait_for(_failure(method, waiting[0]), left)
        except TimeoutError:
            break
        del waiting[0]
        if report is not None and _is_telling(report.code):
            fault = Fault(report.code, report.detail, _place(method.loaded, report.location), params=report.params)
            faults.setdefault((fault.code, fault.detail, fault.location), fault)
    return _with(method.verdict, tuple(faults.values()), waiting)


def _with(verdict: Verdict, faults: tuple[Fault, ...], unchecked: Sequence[str]) -> Verdict:
    return replace(verdict, errors=(*verdict.errors, *faults), unchecked=tuple(unchecked))


async def _failure(method: "Method", pipe: str) -> ErrorReport | None:
    try:
        await method.run(pipe=pipe, dry_run=True, mock=True)
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
