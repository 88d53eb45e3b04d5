"""`pipelex doctor`."""

import asyncio
from typing import TYPE_CHECKING, Final

import typer

from pipelex.cli._shared.console import paint_out, tell_out
from pipelex.cli._shared.failures import located
from pipelex.cli._shared.group import command_app
from pipelex.cli._shared.session import JsonFlag, ServerOption
from pipelex.errors import ConfigurationError, PipelexError
from pipelex.exits import ExitCode
from pipelex.orchestration import ReadinessCheck

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelex.config import LayerKind, Settings
    from pipelex.runner import Pipelex

_EXAMPLES = """\b
Examples:
  pipelex doctor
  pipelex doctor --json"""

_WHOSE: Final["dict[LayerKind, str]"] = {
    "user": "yours",
    "project": "the project's",
    "environment": "the project's, for this PIPELEX_ENV",
    "override": "the project's, over its others",
}

app = command_app()


@app.command(epilog=_EXAMPLES)
def doctor(ctx: typer.Context, server: ServerOption = None, is_json: JsonFlag = False) -> None:
    """Check configuration, credentials, models and Temporal.

    A tick marks what works, an exclamation mark an issue, a dash what nothing uses.
    """
    del ctx
    checks = list(_checks(server))
    issues = sum(check.is_issue for check in checks)
    if is_json:
        _print_json(checks, is_healthy=not issues)
    else:
        _print(checks)
        tell_out(f"\n{issues} issue{'' if issues == 1 else 's'}." if issues else "\nHealthy.")
    raise typer.Exit(ExitCode.FAILED if issues else ExitCode.DONE)


def _print(checks: list[ReadinessCheck]) -> None:
    paint = paint_out()
    marks = {"ok": paint("✓", "green"), "issue": paint("!", "red", "bold"), "off": paint("–", "dim")}
    for check in checks:
        tell_out(f"{marks[_state(check)]} {check.subject}: {check.detail}")
        if check.advice:
            tell_out(f"    → {check.advice}")


def _print_json(checks: list[ReadinessCheck], *, is_healthy: bool) -> None:
    from pipelex.cli._shared.results import print_json

    found = [
        {"subject": check.subject, "detail": check.detail, "ok": not check.is_issue, "state": _state(check)}
        | ({"advice": check.advice} if check.advice else {})
        for check in checks
    ]
    print_json({"healthy": is_healthy, "checks": found})


def _state(check: ReadinessCheck) -> str:
    return "issue" if check.is_issue else "off" if check.is_off else "ok"


def _checks(server: str | None) -> "Iterator[ReadinessCheck]":
    from pipelex.cli._shared.session import SELECTED_SERVER
    from pipelex.cli.setup.model_checks import model_checks
    from pipelex.config import load_settings
    from pipelex.runner import Pipelex

    try:
        settings = load_settings(overrides={} if server is None else {SELECTED_SERVER: server})
    except ConfigurationError as wrong:
        yield _issue("configuration", wrong)
        return
    yield from _settings_checks(settings)
    app_ = Pipelex(settings)
    try:
        deck = app_.inference.deck
        yield from _trust_checks(settings)
    except ConfigurationError as wrong:
        yield _issue("models", wrong)
    else:
        yield from model_checks(settings, deck)
    yield from _engine_checks(app_)


def _settings_checks(settings: "Settings") -> "Iterator[ReadinessCheck]":
    """Every settings file in force, and the keys in them that are not understood."""
    files = [f"{layer.file} ({_WHOSE[layer.kind]})" for layer in settings.layers if layer.kind in _WHOSE]
    files += [
        f"{file} ({whose})"
        for file, whose in ((settings.base_dir / ".env", "the project's"), (settings.home_dir / ".env", "yours"))
        if file.is_file()
    ]
    for file in files:
        yield ReadinessCheck("configuration", file)
    if not files:
        yield ReadinessCheck("configuration", "packaged defaults only", advice="Write your own with: pipelex init")
    for warning in settings.warnings:
        if "pipelex trust" not in warning.detail:
            yield ReadinessCheck("configuration", located(warning), is_issue=True)


def _trust_checks(settings: "Settings") -> "Iterator[ReadinessCheck]":
    for demand in settings.demands:
        yield ReadinessCheck("trust", f"not in force: {demand}", is_issue=True, advice="If you trust it: pipelex trust")


def _issue(subject: str, wrong: PipelexError) -> ReadinessCheck:
    return ReadinessCheck(subject, wrong.report.detail, is_issue=True, advice=wrong.report.advice)


def _engine_checks(app_: "Pipelex") -> "Iterator[ReadinessCheck]":
    """Every installed orchestrator other than this process: whether it is used, and whether it is ready for runs."""
    from pipelex.orchestration import IN_PROCESS, names

    for name in names():
        if name != IN_PROCESS:
            try:
                yield from _engine_check(app_, name)
            except PipelexError as wrong:
                yield _issue(name, wrong)


def _engine_check(app_: "Pipelex", name: str) -> "Iterator[ReadinessCheck]":
    from pipelex.orchestration import IN_PROCESS, chosen_name, factory_of
    from pipelex.runner.orchestrator import open_orchestrator

    factory = factory_of(name)
    for warning in factory.warnings(app_.settings):
        yield ReadinessCheck(name, located(warning), is_issue=True)
    if not factory.is_chosen(app_.settings):
        where = chosen_name(app_.settings)
        others = "in-process" if where == IN_PROCESS else f"on {where}"
        yield ReadinessCheck(name, f"off; runs are {others}", is_off=True)
        return
    orchestrator = open_orchestrator(app_.settings, name, lambda: app_.inference)
    yield from asyncio.run(orchestrator.check())
