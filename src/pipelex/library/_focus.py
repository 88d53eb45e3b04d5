"""Narrows a verdict to one pipe, so that faults of other pipes do not keep it from running."""

from dataclasses import replace
from typing import TYPE_CHECKING

from pipelex.errors import Fault, PipelexError
from pipelex.library._library import Library
from pipelex.library._method import LoadedLibrary
from pipelex.library._verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Set

    from pipelex.language import ParsedBundle
    from pipelex.library._crate import LibraryCrate


def focused(loaded: LoadedLibrary, name: str) -> LoadedLibrary:
    """The loaded library with a verdict on only one pipe and what it runs, and with that pipe as the entry.

    The verdict on a pipe that cannot be read has only its own faults. If nothing could be linked, or something that the
    pipe needs could not, the verdict stays the one on everything.

    Args:
        loaded: the library that was loaded.
        name: the pipe's code, or its reference.

    Raises:
        PipelexError: there is no such pipe, or several pipes have that code.
    """
    if faults := _faults_of_broken(loaded, name):
        return replace(loaded, verdict=Verdict(faults), focus=name)
    if loaded.library is None:
        return loaded
    if _is_unlinked(loaded, loaded.library, name):
        return replace(loaded, focus=name)
    ref = loaded.library.find_pipe(name)
    try:
        needed = loaded.library.closure(ref)
    except PipelexError:  # something it runs is not there
        return replace(loaded, entries=(ref,), focus=ref)
    return replace(loaded, verdict=_verdict_on(loaded, needed), entries=(ref,), focus=ref)


def ready_pipes(loaded: LoadedLibrary) -> list[str]:
    """The pipes that can run, among those that a valid verdict is about: they and everything below them are written.

    Returns:
        The qualified references of the targets' pipes, in the order of the files, or of the pipe in focus.
    """
    library = loaded.library
    if library is None or not loaded.verdict.is_valid:
        return []
    blueprints = [bundle.blueprint for bundle in loaded.files.targets if bundle.blueprint is not None]
    declared = [f"{blueprint.domain}.{code}" for blueprint in blueprints for code in blueprint.pipes]
    return [
        ref
        for ref in ([loaded.focus] if loaded.focus is not None else declared)
        if all(not library.pipe(inner).blueprint.is_signature for inner in library.closure(ref).pipes)
    ]


def _verdict_on(loaded: LoadedLibrary, needed: "LibraryCrate") -> Verdict:
    verdict = loaded.verdict
    bundles = loaded.files.packages[0].bundles
    whole = {bundle.path for bundle in bundles if _declares_a_pipe_of(bundle, needed)}
    parts = {bundle.path for bundle in bundles if _declares_a_concept_of(bundle, needed)}
    pipes, concepts = _codes(needed.pipes.keys()), _codes(needed.concepts.keys())

    def concerns(fault: Fault) -> bool:
        place = fault.location
        if place.file in whole and place.pipe is None:
            return True
        if place.file in parts and place.concept is not None:
            return place.concept.rpartition(".")[2] in concepts
        return place.file in whole and (place.pipe or "").rpartition(".")[2] in pipes

    return Verdict(
        tuple(fault for fault in verdict.errors if concerns(fault)),
        tuple(fault for fault in verdict.warnings if concerns(fault)),
        tuple(pipe for pipe in verdict.pending_signatures if pipe in needed.pipes),
    )


def _declares_a_pipe_of(bundle: "ParsedBundle", needed: "LibraryCrate") -> bool:
    blueprint = bundle.blueprint
    return blueprint is not None and any(f"{blueprint.domain}.{code}" in needed.pipes for code in blueprint.pipes)


def _declares_a_concept_of(bundle: "ParsedBundle", needed: "LibraryCrate") -> bool:
    blueprint = bundle.blueprint
    return blueprint is not None and any(f"{blueprint.domain}.{code}" in needed.concepts for code in blueprint.concepts)


def _is_unlinked(loaded: LoadedLibrary, library: Library, name: str) -> bool:
    """Whether the name means pipes that are declared but could not be linked."""
    declared = {
        f"{bundle.blueprint.domain}.{code}"
        for bundle in loaded.files.packages[0].bundles
        if bundle.blueprint is not None
        for code in bundle.blueprint.pipes
    }
    meant = {ref for ref in declared if name in (ref, ref.rpartition(".")[2])}
    return bool(meant) and meant.isdisjoint(library.pipes)


def _codes(refs: "Set[str]") -> frozenset[str]:
    return frozenset(ref.rpartition(".")[2] for ref in refs)


def _faults_of_broken(loaded: LoadedLibrary, name: str) -> tuple[Fault, ...]:
    """The faults of the pipe that the name means, if its declaration could not be read; otherwise none."""
    domain, _, code = name.rpartition(".")
    files = {
        bundle.path
        for bundle in loaded.files.packages[0].bundles
        if code in bundle.broken_pipes
        and bundle.blueprint is not None
        and code not in bundle.blueprint.pipes
        and domain in ("", bundle.blueprint.domain)
    }
    return tuple(
        fault
        for fault in loaded.verdict.errors
        if fault.location.file in files and (fault.location.pipe or "").rpartition(".")[2] == code
    )
