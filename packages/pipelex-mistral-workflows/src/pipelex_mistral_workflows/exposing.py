"""The pipes that a worker exposes: those in its libraries that the settings name."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from pipelex.config import Settings
from pipelex.errors import ConfigurationError, near_names
from pipelex.mistral_workflows import names
from pipelex.mistral_workflows.config import MistralWorkflowsConfig
from pipelex.orchestration import IN_PROCESS
from pipelex.runner import Pipelex
from pipelex_mistral_workflows.deployment import ExposedPipe


def exposed_pipes(settings: Settings, config: MistralWorkflowsConfig) -> Mapping[str, ExposedPipe]:
    """The exposed pipes, by their references.

    Raises:
        ConfigurationError: a pattern or a workflow name matches no pipe, two pipes have the same workflow name, or the
            platform refuses one.
        PipelexError: a library cannot be read, or is not valid.
    """
    if not config.exposed.pipes:
        return {}
    app = Pipelex(settings, orchestrator=IN_PROCESS)
    found: dict[str, ExposedPipe] = {}
    references: list[str] = []
    for folder in config.exposed.libraries:
        library = app.load(settings.base_dir / Path(folder).expanduser()).library
        references += library.pipes
        for reference in library.pipes:
            if config.exposed.takes(reference) and reference not in found:
                name = _checked(config.exposed.name_of(reference), reference)
                found[reference] = ExposedPipe(name, library.pipe(reference), library)
    _check_patterns(config, found, references)
    _check_names(config, found)
    return found


def _checked(name: str, reference: str) -> str:
    why = names.why_not_a_name(name)
    if why is not None:
        raise ConfigurationError(
            f"pipe '{reference}' cannot be exposed as workflow '{name}': the name {why}",
            advice=f'Name it yourself: [mistral_workflows.exposed] workflow_names."{reference}" = "…".',
        )
    return name


def _check_patterns(config: MistralWorkflowsConfig, found: Mapping[str, ExposedPipe], references: list[str]) -> None:
    for pattern in config.exposed.pipes:
        alone = config.exposed.model_copy(update={"pipes": (pattern,)})
        if not any(map(alone.takes, found)):
            libraries = ", ".join(config.exposed.libraries) or "none"
            raise ConfigurationError(
                f"no pipe is called '{pattern}', which [mistral_workflows.exposed] exposes{_near(pattern, references)}",
                advice=f"Look at 'libraries' beside it; they are: {libraries}.",
            )


def _check_names(config: MistralWorkflowsConfig, found: Mapping[str, ExposedPipe]) -> None:
    for reference in config.exposed.workflow_names:
        if reference not in found:
            raise ConfigurationError(
                f"no pipe is called '{reference}', whose workflow [mistral_workflows.exposed] names{_near(reference, found)}",
                advice="Correct the reference in 'workflow_names'.",
            )
    by_name: dict[str, str] = {}
    for reference, each in found.items():
        other = by_name.setdefault(each.name, reference)
        if other != reference:
            raise ConfigurationError(
                f"the pipes '{other}' and '{reference}' cannot both be the workflow '{each.name}'",
                advice="Give one of them another name in [mistral_workflows.exposed] 'workflow_names'.",
            )


def _near(name: str, known: Iterable[str]) -> str:
    near = near_names(name, known, most=1)
    return f"; did you mean '{near[0]}'?" if near else ""
