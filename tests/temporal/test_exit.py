"""A process that ran a method on Temporal ends with status 0, time after time: the SDK's threads may abort one."""

from pathlib import Path
from subprocess import run
from sys import executable

import pytest

from tests.support.methods import GREET
from tests.support.openai_server import OpenAIStub
from tests.support.processes import REPOSITORY, process, wait_for_file
from tests.support.project import Project

TIMES = 10


@pytest.mark.slow
def test_a_durable_run_ends_cleanly(project: Project, stub: OpenAIStub, tmp_path: Path) -> None:
    stub.on("Hello", text="Good day")
    method = project.method(GREET)
    ready, log = tmp_path / "ready", tmp_path / "worker.log"
    environ = {**project.environ, "PATH": "", "PYTHONPATH": str(REPOSITORY)}
    with process(
        ["-m", "tests.support.worker_process", str(ready)], cwd=project.root, environ=project.environ, log=log
    ) as worker:
        wait_for_file(ready, worker, log)
        for _ in range(TIMES):
            command = [executable, "-m", "pipelex.cli", "run", str(method), "--inputs", '{"name": "Ada"}', "--durable"]
            ended = run(command, cwd=project.root, env=environ, capture_output=True, timeout=60, check=False)
            assert ended.returncode == 0, ended.stderr.decode()[-1500:]
            assert "Good day" in ended.stdout.decode()
