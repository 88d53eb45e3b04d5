"""The options of `pipelex runs` that several commands share, and those of commands with many options."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from pipelex.cli._shared.attributes import AttributeOption, TagOption, attributes_of
from pipelex.cli._shared.session import JsonFlag, ServerOption

if TYPE_CHECKING:
    from pipelex.orchestration import RunFilter

Status = Literal["running", "completed", "failed", "cancelled", "terminated", "timed_out"]
FromOption = Annotated[
    str | None,
    typer.Option(
        "--from", metavar="PIPE", help="The pipe to continue from: it runs again, with everything that followed it."
    ),
]
LimitOption = Annotated[int, typer.Option("--limit", "-n", min=1, help="The number of runs, newest first.")]


@dataclass(frozen=True)
class FilterFlags:
    """The options that choose runs."""

    status: Annotated[Status | None, typer.Option("--status", help="Only runs in this state.")] = None
    pipe: Annotated[
        str | None,
        typer.Option("--pipe", metavar="PIPE", help="Only runs of this entry pipe, by its code or reference."),
    ] = None
    domain: Annotated[
        str | None, typer.Option("--domain", metavar="DOMAIN", help="Only runs whose entry pipe is of this domain.")
    ] = None
    user: Annotated[str | None, typer.Option("--user", metavar="USER", help="Only runs that this user started.")] = None
    attribute: AttributeOption = None
    tag: TagOption = None
    since: Annotated[
        str | None,
        typer.Option(
            "--since", metavar="TIME", help="Only runs that were started since: 30m, 2h or 1d ago, or a date or time."
        ),
    ] = None

    @property
    def is_filter(self) -> bool:
        """Whether any of these options was given."""
        return any((self.status, self.pipe, self.domain, self.user, self.attribute, self.tag, self.since))

    def wanted(self, limit: int, cost_above: float | None = None) -> "RunFilter":
        """The filter that the options describe.

        Args:
            limit: the most runs to list; the newest come first.
            cost_above: the least cost of a run, in US dollars; None for any cost.

        Raises:
            Misuse: the value of `--since` is not a time.
        """
        from pipelex.cli._shared.moments import moment_of
        from pipelex.orchestration import RunFilter, RunState

        return RunFilter(
            None if self.status is None else RunState(self.status.upper()),
            limit,
            attributes_of(self.attribute or (), self.tag or ()),
            self.pipe,
            self.domain,
            self.user,
            None if self.since is None else moment_of(self.since, "--since"),
            cost_above,
        )


@dataclass(frozen=True)
class ListFlags(FilterFlags):
    """The options of `pipelex runs list`."""

    cost_above: Annotated[
        float | None, typer.Option("--cost-above", metavar="USD", min=0, help="Only runs that cost at least this.")
    ] = None
    limit: LimitOption = 20
    server: ServerOption = None
    json: JsonFlag = False


@dataclass(frozen=True)
class RetryFlags(FilterFlags):
    """The options of `pipelex runs retry`."""

    limit: LimitOption = 1000
    server: ServerOption = None
    json: JsonFlag = False


@dataclass(frozen=True)
class ReplayFlags:
    """The options of `pipelex runs replay`."""

    start_over: FromOption = None
    members: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="pipe.CODE.MEMBER=VALUE", help="A member of a pipe; =@FILE for a file's text. Repeatable."
        ),
    ] = None
    bundle: Annotated[
        Path | None,
        typer.Option("--bundle", metavar="PATH", help="A bundle or folder in place of the method that ran."),
    ] = None
    inputs: Annotated[
        list[str] | None,
        typer.Option("--input", "-i", metavar="NAME=VALUE", help="An input in place of the run's. Repeatable."),
    ] = None
    model: Annotated[
        str | None, typer.Option("--model", metavar="MODEL", help="The language model that every pipe asks.")
    ] = None
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be reused, and what would be paid for.")
    ] = False
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Start without asking.")] = False
    detach: Annotated[
        bool, typer.Option("--detach", help="Durable runs: start the new run, print its id and exit.")
    ] = False
    server: ServerOption = None
    json: JsonFlag = False
