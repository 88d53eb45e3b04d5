"""LangGraph on Temporal, by Temporal's own plug-in: each node is an activity of the workflow that runs the graph."""

from datetime import timedelta
from typing import Any, TypedDict

from temporalio import workflow

from bench.engines.stub import address

with workflow.unsafe.imports_passed_through():
    import openai
    from langgraph.graph import START, StateGraph
    from temporalio.langgraph import LangGraphPlugin, graph

STEPS = 10


class State(TypedDict):
    """The prompts, and the answers so far."""

    prompts: list[str]
    answers: list[str]


async def say(state: State) -> dict[str, Any]:
    """Ask the next prompt."""
    client = openai.AsyncOpenAI(base_url=address(), api_key="test-key-0123456789", max_retries=0)
    prompt = state["prompts"][len(state["answers"])]
    answer = await client.chat.completions.create(model="stub", messages=[{"role": "user", "content": prompt}])
    return {"answers": [*state["answers"], answer.choices[0].message.content or ""]}


def _drawn() -> Any:
    drawn = StateGraph(State)
    for rank in range(STEPS):
        options = {"execute_in": "activity", "start_to_close_timeout": timedelta(minutes=10)}
        drawn.add_node(f"say_{rank}", say, metadata=options)
        drawn.add_edge(START if rank == 0 else f"say_{rank - 1}", f"say_{rank}")
    return drawn


@workflow.defn(name="GraphSequence")
class GraphSequence:
    """Run the graph, one node after the other."""

    @workflow.run
    async def run(self, prompts: list[str]) -> list[str]:
        state = await graph("sequence").compile().ainvoke({"prompts": prompts, "answers": []})
        return state["answers"]


def plugin() -> LangGraphPlugin:
    """The plug-in with the graph."""
    return LangGraphPlugin(graphs={"sequence": _drawn()})


WORKFLOW = GraphSequence
