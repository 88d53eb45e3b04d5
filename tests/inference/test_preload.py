"""What a worker loads before it says that it is ready."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.project import write_project

PROGRAM = """
import sys
from pipelex.config import load_settings
from pipelex.runner import inference_of

inference = inference_of(load_settings(environ={"HOME": "."}))
before = "pipelex.inference.chat.openai" in sys.modules
inference.preload()
print(before, "pipelex.inference.chat.openai" in sys.modules, "xllamacpp" in sys.modules)
"""


@pytest.mark.slow
def test_the_clients_of_ready_backends_and_no_local_model(tmp_path: Path) -> None:
    write_project(tmp_path, stub="http://127.0.0.1:1/v1")
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=100
    )
    assert done.stdout.split() == ["False", "True", "False"], done.stderr
