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
    """Environment variables this kind gets, and no other kind that does not name them."""
    extras: tuple[str, ...]
    """Extras of the package that its providers need."""
    profile: str | None = None

    @classmethod
    def from_table(cls, table: dict[str, Any]) -> Self:
        """From one of the `[[workers]]`."""
        lists: dict[str, Any] = {key: tuple(table[key]) for key in ("secrets", "extras")}
        return cls(**{**table, **lists})

    @property
    def arguments(self) -> list[str]:
        """What follows `pipelex`."""
        tuned = [] if self.profile is None else ["--profile", self.profile]
        return ["worker", "--task-queue", self.task_queue, "--scope", self.scope, *tuned]


@dataclass(frozen=True)
class Deployment:
    """A folder of this directory."""

    folder: Path
    description: str
    workers: tuple[WorkerSpec, ...]

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def secrets(self) -> tuple[str, ...]:
        """Of all its workers."""
        return tuple(dict.fromkeys(secret for worker in self.workers for secret in worker.secrets))

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read a deployment's `workers.toml`."""
        with (folder / "workers.toml").open("rb") as file:
            found = tomllib.load(file)
        return cls(folder.resolve(), found["description"], tuple(map(WorkerSpec.from_table, found["workers"])))
