"""The parts of a run's start, for this client as for any other SDK."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Final, cast

from temporalio.common import SearchAttributePair, TypedSearchAttributes

from pipelex.config import Settings
from pipelex.durable.jobs import Envelope, PipeJob, crate_of
from pipelex.durable.large import LargeValues
from pipelex.durable.limits import check_payload, task_timeout
from pipelex.durable.options import EngineOptions
from pipelex.errors import Json
from pipelex.library import LibraryCrate, Pipe
from pipelex.orchestration import RunRequest
from pipelex.pipes.calls import PipeCall, RunOptions
from pipelex.temporal.client.attributes import own_pairs
from pipelex.temporal.client.cluster import ENVIRONMENT_PREFIXES
from pipelex.temporal.config import TemporalConfig, connection, parse_temporal_config
from pipelex.temporal.workflow import observability
from pipelex.temporal.workflow.limits import LIMITS
from pipelex.temporal.workflow.payloads import Arguments, CompactPayloadConverter

JOB_DIGEST: Final = "pipelex_job"
"""The memo of an entry workflow that holds the digest of what was asked for, see `short_digest`."""

_DIGEST_DIGITS: Final = 32
"""128 bits of SHA-256: enough to tell jobs apart, and half the bytes in every history."""

REPLAY_OF: Final = "pipelex_replay_of"
"""The memo of an entry workflow that holds the id of the run whose results it takes."""


@dataclass(frozen=True)
class Start:
    """The start of an entry pipe's workflow."""

    config: TemporalConfig
    request: RunRequest
    call: PipeCall
    """The request's call, with its long lists by reference where there is a store."""
    options: EngineOptions

    @cached_property
    def pipe(self) -> Pipe:
        """The entry pipe, whose type is that of the workflow."""
        return self.request.library.pipe(self.call.pipe)

    @cached_property
    def crate(self) -> LibraryCrate:
        """The part of the library that the pipe needs."""
        return crate_of(self.request.library, self.call)

    @property
    def pairs(self) -> "Sequence[SearchAttributePair[Any]]":
        """The search attributes of the workflow, one by one."""
        found = self.attributes.search_attributes  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        return cast("Sequence[SearchAttributePair[Any]]", found)

    @cached_property
    def attributes(self) -> TypedSearchAttributes:
        """The search attributes of the workflow, the user's own among them.

        Raises:
            PipelexError: one of these is not declared, or a value is none of its type.
        """
        own = own_pairs(self.config, self.request.call, self.request.attributes)
        return observability.search_attributes(self.pipe, self.request.identity, self.config.attached_attributes, own)

    @cached_property
    def job(self) -> PipeJob:
        """The first argument, with all inputs.

        Raises:
            PipelexError: it is too large for a server without a store.
        """
        run = self.request.identity
        told = observability.identity(self.attributes)
        job = PipeJob.sparse(call=self.call, run=None if told == run else run, options=self.options)
        check_payload(
            job,
            LIMITS,
            what=f"the inputs of pipe '{self.pipe.code}'",
            named=self.call.inputs,
            stored_above=self.options.stored_above,
        )
        return job

    def arguments(self) -> list[Any]:
        """The workflow's arguments, large inputs apart."""
        kept, large = LargeValues(self.options.stored_above).split(self.call)
        return Arguments().of(Envelope(job=self.job.model_copy(update={"call": kept}), crate=self.crate, large=large))

    def plain_arguments(self) -> list[Any]:
        """The workflow's arguments with every input in the first one, for whoever knows JSON alone."""
        return Arguments().of(Envelope(job=self.job, crate=self.crate))

    @property
    def details(self) -> str:
        """The details that the UI shows."""
        return observability.details(self.pipe, self.call, self.request.identity, self.crate.fingerprint)

    @property
    def limits(self) -> dict[str, Any]:
        """The time limits of the workflow, as keywords of the SDK."""
        worker = self.config.worker_config
        return {
            "execution_timeout": worker.workflow_execution_timeout,
            "run_timeout": worker.run_timeout,
            "task_timeout": task_timeout(worker.task_timeout, self.job),
        }


def options_of(config: TemporalConfig, options: RunOptions, *, stored_above: int | None) -> EngineOptions:
    """The options with what the configuration says of the sequence of a run's commands."""
    return EngineOptions.of(
        options, child_workflows=config.worker_config.child_workflow_policy, stored_above=stored_above
    )


def plain_start(config: TemporalConfig, settings: Settings, request: RunRequest) -> Start:
    """A start for whoever knows JSON alone: every input is in the first argument, whatever its size.

    Args:
        config: the `[temporal]` tables.
        settings: where they are from; says whether the server is on this machine, and so whether workers have a store.
        request: the request to run.
    """
    codec = config.payload_codec_config
    has_store = codec.has_storage(is_local=connection(config, settings).is_local)
    options = options_of(config, request.options, stored_above=codec.size_threshold if has_store else None)
    return Start(config, request, request.call, options)


def json_arguments(start: Start) -> list[Json]:
    """The arguments of a workflow as JSON, each input in the first one."""
    payloads = CompactPayloadConverter().to_payloads(start.plain_arguments())
    return [json.loads(payload.data) if payload.data else None for payload in payloads]


@dataclass(frozen=True)
class MethodJob:
    """A method's run as plain JSON: whatever starts workflows can start it, in any language."""

    workflow_type: str
    task_queue: str
    arguments: list[Any]
    search_attributes: dict[str, Any]
    """The search attributes: name → value. The run's id is among them where it is known."""
    memo: dict[str, str]
    """The memo by which a second start with the same id is known to ask for the same."""
    workflow_id: str | None = None
    """The workflow's id, where the run's id is known."""

    @classmethod
    def of(cls, settings: Settings, request: RunRequest) -> "MethodJob":
        """The job of a request; see `pipelex.runner.Method.request`.

        Raises:
            PipelexError: the inputs are too large for a server without a store.
        """
        config = parse_temporal_config(settings)
        start = plain_start(config, settings, request)
        pairs = start.pairs
        attributes: dict[str, Any] = {pair.key.name: _plain(pair.value) for pair in pairs}
        if not request.is_named:
            attributes.pop(observability.PIPELINE_RUN_ID.name, None)
        prefix = ENVIRONMENT_PREFIXES.get(settings.environment or "", "")
        return cls(
            start.pipe.type,
            config.worker_config.default_task_queue,
            json_arguments(start),
            attributes,
            {JOB_DIGEST: short_digest(request.digest)},
            prefix + request.identity.run_id if request.is_named else None,
        )


def short_digest(digest: str) -> str:
    """A job's digest as a memo holds it; a run of an older client has the whole of it there."""
    return digest[:_DIGEST_DIGITS]


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
