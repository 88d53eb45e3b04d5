"""The activities: each performs one job, heartbeats while it lasts, and fails with a report Temporal can act on."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, TypeVar

from temporalio import activity
from temporalio.common import RawValue

from pipelex.errors import ErrorCategory, PipelexError
from pipelex.inference import Inference, performers
from pipelex.inference.calls.idempotency import logical_call
from pipelex.library import linked_libraries
from pipelex.pipes.effects.jobs import (
    ContentListResult,
    ContentResult,
    DocumentJob,
    ExtractJob,
    ImageJob,
    JudgeJob,
    LLMObjectJob,
    LLMObjectListJob,
    LLMObjectListResult,
    LLMObjectResult,
    LLMTextJob,
    LLMTextResult,
    SearchJob,
    TemplateResult,
)
from pipelex.pipes.effects.requests import FunctionRequest, TemplateRequest, ViewsRequest
from pipelex.pipes.templates import render_request
from pipelex.pipes.wire import Wire
from pipelex.temporal.codec import stored_above
from pipelex.temporal.workflow.failures import to_application_error
from pipelex.temporal.workflow.large_inputs import LargeInputs, whole
from pipelex.temporal.workflow.limits import check_payload

R = TypeVar("R", bound=Wire)

HEARTBEATS_PER_TIMEOUT = 3
"""Heartbeats sent in each heartbeat time-out, so that a lost one does not lose the activity."""


class Activities:
    """The activities of a worker over one `Inference`."""

    def __init__(self, inference: Inference) -> None:
        self._performers = performers(inference)

    async def _perform(self, job: Any) -> Any:
        info = activity.info()
        name = info.activity_type
        perform = self._performers.get(name)
        if perform is None:
            raise to_application_error(
                PipelexError(
                    "runtime.unsupported",
                    f"this worker cannot perform '{name}'",
                    category=ErrorCategory.CONFIGURATION,
                    params={"capability": name},
                ).report,
                may_retry=True,
            )
        with logical_call(f"{info.workflow_id}:{info.workflow_run_id}:{info.activity_id}"):
            return await _reported(perform(job))

    @activity.defn(name="act_llm_gen_text")
    async def llm_text(self, job: LLMTextJob) -> LLMTextResult:
        return await self._perform(job)

    @activity.defn(name="act_llm_gen_object")
    async def llm_object(self, job: LLMObjectJob) -> LLMObjectResult:
        return await self._perform(job)

    @activity.defn(name="act_llm_gen_object_list")
    async def llm_object_list(self, job: LLMObjectListJob) -> LLMObjectListResult:
        return await self._perform(job)

    @activity.defn(name="act_img_gen_images")
    async def images(self, job: ImageJob) -> ContentListResult:
        return await self._perform(job)

    @activity.defn(name="act_extract_gen_extract_pages")
    async def pages(self, job: ExtractJob) -> ContentListResult:
        return await self._perform(job)

    @activity.defn(name="act_render_page_views")
    async def views(self, job: ViewsRequest) -> ContentListResult:
        return await self._perform(job)

    @activity.defn(name="act_search_gen_sourced_answer")
    async def search(self, job: SearchJob) -> ContentResult:
        return await self._perform(job)

    @activity.defn(name="act_judge_gen")
    async def judge(self, job: JudgeJob) -> ContentListResult:
        return await self._perform(job)

    @activity.defn(name="act_doc_gen")
    async def document(self, job: DocumentJob) -> ContentResult:
        return await self._perform(job)

    @activity.defn(name="act_func_call")
    async def function(self, job: FunctionRequest) -> ContentResult:
        return await self._perform(job)

    @activity.defn(name="act_jinja2_gen_text")
    async def template(self, request: TemplateRequest, crate: RawValue, large: LargeInputs | None) -> TemplateResult:
        library = linked_libraries().get(crate.payload.data)
        return await _reported(asyncio.to_thread(render_request, library, whole(request, large)))

    @property
    def all(self) -> dict[str, Callable[..., Awaitable[Any]]]:
        """Activity name → bound method."""
        return {
            "act_llm_gen_text": self.llm_text,
            "act_llm_gen_object": self.llm_object,
            "act_llm_gen_object_list": self.llm_object_list,
            "act_img_gen_images": self.images,
            "act_extract_gen_extract_pages": self.pages,
            "act_render_page_views": self.views,
            "act_search_gen_sourced_answer": self.search,
            "act_judge_gen": self.judge,
            "act_doc_gen": self.document,
            "act_func_call": self.function,
            "act_jinja2_gen_text": self.template,
        }


async def _reported(work: Awaitable[R]) -> R:
    """Await an effect under heartbeats; a failure leaves as a report that says how often it was tried."""
    try:
        async with _heartbeats():
            result = await work
        _check(result)
        return result
    except PipelexError as failed:
        report = replace(failed.report, attempts=activity.info().attempt)
        raise to_application_error(report, may_retry=True) from None


def _check(result: Wire) -> None:
    """Refuse a result that is too large: the SDK would have the call repeated, and paid for, with the same result."""
    what = f"the result of {activity.info().activity_type}"
    check_payload(result, what=what, stored_above=stored_above(activity.client().data_converter))


@asynccontextmanager
async def _heartbeats() -> AsyncGenerator[None]:
    timeout = activity.info().heartbeat_timeout
    if timeout is None:
        yield
        return
    interval = timeout.total_seconds() / HEARTBEATS_PER_TIMEOUT

    async def beat() -> None:
        while True:
            activity.heartbeat()
            await asyncio.sleep(interval)

    beating = asyncio.create_task(beat())
    try:
        yield
    finally:
        beating.cancel()
