"""`pipelex doctor`."""

import asyncio
from typing import TYPE_CHECKING

import typer

from pipelex.cli._shared.console import out, paint_out
from pipelex.cli._shared.failures import FAILED, located
from pipelex.cli._shared.group import command_app
from pipelex.cli._shared.session import JsonFlag, ServerOption
from pipelex.config.distribution import install_command
from pipelex.errors import ConfigurationError, PipelexError
from pipelex.orchestration import ReadinessCheck

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelex.inference import ModelDeck
    from pipelex.language.blueprints import ModelPurpose
    from pipelex.runner import Pipelex

_EXAMPLES = """\b
Examples:
  pipelex doctor
  pipelex doctor --json"""

app = command_app()

_PURPOSES: "tuple[ModelPurpose, ...]" = ("text", "object")


@app.command(epilog=_EXAMPLES)
def doctor(ctx: typer.Context, server: ServerOption = None, is_json: JsonFlag = False) -> None:
    """Check configuration, credentials, models and Temporal. Exit codes: 0 healthy, 1 issues."""
    del ctx
    checks = list(_checks(server))
    issues = sum(check.is_issue for check in checks)
    if is_json:
        from pipelex.cli._shared.results import print_json

        print_json(
            {
                "healthy": not issues,
                "checks": [
                    {"subject": check.subject, "detail": check.detail, "ok": not check.is_issue}
                    | ({"advice": check.advice} if check.advice else {})
                    for check in checks
                ],
            }
        )
    else:
        paint = paint_out()
        for check in checks:
            mark = paint("✗", "red", "bold") if check.is_issue else paint("✓", "green")
            out(f"{mark} {check.subject}: {check.detail}")
            if check.advice:
                out(f"    → {check.advice}")
        out(f"\n{issues} issue{'' if issues == 1 else 's'}." if issues else "\nHealthy.")
    raise typer.Exit(FAILED if issues else 0)


def _checks(server: str | None) -> "Iterator[ReadinessCheck]":
    from pipelex.cli._shared.session import SELECTED_SERVER
    from pipelex.config import load_settings
    from pipelex.runner import Pipelex

    try:
        settings = load_settings(overrides={} if server is None else {SELECTED_SERVER: server})
    except ConfigurationError as wrong:
        yield _issue("configuration", wrong)
        return
    files = ", ".join(str(file) for file in settings.files) or "packaged defaults only"
    yield ReadinessCheck(
        "configuration", files, advice=None if settings.files else "Write your own with: pipelex init --local"
    )
    for warning in settings.warnings:
        yield ReadinessCheck("configuration", located(warning), is_issue=True)
    app_ = Pipelex(settings)
    try:
        deck = app_.inference.deck
    except ConfigurationError as wrong:
        yield _issue("models", wrong)
    else:
        yield from _model_checks(deck)
    yield from _engine_checks(app_)


def _issue(subject: str, wrong: PipelexError) -> ReadinessCheck:
    return ReadinessCheck(subject, wrong.report.detail, is_issue=True, advice=wrong.report.advice)


def _model_checks(deck: "ModelDeck") -> "Iterator[ReadinessCheck]":
    from pipelex.cli.setup.backends_asked import ask
    from pipelex.pipes.models import ModelChoice

    enabled = [backend for backend in deck.catalog.backends.values() if backend.table.enabled and backend.models]
    answers = asyncio.run(ask([backend for backend in enabled if not backend.missing]))
    choices = {purpose: ModelChoice(family="llm", purpose=purpose) for purpose in _PURPOSES}
    backends = {deck.resolve(choice).backend for choice in choices.values() if not deck.check(choice)}
    for backend in enabled:
        subject, answer = f"backend {backend.id}", answers.get(backend.id)
        if backend.missing:
            yield ReadinessCheck(subject, f"not used: {', '.join(backend.missing)} not set")
        elif answer is None:
            yield ReadinessCheck(subject, f"ready, {len(backend.models)} models")
        elif answer.is_refused:
            named = " or ".join(backend.variables) or f"'api_key' of [{backend.id}] in backends.toml"
            yield ReadinessCheck(subject, answer.detail, is_issue=True, advice=f"Check {named}.")
        elif not answer.is_there and backend.id in backends:
            advice = (
                f"The default model is there. Check 'endpoint' of [{backend.id}] in backends.toml, and the network."
            )
            yield ReadinessCheck(subject, answer.detail, is_issue=True, advice=advice)
        else:
            yield ReadinessCheck(subject, answer.detail)
    for purpose, choice in choices.items():
        faults = deck.check(choice)
        if faults:
            yield ReadinessCheck(f"default model for {purpose}", faults[0].detail, is_issue=True)
        else:
            model = deck.resolve(choice)
            yield ReadinessCheck(f"default model for {purpose}", f"{model.handle} of {model.backend}")
    yield _local_model(is_used="local" in backends)


def _local_model(*, is_used: bool) -> ReadinessCheck:
    import importlib.util
    import os
    from pathlib import Path

    from pipelex.inference.local.weights import MODEL_FILE, default_cache

    own = os.environ.get("PIPELEX_LOCAL_MODEL")
    folder = Path(os.environ.get("PIPELEX_CACHE_DIR") or default_cache())
    path = Path(own) if own else folder / "models" / MODEL_FILE
    if importlib.util.find_spec("xllamacpp") is None:
        advice = f"Install it with: {install_command('local')}"
        return ReadinessCheck("local model", "its engine is not installed", is_issue=is_used, advice=advice)
    if path.is_file():
        return ReadinessCheck("local model", f"in {path}")
    detail = f"not at {path}" if own else "not fetched yet; its first use fetches 93 MB"
    return ReadinessCheck("local model", detail, is_issue=bool(own) and is_used)


def _engine_checks(app_: "Pipelex") -> "Iterator[ReadinessCheck]":
    """Every installed orchestrator beside this process: whether it is used, and whether runs would go there."""
    from pipelex.orchestration import IN_PROCESS, names

    for name in names():
        if name != IN_PROCESS:
            try:
                yield from _engine_check(app_, name)
            except PipelexError as wrong:
                yield _issue(name, wrong)


def _engine_check(app_: "Pipelex", name: str) -> "Iterator[ReadinessCheck]":
    from pipelex.orchestration import factory_of
    from pipelex.runner.orchestrator import open_orchestrator

    factory = factory_of(name)
    for warning in factory.warnings(app_.settings):
        yield ReadinessCheck(name, located(warning), is_issue=True)
    if not factory.is_chosen(app_.settings):
        yield ReadinessCheck(name, "off; runs are in-process")
        return
    orchestrator = open_orchestrator(app_.settings, name, lambda: app_.inference)
    yield from asyncio.run(orchestrator.check())
