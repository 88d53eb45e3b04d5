"""The list of workers that a deployment consists of, from its `workers.toml`."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

NAMES = ("single-worker", "router-and-runners", "per-provider")


@dataclass(frozen=True)
class WorkerSpec:
    """One kind of worker."""

    name: str
    task_queue: str
    scope: str
    processes: int
    secrets: tuple[str, ...]
    """The environment variables that this kind gets; another kind gets them only if it names them, too."""
    extras: tuple[str, ...]
    """The extras of the package that its providers need."""
    profile: str | None = None

    @classmethod
    def from_table(cls, table: dict[str, Any]) -> Self:
        """Read one of the `[[workers]]` tables."""
        lists: dict[str, Any] = {key: tuple(table[key]) for key in ("secrets", "extras")}
        return cls(**{**table, **lists})

    @property
    def arguments(self) -> list[str]:
        """The arguments of `pipelex` that start it."""
        tuned = [] if self.profile is None else ["--profile", self.profile]
        return ["worker", "--task-queue", self.task_queue, "--scope", self.scope, *tuned]


@dataclass(frozen=True)
class Deployment:
    """A deployment: one of the folders beside this file."""

    folder: Path
    description: str
    workers: tuple[WorkerSpec, ...]

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def secrets(self) -> tuple[str, ...]:
        """The secrets of all its workers."""
        return tuple(dict.fromkeys(secret for worker in self.workers for secret in worker.secrets))

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read a deployment's `workers.toml`."""
        with (folder / "workers.toml").open("rb") as file:
            found = tomllib.load(file)
        return cls(folder.resolve(), found["description"], tuple(map(WorkerSpec.from_table, found["workers"])))
