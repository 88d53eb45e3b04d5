"""Dry runs of a valid method's pipes: what only shows when values flow."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from pipelex.errors import ErrorReport, Fault, Location, PipelexError

if TYPE_CHECKING:
    from pipelex.runner import Method

SECONDS: Final = 10.0
"""For all pipes of one target; the pipes left then are not run."""

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


def dry_run_faults(method: "Method", pipes: Sequence[str]) -> list[Fault]:
    """What goes wrong when each pipe runs on made-up inputs with every effect mocked."""
    return asyncio.run(_run_all(method, pipes))


async def _run_all(method: "Method", pipes: Sequence[str]) -> list[Fault]:
    found: dict[tuple[object, ...], Fault] = {}
    deadline = time.monotonic() + SECONDS
    for pipe in pipes:
        left = deadline - time.monotonic()
        if left <= 0:
            break
        try:
            async with asyncio.timeout(left):
                await method.run(pipe=pipe, dry_run=True, mock=True)
        except TimeoutError:
            break
        except PipelexError as failed:
            report = failed.report
            if report.code in _TELLING or report.code.startswith("method."):
                fault = _fault(method, report)
                found.setdefault((fault.code, fault.detail, fault.location), fault)
    return list(found.values())


def _fault(method: "Method", report: ErrorReport) -> Fault:
    return Fault(report.code, report.detail, _location(method, report.location), params=report.params)


def _location(method: "Method", known: Location) -> Location:
    """The place of the failing pipe in its bundle."""
    domain, _, code = (known.pipe or "").rpartition(".")
    for bundle in method.loaded.files.packages[0].bundles:
        blueprint = bundle.blueprint
        if blueprint is not None and blueprint.domain == domain and code in blueprint.pipes:
            place = bundle.locate(("pipe", code), on_key=True)
            return replace(place, pipe=known.pipe, input=known.input, item=known.item)
    return Location(pipe=known.pipe, input=known.input)


def own_pipes(method: "Method") -> list[str]:
    """The pipes of a valid method's own bundles that can run: written, with everything below them."""
    library = method.loaded.library
    if library is None or not method.verdict.is_valid:
        return []
    blueprints = [bundle.blueprint for bundle in method.loaded.files.targets if bundle.blueprint is not None]
    declared = [f"{blueprint.domain}.{code}" for blueprint in blueprints for code in blueprint.pipes]
    return [
        ref
        for ref in declared
        if all(library.pipe(inner).type != "PipeSignature" for inner in library.closure(ref).pipes)
    ]
