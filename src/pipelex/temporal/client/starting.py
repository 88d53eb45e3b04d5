"""The parts of a run's start, for this client and for other SDKs."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Final, cast

from temporalio.common import Priority, SearchAttributePair, TypedSearchAttributes

from pipelex.config import Settings
from pipelex.durable.jobs import Envelope, PipeJob, crate_of
from pipelex.durable.large import LargeValues
from pipelex.durable.limits import check_payload, task_timeout
from pipelex.durable.options import EngineOptions
from pipelex.errors import Json
from pipelex.library import LibraryCrate, Pipe
from pipelex.orchestration import RunRequest
from pipelex.pipes.calls import PipeCall, RunIdentity, RunOptions
from pipelex.temporal.client.attributes import own_pairs
from pipelex.temporal.client.cluster import ENVIRONMENT_PREFIXES
from pipelex.temporal.config import TemporalConfig, connection, parse_temporal_config
from pipelex.temporal.workflow import observability
from pipelex.temporal.workflow.limits import LIMITS
from pipelex.temporal.workflow.payloads import Arguments, CompactPayloadConverter

JOB_DIGEST: Final = "pipelex_job"
"""The memo field of an entry workflow that holds the digest of its job; see `short_digest`."""

_DIGEST_DIGITS: Final = 32
"""The number of hexadecimal digits of a digest in a memo. These 128 bits are enough to tell jobs apart, and take half
the space of a whole SHA-256 in every history."""

REPLAY_OF: Final = "pipelex_replay_of"
"""The memo field of an entry workflow that holds the id of the run whose results it reuses."""


@dataclass(frozen=True)
class Start:
    """The start of an entry pipe's workflow."""

    config: TemporalConfig
    request: RunRequest
    call: PipeCall
    """The request's call; for this client, with its long lists by reference if there is a store."""
    options: EngineOptions
    is_scheduled: bool = False
    """Whether a schedule starts the workflow. The job is then that of many runs, and cannot contain their ids."""

    @cached_property
    def pipe(self) -> Pipe:
        """The entry pipe; its type is also the workflow's type."""
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
            PipelexError: one of the user's own is not declared, or a value does not fit its type.
        """
        own = own_pairs(self.config, self.request.call, self.request.attributes)
        return observability.search_attributes(self.pipe, self.request.identity, self.config.attached_attributes, own)

    @cached_property
    def job(self) -> PipeJob:
        """The workflow's first argument, with all inputs.

        Raises:
            PipelexError: it is too large for a server without a store.
        """
        job = PipeJob.sparse(call=self.call, run=self._told, options=self.options)
        check_payload(
            job,
            LIMITS,
            what=f"the inputs of pipe '{self.pipe.code}'",
            named=self.call.inputs,
            stored_above=self.options.stored_above,
        )
        return job

    @property
    def _told(self) -> RunIdentity | None:
        """The part of the owner that the job contains; see `PipeJob.run`."""
        run = self.request.identity
        if self.is_scheduled:
            return run.model_copy(update={"run_id": ""}) if run.user_id or run.session_id else None
        return None if observability.identity(self.attributes) == run else run

    def arguments(self) -> list[Any]:
        """The workflow's arguments, with large inputs in an argument of their own."""
        kept, large = LargeValues(self.options.stored_above).split(self.call)
        return Arguments().of(Envelope(job=self.job.model_copy(update={"call": kept}), crate=self.crate, large=large))

    def plain_arguments(self) -> list[Any]:
        """The workflow's arguments with every input in the first one, for clients that only know JSON."""
        return Arguments().of(Envelope(job=self.job, crate=self.crate))

    @property
    def fairness_key(self) -> str | None:
        """The user's name, if the configuration shares a backlog out among users."""
        is_fair = self.config.worker_config.fairness_by_user
        return observability.fairness_key(self.request.identity.user_id) if is_fair else None

    @property
    def priority(self) -> Priority:
        """The priority of the workflow's tasks in the queue of the routers; its children inherit it."""
        return Priority(fairness_key=self.fairness_key)

    @property
    def details(self) -> str:
        """The details that the UI shows."""
        return observability.details(self.pipe, self.call, self.request.identity, self.crate.fingerprint)

    @property
    def limits(self) -> dict[str, Any]:
        """The time limits of the workflow, as keyword arguments of the SDK."""
        worker = self.config.worker_config
        return {
            "execution_timeout": worker.workflow_execution_timeout,
            "run_timeout": worker.run_timeout,
            "task_timeout": task_timeout(worker.task_timeout, self.job),
        }


def options_of(config: TemporalConfig, options: RunOptions, *, stored_above: int | None) -> EngineOptions:
    """The options of a run, with the settings that determine the sequence of its commands."""
    return EngineOptions.of(
        options, child_workflows=config.worker_config.child_workflow_policy, stored_above=stored_above
    )


def plain_start(config: TemporalConfig, settings: Settings, request: RunRequest) -> Start:
    """A start for clients that only know JSON: every input is in the first argument, whatever its size.

    Args:
        config: the `[temporal]` tables.
        settings: the settings that have these tables. They tell whether the server is on this machine, and so whether
            workers have a store.
        request: the request to run.
    """
    codec = config.payload_codec_config
    has_store = codec.has_storage(is_local=connection(config, settings).is_local)
    options = options_of(config, request.options, stored_above=codec.size_threshold if has_store else None)
    return Start(config, request, request.call, options)


def json_arguments(start: Start) -> list[Json]:
    """The arguments of a workflow as JSON, with every input in the first one."""
    payloads = CompactPayloadConverter().to_payloads(start.plain_arguments())
    return [json.loads(payload.data) if payload.data else None for payload in payloads]


@dataclass(frozen=True)
class MethodJob:
    """A method's run as plain JSON, which any program that starts workflows can start, in any language."""

    workflow_type: str
    task_queue: str
    arguments: list[Any]
    search_attributes: dict[str, Any]
    """The search attributes: name → value. They include the run's id if the request names one."""
    memo: dict[str, str]
    """The memo, by which a second start with the same id can check that it asks for the same job."""
    workflow_id: str | None = None
    """The workflow's id; None if the request names no run id."""
    fairness_key: str | None = None
    """The user for whom the server shares out a backlog; None unless `fairness_by_user` asks for that."""

    @classmethod
    def of(cls, settings: Settings, request: RunRequest) -> "MethodJob":
        """The job of a request; see `pipelex.runner.Method.request`.

        Raises:
            PipelexError: a search attribute is not declared or has a wrong value, or the inputs are too large for a
                server without a store.
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
            start.fairness_key,
        )


def short_digest(digest: str) -> str:
    """A job's digest as a memo holds it. The memos of older clients hold the whole digest."""
    return digest[:_DIGEST_DIGITS]


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
