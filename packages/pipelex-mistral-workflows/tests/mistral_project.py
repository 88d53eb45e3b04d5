"""A project whose runs go to the stand-in, and what serves them in this process."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelex.config import Settings, load_settings
from pipelex.runner import Pipelex

from mistral_stand_in.api import KEY
from tests.support.inference_files import OTHER_MODELS, STUB_MODELS, write_stub_inference

DEPLOYMENT = "pipelex-tests"
EXPOSED: dict[str, Any] = {}
"""The exposed pipes of the session's worker, by reference."""
ATTEMPTS = 2
"""How often an effect is tried, whatever runs it."""

EXPOSED_SETTINGS = """
[mistral_workflows.exposed]
libraries = ["exposed"]
pipes = ["quay.*"]
workflow_names."quay.greet" = "greet-a-ship"

[mistral_workflows.rate_limits]
openai = { max_calls = 600, per = "1m" }
"""
EXPOSED_METHOD = """
domain = "quay"

[concept.Ship]
description = "A ship"

[concept.Ship.structure]
name = { type = "text", description = "Its name", required = true }
length = { type = "number", description = "Metres" }

[concept.Race]
description = "Two ships, and a third that may join"

[concept.Race.structure]
first = { type = "concept", concept_ref = "Ship", description = "One", required = true }
second = { type = "concept", concept_ref = "Ship", description = "Another", required = true }

[pipe.call_race]
type = "PipeCompose"
description = "Call a race"
inputs = { race = "Race", words = "Text[2]", other = "Race?" }
output = "Text"
template = "{{ race.first.name }} {{ words[0] }} {{ race.second.name }}{% if other %}, {{ other.first.name }}{% endif %}"

[pipe.greet]
type = "PipeLLM"
description = "Greet a ship"
inputs = { ship = "Ship", words = "Text[]" }
output = "Text"
prompt = "Greet $ship.name with $words"

[pipe.moor]
type = "PipeSequence"
description = "Moor a ship"
inputs = { ship = "Ship" }
output = "Text"
steps = [{ pipe = "tell", result = "told" }]

[pipe.tell]
type = "PipeCompose"
description = "Tell of a ship"
inputs = { ship = "Ship" }
output = "Text"
template = "$ship.name is moored"
"""
_SETTINGS = """
[inference]
transport_max_retries = {retries}

[mistral_workflows]
server_url = "{api}"
deployment_name = "{deployment}"
poll_interval = "0:00:00.1"

[mistral_workflows.worker_config]
default_activity_heartbeat_timeout = "10s"
retry_policy_config.initial_interval = "0:00:00.05"
retry_policy_config.maximum_attempts = {attempts}
"""


@dataclass(frozen=True)
class MistralProject:
    """A folder with a configuration, and nothing of the user's; as `tests.support.project.Project`."""

    root: Path

    @property
    def environ(self) -> dict[str, str]:
        return {"HOME": str(self.root / "home"), "PIPELEX_TRUST_PROJECT": "1", "MISTRAL_API_KEY": KEY}

    def settings(self, overrides: dict[str, Any] | None = None) -> Settings:
        return load_settings(cwd=self.root, environ=self.environ, overrides=overrides)

    def app(self, orchestrator: str = "mistral-workflows", *, overrides: dict[str, Any] | None = None) -> Pipelex:
        return Pipelex(self.settings(overrides), orchestrator=orchestrator)

    def method(self, text: str, name: str = "method.mthds") -> Path:
        file = self.root / name
        file.write_text(text, encoding="utf-8")
        return file


def write_mistral_project(
    root: Path, *, stub: str, api: str, deployment: str = DEPLOYMENT, more: str = ""
) -> MistralProject:
    """Make a project.

    Args:
        root: its folder.
        stub: endpoint of the model server, with `/v1`.
        api: the address of the stand-in of Mistral's API.
        deployment: the deployment of its runs.
        more: further settings.
    """
    write_stub_inference(root / ".pipelex" / "inference", stub, models=STUB_MODELS + OTHER_MODELS)
    text = _SETTINGS.format(api=api, deployment=deployment, retries=ATTEMPTS - 1, attempts=ATTEMPTS)
    (root / ".pipelex" / "pipelex.toml").write_text(text + more, encoding="utf-8")
    return MistralProject(root)


@contextmanager
def serving(app: Pipelex) -> Generator[None]:
    """Have the worker of this process work with the app's settings while the block runs."""
    from pipelex_mistral_workflows.deployment import Deployment, serve

    end = serve(Deployment.of(app.settings, inference=app.inference, exposed=EXPOSED))
    try:
        yield
    finally:
        end()
