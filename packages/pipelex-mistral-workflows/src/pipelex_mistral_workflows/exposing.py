"""The pipes that a worker exposes: those in its libraries that the settings name."""

from collections.abc import Mapping
from pathlib import Path

from pipelex.config import Settings
from pipelex.errors import ConfigurationError
from pipelex.mistral_workflows import names
from pipelex.mistral_workflows.config import MistralWorkflowsConfig
from pipelex.orchestration import IN_PROCESS
from pipelex.runner import Pipelex
from pipelex_mistral_workflows.deployment import ExposedPipe


def exposed_pipes(settings: Settings, config: MistralWorkflowsConfig) -> Mapping[str, ExposedPipe]:
    """The exposed pipes, by their references.

    Raises:
        ConfigurationError: a pattern matches no pipe, or the platform refuses a workflow name.
        PipelexError: a library cannot be read, or is not valid.
    """
    if not config.exposed.pipes:
        return {}
    app = Pipelex(settings, orchestrator=IN_PROCESS)
    found: dict[str, ExposedPipe] = {}
    for folder in config.exposed.libraries:
        library = app.load(settings.base_dir / Path(folder).expanduser()).library
        for reference in library.pipes:
            if config.exposed.takes(reference) and reference not in found:
                name = _checked(config.exposed.name_of(reference), reference)
                found[reference] = ExposedPipe(name, library.pipe(reference), library)
    _check_patterns(config, found)
    return found


def _checked(name: str, reference: str) -> str:
    why = names.why_not_a_name(name)
    if why is not None:
        raise ConfigurationError(
            f"pipe '{reference}' cannot be exposed as workflow '{name}': the name {why}",
            advice=f'Name it yourself: [mistral_workflows.exposed] workflow_names."{reference}" = "…".',
        )
    return name


def _check_patterns(config: MistralWorkflowsConfig, found: Mapping[str, ExposedPipe]) -> None:
    for pattern in config.exposed.pipes:
        alone = config.exposed.model_copy(update={"pipes": (pattern,)})
        if not any(map(alone.takes, found)):
            libraries = ", ".join(config.exposed.libraries) or "none"
            raise ConfigurationError(
                f"no pipe is called '{pattern}', which [mistral_workflows.exposed] exposes",
                advice=f"Look at 'libraries' beside it; they are: {libraries}.",
            )
