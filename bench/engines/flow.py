"""Prefect: a flow in which each call is a task; its server keeps the states of both."""

import openai
from prefect import flow, task

from bench.engines.stub import address


@task
async def say(prompt: str) -> str:
    """Ask one prompt."""
    client = openai.AsyncOpenAI(base_url=address(), api_key="test-key-0123456789", max_retries=0)
    answer = await client.chat.completions.create(model="stub", messages=[{"role": "user", "content": prompt}])
    return answer.choices[0].message.content or ""


@flow
async def sequence(prompts: list[str]) -> list[str]:
    """Ask one prompt after the other."""
    return [await say(prompt) for prompt in prompts]
