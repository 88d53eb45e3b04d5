"""The floor: the least that a run costs on Temporal when its workflows are written by hand, without Pipelex.

One activity asks the model server with the same HTTP client. A child workflow runs the activity, and a root workflow
runs such children one after the other, all at once, or in a window. Arguments are as small as possible: a string in, a
string out. The activity heartbeats so that a lost worker is noticed, and its attempts are bounded, as in any careful
implementation.

The same workflows can also show an operator what they do: with a summary for every workflow and activity, details for
the root, and the five search attributes of a run for all of them. Any implementation pays for this text in its history.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from temporalio import activity, workflow
from temporalio.common import RetryPolicy, SearchAttributeKey, SearchAttributePair, TypedSearchAttributes

with workflow.unsafe.imports_passed_through():
    import openai

STUB: dict[str, str] = {}
"""The address of the model server under the key `url`; the worker's process sets it."""
_clients: dict[str, openai.AsyncOpenAI] = {}


@activity.defn(name="floor_ask")
async def ask(prompt: str) -> str:
    url = STUB["url"]
    if url not in _clients:
        _clients[url] = openai.AsyncOpenAI(base_url=url, api_key="test-key-0123456789", max_retries=0)
    beating = asyncio.create_task(beat())
    try:
        answer = await _clients[url].chat.completions.create(
            model="stub", messages=[{"role": "user", "content": prompt}]
        )
    finally:
        beating.cancel()
    return answer.choices[0].message.content or ""


async def beat() -> None:
    while True:
        await asyncio.sleep(10)
        activity.heartbeat()


@workflow.defn(name="FloorLeaf")
class FloorLeaf:
    @workflow.run
    async def run(self, prompt: str) -> str:
        return await asked(prompt)


async def asked(prompt: str) -> str:
    # A run that was started with search attributes shows summaries, too.
    shows = len(workflow.info().typed_search_attributes) > 0
    return await workflow.execute_activity(
        ask,
        prompt,
        start_to_close_timeout=timedelta(minutes=10),
        heartbeat_timeout=timedelta(seconds=30),
        retry_policy=RetryPolicy(initial_interval=timedelta(seconds=3), maximum_attempts=3),
        summary="LLM text · pipe=say · model=stub" if shows else None,
    )


@workflow.defn(name="FloorSequence")
class FloorSequence:
    @workflow.run
    async def run(self, prompts: list[str]) -> list[str]:
        return [await child(prompt, index) for index, prompt in enumerate(prompts)]


async def in_window(ask: Callable[[str, int], Awaitable[str]], prompts: list[str], window: int) -> list[str]:
    """The answers in order, with at most `window` questions under way at a time."""
    results = [""] * len(prompts)
    waiting = iter(enumerate(prompts))

    async def work() -> None:
        for index, prompt in waiting:
            results[index] = await ask(prompt, index)

    await asyncio.gather(*(work() for _ in range(min(window, len(prompts)))))
    return results


@workflow.defn(name="FloorWindow")
class FloorWindow:
    @workflow.run
    async def run(self, prompts: list[str], window: int) -> list[str]:
        return await in_window(child, prompts, window)


@workflow.defn(name="FloorActivities")
class FloorActivities:
    """A window of activities, without child workflows."""

    @workflow.run
    async def run(self, prompts: list[str], window: int) -> list[str]:
        return await in_window(lambda prompt, _: asked(prompt), prompts, window)


async def child(prompt: str, index: int) -> str:
    info = workflow.info()
    own = info.typed_search_attributes
    shows = len(own) > 0
    return await workflow.execute_child_workflow(
        FloorLeaf.run,
        prompt,
        id=f"{info.workflow_id}/{index}",
        static_summary="say — Say something" if shows else None,
        search_attributes=own if shows else None,
    )


def shown(run_id: str) -> dict[str, Any]:
    """The arguments of `Client.start_workflow` that show an operator what the root workflow is."""
    values = {
        "PipeCode": "say",
        "DomainCode": "harbour",
        "PipelineRunId": run_id,
        "SessionId": "76419a95a60d",
        "UserId": "operator",
    }
    rows = "\n".join(f"| {name} | `{value}` |" for name, value in values.items())
    pairs = [SearchAttributePair(SearchAttributeKey.for_keyword(name), value) for name, value in values.items()]
    return {
        "static_summary": "say — Say something",
        "static_details": f"| | |\n|---|---|\n{rows}",
        "search_attributes": TypedSearchAttributes(pairs),
    }


WORKFLOWS = (FloorLeaf, FloorSequence, FloorWindow, FloorActivities)
