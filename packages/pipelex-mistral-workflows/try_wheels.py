"""Runs a worker and a method from installed wheels alone, on the stand-in of Mistral's API.

Run by `make wheels-mistral`.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from demo import HERE, PIPELEX, process

METHOD = """
domain = "harbour"
main_pipe = "tell"

[pipe.tell]
type = "PipeCompose"
description = "Tell of a ship"
inputs = { ship = "Text" }
output = "Text"
template = "$ship is moored"
"""
SETTINGS = """
[mistral_workflows]
is_enabled = true
server_url = "{url}"
deployment_name = "wheels"
"""


def main() -> int:
    """Run the method, check its result, and return 0."""
    import pipelex
    import pipelex_mistral_workflows

    for module in (pipelex, pipelex_mistral_workflows):
        place = Path(str(module.__file__))
        assert place.is_relative_to(sys.prefix), f"{module.__name__} is not that of the wheel, but {place}"
    scratch = Path(tempfile.mkdtemp(prefix="pipelex-wheels-"))
    with process([sys.executable, "-m", "mistral_stand_in"], scratch, "stand-in", paths=[HERE / "tests"]) as told:
        stand_in = json.loads(told)
        (scratch / ".pipelex").mkdir()
        settings = SETTINGS.format(url=stand_in["url"])
        (scratch / ".pipelex" / "pipelex.toml").write_text(settings, encoding="utf-8")
        (scratch / "method.mthds").write_text(METHOD, encoding="utf-8")
        known = {"PIPELEX_TRUST_PROJECT": "1", "MISTRAL_API_KEY": stand_in["key"]}
        command = [*PIPELEX, "worker", "--orchestrator", "mistral-workflows", "--ready-file"]
        with process(command, scratch, "worker", known, cwd=scratch):
            run = [*PIPELEX, "run", "method.mthds", "--inputs", '{"ship": "Ada"}', "--json"]
            given = subprocess.run(run, cwd=scratch, env={**os.environ, **known}, check=True, capture_output=True)
    assert "Ada is moored" in given.stdout.decode(), given.stdout.decode()
    print(f"Python {sys.version.split()[0]}: a worker and a run from wheels: Ada is moored")
    return 0


if __name__ == "__main__":
    sys.exit(main())
