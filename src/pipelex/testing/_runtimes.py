"""In-process runtimes for tests: with scripted models, or with only dry runs."""

import os
from collections.abc import Generator, Mapping
from contextlib import ExitStack, contextmanager
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final, Unpack

from pipelex.config import Settings, load_settings
from pipelex.content.stuff import Json
from pipelex.runner import Method, Pipelex
from pipelex.testing._network import no_network
from pipelex.testing._script import ScriptedModel

if TYPE_CHECKING:
    from pipelex.inference import ModelDeck
    from pipelex.runner import RunHandle
    from pipelex.runner._method import PathLike
    from pipelex.runner._options import RunKeywords


_INHERITED: Final = ("PATH", "LANG", "LC_ALL", "TMPDIR", "SYSTEMROOT")
"""The environment variables that a test's runtime keeps: those that every process needs, and no keys."""


class ScriptedPipelex(Pipelex):
    """A runtime in which a script answers for every model.

    Args:
        model: the script.
        settings: the configuration.
        orchestrator: the orchestrator that runs methods; this process by default.
    """

    def __init__(self, model: ScriptedModel, settings: Settings, *, orchestrator: str = "direct") -> None:
        super().__init__(settings, orchestrator=orchestrator)
        self.model = model

    @cached_property
    def deck(self) -> "ModelDeck":
        """The project's models, for all of which the script answers."""
        from pipelex.orchestration.wiring import deck_of
        from pipelex.testing._deck import scripted_deck

        return scripted_deck(deck_of(self.settings), self.model)


class DryPipelex(Pipelex):
    """A runtime in which every run is dry; inputs that are not given are made up, too."""

    def open(self, *paths: "PathLike", **options: Any) -> Method:
        """See base class."""
        method = super().open(*paths, **options)
        return DryMethod(method.app, method.loaded)


class DryMethod(Method):
    """A method whose runs are always dry."""

    async def start(
        self, inputs: "Mapping[str, Json] | PathLike | None" = None, **keywords: "Unpack[RunKeywords]"
    ) -> "RunHandle":
        """See base class."""
        keywords["dry_run"] = True
        keywords["mock"] = inputs is None
        return await super().start(inputs, **keywords)


@contextmanager
def scripted(
    model: ScriptedModel,
    *,
    project: "PathLike | None" = None,
    overrides: Mapping[str, Json] | None = None,
    allow_network: bool = False,
) -> Generator[Pipelex]:
    """An in-process runtime for the duration of the block. The script answers for all models.

    No files of the user are read, and files of runs go into a folder that is removed at the end.

    Args:
        model: the script.
        project: the folder whose `.pipelex` configures the runtime, with its models, aliases and presets; the packaged
            configuration when None.
        overrides: settings by dotted key.
        allow_network: whether other machines may be reached; see `no_network`.
    """
    with isolated(project, overrides, allow_network=allow_network) as settings:
        yield ScriptedPipelex(model, settings)


@contextmanager
def dry(*, project: "PathLike | None" = None, overrides: Mapping[str, Json] | None = None) -> Generator[Pipelex]:
    """A runtime for the duration of the block whose runs are all dry: no model is called, and results are made up.

    Args:
        project: see `scripted`.
        overrides: see `scripted`.
    """
    with isolated(project, overrides) as settings:
        yield DryPipelex(settings, orchestrator="direct")


@contextmanager
def isolated(
    project: "PathLike | None", overrides: Mapping[str, Json] | None, *, allow_network: bool = False
) -> Generator[Settings]:
    """Settings of a project, or the packaged ones, without the user's files and with a temporary folder for files.

    Args:
        project: the folder that has the `.pipelex`; the packaged settings when None.
        overrides: settings by dotted key.
        allow_network: whether other machines may be reached.
    """
    with ExitStack() as opened:
        folder = Path(opened.enter_context(TemporaryDirectory(prefix="pipelex-testing-")))
        if not allow_network:
            opened.enter_context(no_network())
        own: dict[str, Json] = {
            "runtime.storage.method": "local",
            "runtime.storage.local.path": str(folder / "storage"),
            "runtime.tracing.is_enabled": False,
            "runtime.telemetry.is_enabled": False,
            "inference.result_cache.is_enabled": False,
        }
        home = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        home |= {"HOME": str(folder), "PIPELEX_HOME": str(folder / "home")}
        home |= {"PIPELEX_TRUST_PROJECT": "1"}  # the caller chose the project, and none of its backends is called
        yield load_settings(
            cwd=folder if project is None else Path(project), environ=home, overrides={**own, **(overrides or {})}
        )
