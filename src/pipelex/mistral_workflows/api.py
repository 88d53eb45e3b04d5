"""The part of Mistral's API that runs need, over the client `mistralai` in version 2 or 3.

The client's answers are read as plain JSON, because its models differ between releases while their members do not.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, cast

from pipelex.content.stuff import Json
from pipelex.errors import ErrorCategory
from pipelex.errors.json import as_objects, maybe
from pipelex.orchestration import EngineUnavailable

_TIMEOUT_MS: Final = 30_000
EVENTS_PER_PAGE: Final = 500
"""The number of events per request."""
_GONE: Final = 404
_TAKEN: Final = 409
_REFUSED: Final = (401, 403)

Members = Mapping[str, Json]


class MistralAPI:
    """The part of Mistral's API that is about executions.

    Args:
        server_url: the address of the API.
        api_key: the key.
    """

    def __init__(self, server_url: str, api_key: str) -> None:
        self.server_url = server_url
        self._api_key = api_key
        self._client: Any = None

    @property
    def _workflows(self) -> Any:
        if self._client is None:
            from mistralai.client import Mistral

            self._client = Mistral(api_key=self._api_key, server_url=self.server_url, timeout_ms=_TIMEOUT_MS)
        return self._client.workflows

    async def aclose(self) -> None:
        """Close the client's connections."""
        if self._client is not None:
            client, self._client = self._client, None
            async with client:  # leaving the block closes the connections
                pass

    # --- executions ---------------------------------------------------------------------------------------------------

    async def execute(self, workflow: str, execution_id: str, input_: Members, deployment: str) -> Members | None:
        """Start an execution.

        Returns:
            Its description; None if the id is already taken.
        """
        work = self._workflows.execute_workflow_async
        try:
            told = await _answer(
                work,
                workflow_identifier=workflow,
                execution_id=execution_id,
                input=dict(input_),
                deployment_name=deployment,
            )
        except APIRefusal as refused:
            if refused.status != _TAKEN:
                raise
            return None
        return _members(told)

    async def execution(self, execution_id: str) -> Members | None:
        """The description of an execution, with its result; None if there is no execution with that id."""
        try:
            return _members(
                await _answer(self._workflows.executions.get_workflow_execution_async, execution_id=execution_id)
            )
        except APIRefusal as refused:
            if refused.status != _GONE:
                raise
            return None

    async def executions(
        self,
        *,
        deployment: str | None = None,
        root: str | None = None,
        status: str | None = None,
        keys: Sequence[str] = (),
        limit: int,
    ) -> list[Members]:
        """The newest executions.

        Args:
            deployment: only executions of this deployment.
            root: only executions of the run with this root execution.
            status: only executions with this status, in the platform's words.
            keys: only executions with these search keys, each `key:value`.
            limit: the most executions to return.
        """
        wanted: dict[str, Any] = {"deployment_name": deployment, "root_execution_id": root, "status": status}
        wanted["search_key"] = list(keys) or None
        given = {name: value for name, value in wanted.items() if value is not None}
        found: list[Members] = []
        page: Any = await _answer(self._workflows.runs.list_runs_async, page_size=min(limit, 100), **given)
        while page is not None:
            result: Any = getattr(page, "result", page)
            found.extend(_members(each) for each in result.executions)
            if len(found) >= limit or not result.executions:
                break
            page = await _answer(page.next)
        return found[:limit]

    async def events(
        self, *, root: str | None = None, execution: str | None = None, page: int = EVENTS_PER_PAGE
    ) -> AsyncGenerator[Members]:
        """The events of a run, or of one execution of it, oldest first.

        Args:
            root: the id of a run's root execution, for the events of the whole run.
            execution: the id of an execution, for its events alone.
            page: the number of events per request.
        """
        cursor: str | None = None
        wanted = {"root_workflow_exec_id": root, "workflow_exec_id": execution}
        given: dict[str, Any] = {name: value for name, value in wanted.items() if value is not None}
        while True:
            at = {} if cursor is None else {"cursor": cursor}
            work = self._workflows.events.get_workflow_events_async
            told = _members(await _answer(work, limit=page, **given, **at))
            for event in as_objects(told.get("events") or ()):
                yield event
            cursor = maybe(told.get("next_cursor"), str)
            if not cursor:
                return

    async def history(self, execution_id: str) -> Json:
        """The history of an execution on the server under the platform, with its payloads not decoded."""
        work = self._workflows.executions.get_workflow_execution_history_async
        return await _answer(work, execution_id=execution_id, decode_payloads=False)

    async def cancel(self, execution_id: str) -> None:
        """Request the cancellation of an execution."""
        await _answer(self._workflows.executions.cancel_workflow_execution_async, execution_id=execution_id)

    async def terminate(self, execution_id: str) -> None:
        """Terminate an execution."""
        await _answer(self._workflows.executions.terminate_workflow_execution_async, execution_id=execution_id)

    async def reset(self, execution_id: str, event_id: int, reason: str) -> None:
        """Reset an execution to an event of its history, from which it continues."""
        work = self._workflows.executions.reset_workflow_async
        await _answer(work, execution_id=execution_id, event_id=event_id, reason=reason)

    # --- deployments --------------------------------------------------------------------------------------------------

    async def deployment(self, name: str) -> Members | None:
        """The description of a deployment; None if it has never had a worker."""
        try:
            return _members(await _answer(self._workflows.deployments.get_deployment_async, name=name))
        except APIRefusal as refused:
            if refused.status != _GONE:
                raise
            return None


class APIRefusal(EngineUnavailable):
    """The error for an answer of the API that is not a success."""

    status: int = 0
    """The HTTP status of the answer."""


async def _answer(work: Callable[..., Awaitable[Any]], **given: Any) -> Any:
    """The answer to a call.

    Raises:
        APIRefusal: the answer is not a success.
        EngineUnavailable: there is no answer.
    """
    try:
        return await work(**given)
    except Exception as failed:
        status = getattr(failed, "status_code", None)
        if isinstance(status, int) and type(failed).__module__.startswith("mistralai."):
            raise _refusal(status, str(getattr(failed, "body", "") or failed)) from None
        if not type(failed).__module__.startswith(("httpx", "httpcore", "mistralai.")):
            raise
        raise EngineUnavailable(
            "runtime.unavailable",
            f"Mistral's API does not answer: {failed or type(failed).__name__}",
            category=ErrorCategory.TRANSIENT,
            params={"dependency": "mistral_workflows"},
            advice="Check `[mistral_workflows] server_url`, and the network.",
        ) from None


def _refusal(status: int, body: str) -> APIRefusal:
    said = body.strip().splitlines()[0][:300] if body.strip() else "it says nothing more"
    if status in _REFUSED:
        refusal = APIRefusal(
            "runtime.misconfigured",
            f"Mistral's API refuses the key ({status}): {said}",
            category=ErrorCategory.CONFIGURATION,
            params={"component": "mistral_workflows"},
            advice="Check the key that `[mistral_workflows] api_key_id` names.",
        )
    else:
        refusal = APIRefusal(
            "runtime.unavailable",
            f"Mistral's API answers {status}: {said}",
            category=ErrorCategory.TRANSIENT,
            params={"dependency": "mistral_workflows"},
        )
    refusal.status = status
    return refusal


def _members(value: Any) -> Members:
    """An answer of the client as plain JSON."""
    if isinstance(value, Mapping):
        return cast("Members", value)
    return cast("Members", value.model_dump(mode="json"))
