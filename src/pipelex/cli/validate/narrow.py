"""The part of a verdict that concerns one pipe, so that its neighbours' faults do not keep it from running."""

from dataclasses import replace
from typing import TYPE_CHECKING

from pipelex.errors import Fault, PipelexError
from pipelex.library import Verdict

if TYPE_CHECKING:
    from pipelex.runner import Method


def narrowed(method: "Method", name: str) -> "Method":
    """The method with the verdict on a pipe and what it runs; on a pipe that cannot be read, with its faults alone.

    Raises:
        PipelexError: there is no such pipe, or several.
    """
    faults = _faults_of_broken(method, name)
    if faults:
        return replace(method, loaded=replace(method.loaded, verdict=Verdict(faults, (), ())))
    ref = method.pipe(name).ref
    try:
        needed = set(method.library.closure(ref).pipes)
    except PipelexError:  # something it runs is not there: the whole verdict says so
        return method
    files = {
        bundle.path
        for bundle in method.loaded.files.packages[0].bundles
        if bundle.blueprint is not None
        and any(f"{bundle.blueprint.domain}.{code}" in needed for code in bundle.blueprint.pipes)
    }
    codes = {pipe.rpartition(".")[2] for pipe in needed}

    def concerns(fault: Fault) -> bool:
        place = fault.location
        return place.file in files and (place.pipe is None or place.pipe.rpartition(".")[2] in codes)

    verdict = method.verdict
    mine = Verdict(
        tuple(fault for fault in verdict.errors if concerns(fault)),
        tuple(fault for fault in verdict.warnings if concerns(fault)),
        tuple(pipe for pipe in verdict.pending_signatures if pipe in needed),
    )
    return replace(method, loaded=replace(method.loaded, verdict=mine))


def _faults_of_broken(method: "Method", name: str) -> tuple[Fault, ...]:
    """The faults of a pipe that is declared in a form that could not be read, if the name means one."""
    domain, _, code = name.rpartition(".")
    files = {
        bundle.path
        for bundle in method.loaded.files.packages[0].bundles
        if code in bundle.broken_pipes
        and bundle.blueprint is not None
        and code not in bundle.blueprint.pipes
        and domain in ("", bundle.blueprint.domain)
    }
    return tuple(
        fault
        for fault in method.verdict.errors
        if fault.location.file in files and (fault.location.pipe or "").rpartition(".")[2] == code
    )
