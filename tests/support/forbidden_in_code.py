"""A workflow that asks for chance; the sandbox must notice."""

import uuid

from temporalio import workflow


@workflow.defn(name="AsksForChance")
class AsksForChance:
    @workflow.run
    async def run(self) -> str:
        return str(uuid.uuid4())
