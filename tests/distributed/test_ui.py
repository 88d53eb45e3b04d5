"""What a person sees in the Temporal UI: a run's page and its tree, in a real browser."""

import asyncio
from pathlib import Path
from urllib.parse import quote

import pytest
from temporalio.client import WorkflowExecutionDescription

from pipelex.temporal.client import namespace
from pipelex.temporal.dev_server import DevServer
from tests.support.browser import CHROMIUM, WITHOUT, Page, browser
from tests.support.methods import SURVEY
from tests.support.openai_server import OpenAIStub
from tests.support.project import worker_of, write_project
from tests.support.temporal import client_of, config_of

pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason=WITHOUT)]


class Ui:
    """The pages of workflows, each saved as a picture once it shows what it should."""

    def __init__(self, page: Page, url: str, folder: Path) -> None:
        self._page = page
        self._workflows = f"{url}/namespaces/default/workflows"
        self._folder = folder

    def sees(self, workflow: WorkflowExecutionDescription, tab: str, *texts: str) -> str:
        self._page.open(f"{self._workflows}/{quote(workflow.id, safe='')}/{workflow.run_id}/{tab}")
        shown = self._page.wait_for(workflow.id, *texts)
        self._page.save(self._folder / f"{workflow.id.replace('/', '.')}-{tab}.png")
        return shown


async def test_a_run_and_its_tree(tmp_path: Path, stub: OpenAIStub) -> None:
    berths = [{"code": "B1", "depth": 3}, {"code": "B2"}, {"code": "B3", "depth": 9}]
    stub.on("Berths of", object={"items": berths}).on(matches=r"Describe berth (\w+)", text="fine")
    stub.on("History of", text="long").on("Varna", object={"date": "1972-05-01"})
    async with DevServer(ui_port=0) as server:
        project = write_project(tmp_path, stub=stub.url, target=server.target, queue="ui")
        async with project.app() as app, worker_of(app):
            client = await client_of(app)
            await namespace.register(client, await namespace.inspect(client, config_of(app)))
            await app.load(project.method(SURVEY)).run({"harbour": "Varna"}, run_id="monday")
            run = await client.get_workflow_handle("monday").describe()
            child = await client.get_workflow_handle("monday/5-facts/1-history").describe()
        assert server.ui_url is not None
        await asyncio.to_thread(look, server.ui_url, run, child, tmp_path)


def look(url: str, run: WorkflowExecutionDescription, child: WorkflowExecutionDescription, folder: Path) -> None:
    table = ("Pipe", "Domain", "Pipeline run", "User", "Session", "Library", "Inputs")
    with browser(folder / "browser") as page:
        ui = Ui(page, url, folder)
        ui.sees(run, "timeline", "PipeSequence", "describe[0] — Describe one berth", "report — Write the report")
        steps = ("1-list_berths", "2-describe[0]", "2-describe[2]", "4-judge_size", "5-facts", "6-report")
        ui.sees(run, "relationships", "PipeCondition", *(f"monday/{step}" for step in steps))
        metadata = ui.sees(run, "user-metadata", "survey — Survey a harbour", "harbour", *table)
        assert "Varna" not in metadata
        ui.sees(run, "search-attributes", '"PipeCode": "survey"', '"PipelineRunId": "monday"')

        ui.sees(child, "timeline", "PipeLLM", "LLM text · pipe=history · model=stub")
        ui.sees(child, "relationships", "monday/5-facts")
        ui.sees(child, "user-metadata", "history — Its history")
        ui.sees(child, "search-attributes", '"PipeCode": "history"', '"PipelineRunId": "monday"')
