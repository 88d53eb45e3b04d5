"""A workflow as somebody writes it with Mistral's SDK, one of whose activities runs a whole pipe."""

from datetime import timedelta
from typing import Any

import mistralai.workflows as workflows
from pydantic import BaseModel

from pipelex_mistral_workflows import run_pipe


class Wish(BaseModel):
    method: str
    words: list[str]


@workflows.activity(
    name="run_a_whole_pipe",
    start_to_close_timeout=timedelta(minutes=2),
    heartbeat_timeout=timedelta(seconds=10),
    retry_policy_max_attempts=2,
)
async def run_a_whole_pipe(wish: Wish) -> dict[str, Any]:
    return await run_pipe(wish.method, {"words": wish.words})


@workflows.workflow.define(name="own-workflow", enforce_determinism=False)
class OwnWorkflow:
    @workflows.workflow.entrypoint
    async def run(self, wish: Wish) -> dict[str, Any]:
        return await run_a_whole_pipe(wish)
