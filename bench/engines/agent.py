"""pydantic-ai's durable agent: each request to the model is an activity of the workflow that runs the agent."""

from datetime import timedelta

from temporalio import workflow

from bench.engines.stub import address

with workflow.unsafe.imports_passed_through():
    from pydantic_ai import Agent
    from pydantic_ai.durable_exec.temporal import PydanticAIPlugin, PydanticAIWorkflow, TemporalAgent
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    _MODEL = OpenAIChatModel("stub", provider=OpenAIProvider(base_url=address(), api_key="test-key-0123456789"))
    AGENT = TemporalAgent(Agent(_MODEL, name="say"), activity_config={"start_to_close_timeout": timedelta(minutes=10)})


@workflow.defn(name="AgentSequence")
class AgentSequence(PydanticAIWorkflow):
    """Ask the agent one prompt after the other."""

    __pydantic_ai_agents__ = (AGENT,)

    @workflow.run
    async def run(self, prompts: list[str]) -> list[str]:
        return [(await AGENT.run(prompt)).output for prompt in prompts]


plugin = PydanticAIPlugin
WORKFLOW = AgentSequence
