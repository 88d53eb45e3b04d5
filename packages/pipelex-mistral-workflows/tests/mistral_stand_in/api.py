"""The calls of Mistral's API that the SDK's worker and Mistral's client make, answered from Temporal."""

import asyncio
import json
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType, ResetReapplyExcludeType
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import Client, WorkflowExecutionDescription, WorkflowHandle
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from .http import Answer, HttpServer, Request, Stream

KEY = "stand-in-key"
_ALIVE = timedelta(seconds=30)
_AGAIN = WorkflowIDReusePolicy.ALLOW_DUPLICATE


@dataclass
class Execution:
    """What a worker told of an execution when it registered it."""

    id: str
    name: str
    parent: str | None
    root: str
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    keys: dict[str, str] = field(default_factory=dict)
    """Its search keys."""


@dataclass
class StandIn:
    """Mistral's API over one Temporal namespace."""

    client: Client
    target: str
    """Of the Temporal server, as workers are told it."""
    has_v2_events: bool = True
    """Whether the second form of the calls for events is there."""
    port: int = 0
    calls: Counter[str] = field(default_factory=Counter)
    specs: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Name → what was registered of a workflow."""
    heard: dict[str, datetime] = field(default_factory=dict)
    """Deployment → when a worker of it was heard last."""
    executions: dict[str, Execution] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)
    largest: int = 0
    """The bytes of the largest call."""
    takes_ids_again: bool = True
    """Whether an execution that has ended gives its id to a new one."""
    slow_events: float = 0.0
    """Seconds before an event is taken."""
    refusals: dict[str, int] = field(default_factory=dict)
    """A part of a path → the status that a call to it gets."""

    def __post_init__(self) -> None:
        self._server = HttpServer(self._answer, self.port)
        self._news = asyncio.Condition()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.port}"

    @property
    def connections(self) -> int:
        """How many were opened so far."""
        return self._server.connections

    async def start(self) -> "StandIn":
        await self._server.start()
        return self

    async def stop(self) -> None:
        await self._server.stop()

    # --- dispatch -----------------------------------------------------------------------------------------------------

    async def _answer(self, request: Request) -> Answer | Stream:
        self.largest = max(self.largest, len(request.body))
        if request.headers.get("authorization") != f"Bearer {KEY}":
            return Answer({"detail": "the key is not valid", "code": "unauthorized"}, 401)
        for part, status in self.refusals.items():
            if part in request.target:
                return Answer({"detail": "refused by the test"}, status)
        path = request.path
        self.calls[f"{request.method} {'/'.join(path[:4])}"] += 1
        try:
            return await self._routed(request, path)
        except RPCError as failed:
            if failed.status == RPCStatusCode.NOT_FOUND:
                return Answer({"detail": failed.message, "code": "not_found"}, 404)
            return Answer({"detail": failed.message}, 400)

    async def _routed(self, request: Request, path: list[str]) -> Answer | Stream:
        match request.method, path:
            case "GET", ["v1", "workflows", "workers", "whoami"]:
                features = {"upload_graph": False}
                told = {"scheduler_url": self.target, "namespace": self.client.namespace, "tls": False}
                return Answer({**told, "features": features})
            case "POST", ["v1", "workflows", "register"]:
                return self._register(request.json)
            case "POST", ["v1", "workflows", "workers", "heartbeat"]:
                self.heard[request.json.get("deployment_name", "")] = datetime.now(UTC)
                return Answer({"all_active": True})
            case "POST", ["v1", "workflows", "executions", "register"]:
                return self._register_execution(request.json)
            case "POST", ["v2", "workflows", "workers", "event-route-token"] if self.has_v2_events:
                return Answer({"route_token": "route", "expires_in_seconds": 600})
            case "POST", [version, "workflows", "events", *rest] if version == "v1" or self.has_v2_events:
                await asyncio.sleep(self.slow_events)
                return await self._take_events(request.json, is_batch=rest == ["batch"])
            case "PATCH", ["v1", "workflows", "executions", "search_keys", id_]:
                self.executions[id_].keys.update(request.json["search_key_metadata"])
                return Answer({"metadata_status": "ok"})
            case "GET", ["v1", "workflows", "events", "list"]:
                return self._list_events(request.query)
            case "GET", ["v1", "workflows", "events", "stream"]:
                return Stream(self._stream(request.query))
            case "GET", ["v1", "workflows", "runs"]:
                return await self._list_runs(
                    request.query, [key.partition(":") for key in request.all_of("search_key")]
                )
            case "GET", ["v1", "workflows", "deployments", name]:
                return self._deployment(name)
            case "POST", ["v1", "workflows", name, "execute"]:
                return await self._execute(name, request.json)
            case method, ["v1", "workflows", "executions", id_, *rest]:
                return await self._of_execution(method, id_, rest, request)
            case _:
                return Answer({"detail": "Not Found"}, 404)

    # --- workers ------------------------------------------------------------------------------------------------------

    def _register(self, body: dict[str, Any]) -> Answer:
        self.heard[body.get("deployment_name", "")] = datetime.now(UTC)
        refs: list[dict[str, str]] = []
        for definition in body["definitions"]:
            self.specs.setdefault(definition["name"], definition)
            ids = {
                name: str(uuid.uuid4()) for name in ("workflow_id", "workflow_registration_id", "workflow_version_id")
            }
            refs.append(ids)
        ids_ = [ref["workflow_registration_id"] for ref in refs]
        return Answer({"has_conflicts": False, "workflow_registration_ids": ids_, "workflow_registration_refs": refs})

    def _register_execution(self, body: dict[str, Any]) -> Answer:
        id_, parent = body["temporal_workflow_id"], body.get("temporal_parent_workflow_id")
        root = body.get("temporal_root_workflow_id") or id_
        self.executions.setdefault(id_, Execution(id_, body["workflow_name"], parent, root))
        return Answer({"execution_id": str(uuid.uuid4()), "created": True})

    def _deployment(self, name: str) -> Answer:
        if name not in self.heard:
            return Answer({"detail": "no such deployment", "code": "not_found"}, 404)
        heard = self.heard[name]
        is_active = datetime.now(UTC) - heard < _ALIVE
        at = heard.isoformat()
        worker = {"name": "worker", "created_at": at, "last_heartbeat": at, "updated_at": at, "is_active": is_active}
        return Answer({**worker, "id": str(uuid.uuid4()), "name": name, "workers": [worker]})

    # --- events -------------------------------------------------------------------------------------------------------

    async def _take_events(self, body: dict[str, Any], *, is_batch: bool) -> Answer:
        found = body["events"] if is_batch else [body["event"]]
        if len(json.dumps(body)) > 2_000_000:
            return Answer({"detail": "the events are larger than the broker takes"}, 413)
        async with self._news:
            self.events.extend(found)
            self._news.notify_all()
        return Answer({"status": "success", **({"events_received": len(found)} if is_batch else {})})

    def _list_events(self, query: dict[str, str]) -> Answer:
        found = [event for event in self.events if _is_wanted(event, query)]
        first, limit = int(query.get("cursor", 0)), int(query.get("limit", 100))
        last = first + limit
        page = [_response(event) for event in found[first:last]]
        return Answer({"events": page, "next_cursor": str(last) if last < len(found) else None})

    async def _stream(self, query: dict[str, str]) -> AsyncIterator[tuple[str, Any]]:
        place = 0
        while True:
            while place < len(self.events):
                event = self.events[place]
                place += 1
                if _is_wanted(event, query):
                    told = {
                        "stream": "workflows",
                        "timestamp_unix_nano": event["event_timestamp"],
                        "data": _response(event),
                        "workflow_context": {
                            "namespace": self.client.namespace,
                            "workflow_name": event["workflow_name"],
                            "workflow_exec_id": event["workflow_exec_id"],
                            "parent_workflow_exec_id": event["parent_workflow_exec_id"],
                            "root_workflow_exec_id": event["root_workflow_exec_id"],
                        },
                        "metadata": {},
                        "broker_sequence": place,
                    }
                    yield "event", told
            async with self._news:
                await self._news.wait_for(lambda: place < len(self.events))  # noqa: B023 it is read at once

    # --- executions ---------------------------------------------------------------------------------------------------

    async def _execute(self, name: str, body: dict[str, Any]) -> Answer:
        if name not in self.specs:
            return Answer({"detail": f"there is no workflow {name}", "code": "not_found"}, 404)
        id_ = body.get("execution_id") or str(uuid.uuid4())
        spec = self.specs[name]
        try:
            handle = await self.client.start_workflow(
                name,
                body.get("input"),
                id=id_,
                task_queue=body.get("deployment_name") or spec["task_queue"],
                execution_timeout=_duration(spec.get("execution_timeout")),
                id_reuse_policy=_AGAIN if self.takes_ids_again else WorkflowIDReusePolicy.REJECT_DUPLICATE,
                id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
            )
        except WorkflowAlreadyStartedError:
            return Answer({"detail": f"there is an execution {id_} already", "code": "conflict"}, 409)
        self.executions.setdefault(id_, Execution(id_, name, None, id_))
        return Answer(await self._described(await handle.describe(), with_result=False))

    async def _of_execution(self, method: str, id_: str, rest: list[str], request: Request) -> Answer:
        handle = self.client.get_workflow_handle(id_)
        match method, rest:
            case "GET", []:
                return Answer(await self._described(await handle.describe(), with_result=True))
            case "GET", ["history"]:
                return Answer((await handle.fetch_history()).to_json_dict())
            case "POST", ["cancel"]:
                await handle.cancel()
                return Answer(status=204)
            case "POST", ["terminate"]:
                await handle.terminate(reason="asked by the API")
                return Answer(status=204)
            case "POST", ["reset"]:
                return await self._reset(handle, request.json)
            case _:
                return Answer({"detail": "Not Found"}, 404)

    async def _reset(self, handle: WorkflowHandle[Any, Any], body: dict[str, Any]) -> Answer:
        described = await handle.describe()
        await self.client.workflow_service.reset_workflow_execution(
            ResetWorkflowExecutionRequest(
                namespace=self.client.namespace,
                workflow_execution=WorkflowExecution(workflow_id=handle.id, run_id=described.run_id),
                reason=body.get("reason") or "",
                workflow_task_finish_event_id=body["event_id"],
                request_id=str(uuid.uuid4()),
                reset_reapply_exclude_types=[ResetReapplyExcludeType.RESET_REAPPLY_EXCLUDE_TYPE_CANCEL_REQUEST],
            )
        )
        return Answer(status=204)

    async def _list_runs(self, query: dict[str, str], keys: list[tuple[str, str, str]]) -> Answer:
        wanted = [each for each in self.executions.values() if query.get("root_execution_id") in (None, each.root)]
        # "An exact key and a similar value", as the platform says it.
        wanted = [
            each for each in wanted if all(value.lower() in each.keys.get(key, "").lower() for key, _, value in keys)
        ]
        wanted.sort(key=lambda each: each.started, reverse=True)
        deployment = query.get("deployment_name")
        found: list[dict[str, Any]] = []
        for each in wanted:
            try:
                described = await self.client.get_workflow_handle(each.id).describe()
            except RPCError:
                continue
            told = await self._described(described, with_result=False)
            if query.get("status") in (None, told["status"]) and deployment in (None, described.task_queue):
                found.append(told)
        size = int(query.get("page_size", 50))
        first = int(query.get("next_page_token", 0))
        token = str(first + size) if first + size < len(found) else None
        return Answer({"executions": found[first : first + size], "next_page_token": token})

    async def _described(self, found: WorkflowExecutionDescription, *, with_result: bool) -> dict[str, Any]:
        known = self.executions.get(found.id)
        told: dict[str, Any] = {
            "workflow_name": found.workflow_type,
            "execution_id": found.id,
            "root_execution_id": known.root if known is not None else found.id,
            "parent_execution_id": None if known is None else known.parent,
            "run_id": found.run_id,
            "deployment_name": found.task_queue,
            "status": "RUNNING" if found.status is None else found.status.name,
            "start_time": found.start_time.isoformat(),
            "end_time": None if found.close_time is None else found.close_time.isoformat(),
        }
        if told["status"] == "RUNNING" and found.raw_description.pending_workflow_task.attempt > 1:
            told["status"] = "RETRYING_AFTER_ERROR"
        if with_result:
            told["result"] = await self._result(found.id) if told["status"] == "COMPLETED" else None
        else:
            told.pop("result", None)
            told["result"] = None
        return told

    async def _result(self, id_: str) -> Any:
        async for event in self.client.get_workflow_handle(id_).fetch_history_events():
            if event.event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED:
                payloads = event.workflow_execution_completed_event_attributes.result.payloads
                return json.loads(payloads[0].data) if payloads else None
        return None


def _is_wanted(event: dict[str, Any], query: dict[str, str]) -> bool:
    names = ("root_workflow_exec_id", "workflow_exec_id", "parent_workflow_exec_id", "workflow_name")
    return all(query.get(name) in (None, "*", event.get(name)) for name in names)


def _response(event: dict[str, Any]) -> dict[str, Any]:
    """An event as it is read; what a worker may leave out is there."""
    names = ("parent_workflow_exec_id", "continued_run_id", "first_execution_run_id", "chain_run_id", "schedule_id")
    return {**dict.fromkeys(names), **event}


def _duration(value: Any) -> timedelta | None:
    """An execution time-out as a worker registers it: seconds, or ISO 8601."""
    if value is None:
        return None
    if isinstance(value, int | float):
        return timedelta(seconds=value)
    from pydantic import TypeAdapter

    return TypeAdapter(timedelta).validate_python(value)
