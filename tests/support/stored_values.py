"""Workflows that hand on a value they never see; in a module of their own, which the sandbox loads for every run."""

from datetime import timedelta

from temporalio import activity, workflow
from temporalio.common import RawValue

with workflow.unsafe.imports_passed_through():
    from pipelex.durable.stored import StoredPayload
    from pipelex.temporal.codec import load_value, store_value
    from pipelex.temporal.workflow.references import reference_payload

SHORTLY = timedelta(seconds=20)


@activity.defn
async def make_long_text(size: int) -> StoredPayload:
    return await store_value(activity.client().data_converter, "x" * size)


@activity.defn
async def measure(text: str) -> int:
    return len(text)


@activity.defn
async def measure_stored(stored: StoredPayload) -> int:
    return len(await load_value(activity.client().data_converter, stored, str))


@workflow.defn
class Reader:
    @workflow.run
    async def run(self, text: str) -> int:
        return len(text)


@workflow.defn
class Passer:
    @workflow.run
    async def run(self, size: int) -> list[int]:
        stored = await workflow.execute_activity(make_long_text, size, start_to_close_timeout=SHORTLY)
        as_argument: RawValue = RawValue(reference_payload(stored))
        return [
            await workflow.execute_child_workflow("Reader", as_argument, result_type=int),
            await workflow.execute_activity("measure", as_argument, result_type=int, start_to_close_timeout=SHORTLY),
            await workflow.execute_activity(measure_stored, stored, start_to_close_timeout=SHORTLY),
        ]
