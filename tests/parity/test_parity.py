"""Every case of `cases/*.toml` in every way to run it: each as expected, and all alike in everything a user can see."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from pipelex.temporal.dev_server import DevServer
from tests.support.parity_cases import Case, Seen, check, check_agreement, load_cases, run_case, stub_of
from tests.support.project import worker_of, write_project


@dataclass(frozen=True)
class Way:
    """A way to run a method."""

    name: str
    orchestrator: str
    policy: str = "every_pipe"


WAYS = (Way("direct", "direct"), Way("temporal", "temporal"), Way("leaves inline", "temporal", "controllers"))


@pytest.mark.parametrize("case", load_cases(), ids=lambda case: case.name)
async def test_all_ways_agree(case: Case, tmp_path: Path, temporal_server: DevServer) -> None:
    seen: dict[str, Seen] = {}
    for way in WAYS:
        queue = f"parity-{case.name}-{way.policy}"
        with stub_of(case) as stub:
            project = write_project(tmp_path / way.name, stub=stub.url, target=temporal_server.target, queue=queue)
            policy = {"temporal": {"worker_config": {"child_workflow_policy": way.policy}}}
            overrides = {**case.data.get("settings", {}), **policy}
            async with project.app(way.orchestrator, overrides=overrides) as app:
                if way.orchestrator == "temporal":
                    async with worker_of(app):
                        seen[way.name] = await run_case(case, app, project, stub)
                else:
                    seen[way.name] = await run_case(case, app, project, stub)
        check(case, seen[way.name])
    check_agreement(case, seen)


def test_there_are_cases_enough() -> None:
    assert len(load_cases()) >= 50
