"""The job of a run, and the digest that tells whether two starts ask for the same job."""

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
"""The user's own search attributes: name → value or values."""


@dataclass(frozen=True)
class RunRequest:
    """A run that is to start."""

    library: Library
    call: PipeCall
    """The entry pipe and its inputs."""
    identity: RunIdentity
    options: RunOptions
    trees: tuple[MethodTree, ...] = ()
    """The method trees on this machine; an in-process orchestrator takes functions and templates from them."""
    is_named: bool = False
    """Whether the caller chose the run's id, so that another start may use the same id."""
    attributes: Attributes = field(default_factory=dict[str, str])
    """Search attributes by which a durable orchestrator finds this run again; others ignore them."""
    folders: tuple[Path, ...] = ()
    """The folders of method trees on this machine, if the trees themselves are not available."""
    on_change: OnChange | None = None
    """The callback that an in-process orchestrator calls with the run's trace whenever something begins or ends."""

    def __post_init__(self) -> None:
        check_run_id(self.identity.run_id)

    @property
    def digest(self) -> str:
        """The SHA-256 of what the caller asks for: method, pipe, inputs, mode and policy for failing items.

        Options that only the configuration decides, such as concurrency, are left out because they change no result.
        The order of the inputs does not count. The order within a value does, because templates show it.
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
    """The method, call and options that a run was started with, as its orchestrator kept them."""

    library: Library
    """The part of the library that the entry pipe needs."""
    call: PipeCall
    options: RunOptions
    identity: RunIdentity
    attributes: Attributes = field(default_factory=dict[str, str])
    folders: tuple[Path, ...] = ()
    """See `RunRequest.folders`; empty if the run takes its method trees from workers."""

    def request(
        self, *, run_id: str | None = None, reuse: Reuse | None = None, on_change: OnChange | None = None
    ) -> RunRequest:
        """The request that starts the same run again.

        Args:
            run_id: the id of the new run; if None, the same id.
            reuse: the run whose results are reused.
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
