"""The job of a run, and the digest by which two starts are known to ask for the same."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic_core import to_json

from pipelex.library import Library, MethodTree
from pipelex.orchestration.refusals import check_run_id
from pipelex.pipes.calls import PipeCall, Reuse, RunIdentity, RunOptions
from pipelex.pipes.trace import PipeTrace

OnChange = Callable[[PipeTrace], None]

Attributes = Mapping[str, str | Sequence[str]]
"""Search attributes of the user's own: name → value, or values."""


@dataclass(frozen=True)
class RunRequest:
    """A run that is to start."""

    library: Library
    call: PipeCall
    """The entry pipe and its inputs."""
    identity: RunIdentity
    options: RunOptions
    trees: tuple[MethodTree, ...] = ()
    """The method trees on this machine, which an orchestrator of this process takes functions and templates from."""
    is_named: bool = False
    """Whether the caller chose the run's id, so that the same id may come again."""
    attributes: Attributes = field(default_factory=dict[str, str])
    """Attributes by which an orchestrator that keeps runs finds this one again; others ignore them."""
    folders: tuple[Path, ...] = ()
    """The folders of method trees on this machine, where the trees themselves are not at hand."""
    on_change: OnChange | None = None
    """The callback that gets the run's trace whenever something begins or ends, from an orchestrator of this
    process."""

    def __post_init__(self) -> None:
        check_run_id(self.identity.run_id)

    @property
    def digest(self) -> str:
        """The SHA-256 of what the caller asks for: method, pipe, inputs, mode and policy of failures.

        What only the configuration decides, such as concurrency, is left out: it changes no result. The order of the
        inputs does not count; the order within a value does, since templates show it.
        """
        call, options = self.call, self.options
        concepts = [stuff.concept for stuff in call.inputs.values()]
        dynamic = [] if call.dynamic_output is None else [call.dynamic_output]
        crate = self.library.closure(call.pipe, [*concepts, *dynamic])
        facts = [crate.fingerprint, call.pipe, call.dynamic_output, options.mode, options.on_item_failure]
        hashed = hashlib.sha256(to_json(facts))
        for name in sorted(call.inputs):
            hashed.update(to_json([name, call.inputs[name].to_json()]))
        return hashed.hexdigest()


@dataclass(frozen=True)
class RunSource:
    """What a run was started with, as its orchestrator kept it."""

    library: Library
    """The part of the library that the entry pipe needs."""
    call: PipeCall
    options: RunOptions
    identity: RunIdentity
    attributes: Attributes = field(default_factory=dict[str, str])
    folders: tuple[Path, ...] = ()
    """See `RunRequest.folders`; empty where runs take them from their workers."""

    def request(
        self, *, run_id: str | None = None, reuse: Reuse | None = None, on_change: OnChange | None = None
    ) -> RunRequest:
        """The start of the same once more.

        Args:
            run_id: the id of the new run; the same id when None.
            reuse: the run whose results are taken.
            on_change: see `RunRequest.on_change`.
        """
        identity = self.identity if run_id is None else self.identity.model_copy(update={"run_id": run_id})
        said: dict[str, Any] = {name: getattr(self.options, name) for name in self.options.model_fields_set - {"reuse"}}
        if reuse is not None:
            said["reuse"] = reuse
        options = type(self.options).model_validate(said)
        return RunRequest(
            self.library,
            self.call,
            identity,
            options,
            is_named=run_id is None,
            attributes=self.attributes,
            folders=self.folders,
            on_change=on_change,
        )
