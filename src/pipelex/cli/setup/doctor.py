"""`pipelex doctor`."""

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer

from pipelex.cli._shared.console import out, paint_out
from pipelex.cli._shared.failures import FAILED, located
from pipelex.cli._shared.group import command_app
from pipelex.cli._shared.session import JsonFlag, ServerOption
from pipelex.config.distribution import install_command
from pipelex.errors import ConfigurationError, PipelexError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelex.inference import ModelDeck
    from pipelex.pipes.models import Purpose
    from pipelex.runner import Pipelex

_EXAMPLES = """\b
Examples:
  pipelex doctor
  pipelex doctor --json"""

app = command_app()

_PURPOSES: "tuple[Purpose, ...]" = ("text", "object")


@dataclass(frozen=True)
class Check:
    """One line of the report."""

    subject: str
    detail: str
    is_issue: bool = False
    advice: str | None = None


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


def _checks(server: str | None) -> "Iterator[Check]":
    from pipelex.cli._shared.session import SELECTED_SERVER
    from pipelex.config import load_settings
    from pipelex.runner import Pipelex

    try:
        settings = load_settings(overrides={} if server is None else {SELECTED_SERVER: server})
    except ConfigurationError as wrong:
        yield _issue("configuration", wrong)
        return
    files = ", ".join(str(file) for file in settings.files) or "packaged defaults only"
    yield Check("configuration", files, advice=None if settings.files else "Write your own with: pipelex init --local")
    for warning in settings.warnings:
        yield Check("configuration", located(warning), is_issue=True)
    app_ = Pipelex(settings)
    try:
        deck = app_.inference.deck
    except ConfigurationError as wrong:
        yield _issue("models", wrong)
    else:
        yield from _model_checks(deck)
    yield from _temporal_checks(app_)


def _issue(subject: str, wrong: PipelexError) -> Check:
    return Check(subject, wrong.report.detail, is_issue=True, advice=wrong.report.advice)


def _model_checks(deck: "ModelDeck") -> "Iterator[Check]":
    from pipelex.cli.setup.backends_asked import ask
    from pipelex.pipes.models import ModelChoice

    enabled = [backend for backend in deck.catalog.backends.values() if backend.table.enabled and backend.models]
    answers = asyncio.run(ask([backend for backend in enabled if not backend.missing]))
    choices = {purpose: ModelChoice(family="llm", purpose=purpose) for purpose in _PURPOSES}
    backends = {deck.resolve(choice).backend for choice in choices.values() if not deck.check(choice)}
    for backend in enabled:
        subject, answer = f"backend {backend.id}", answers.get(backend.id)
        if backend.missing:
            yield Check(subject, f"not used: {', '.join(backend.missing)} not set")
        elif answer is None:
            yield Check(subject, f"ready, {len(backend.models)} models")
        elif answer.is_refused:
            named = " or ".join(backend.variables) or f"'api_key' of [{backend.id}] in backends.toml"
            yield Check(subject, answer.detail, is_issue=True, advice=f"Check {named}.")
        elif not answer.is_there and backend.id in backends:
            advice = (
                f"The default model is there. Check 'endpoint' of [{backend.id}] in backends.toml, and the network."
            )
            yield Check(subject, answer.detail, is_issue=True, advice=advice)
        else:
            yield Check(subject, answer.detail)
    for purpose, choice in choices.items():
        faults = deck.check(choice)
        if faults:
            yield Check(f"default model for {purpose}", faults[0].detail, is_issue=True)
        else:
            model = deck.resolve(choice)
            yield Check(f"default model for {purpose}", f"{model.handle} of {model.backend}")
    yield _local_model(is_used="local" in backends)


def _local_model(*, is_used: bool) -> Check:
    import importlib.util
    import os
    from pathlib import Path

    from pipelex.inference.local.weights import MODEL_FILE, default_cache

    own = os.environ.get("PIPELEX_LOCAL_MODEL")
    folder = Path(os.environ.get("PIPELEX_CACHE_DIR") or default_cache())
    path = Path(own) if own else folder / "models" / MODEL_FILE
    if importlib.util.find_spec("xllamacpp") is None:
        advice = f"Install it with: {install_command('local')}"
        return Check("local model", "its engine is not installed", is_issue=is_used, advice=advice)
    if path.is_file():
        return Check("local model", f"in {path}")
    detail = f"not at {path}" if own else "not fetched yet; its first use fetches 93 MB"
    return Check("local model", detail, is_issue=bool(own) and is_used)


def _temporal_checks(app_: "Pipelex") -> "Iterator[Check]":
    try:
        config = app_.temporal_config
    except ConfigurationError as wrong:
        yield _issue("temporal", wrong)
        return
    for warning in config.warnings:
        yield Check("temporal", located(warning), is_issue=True)
    if not config.is_enabled:
        yield Check("temporal", "off; runs are in-process")
        return
    try:
        from pipelex.runner import require_temporal

        require_temporal()
        yield from asyncio.run(_ask_temporal(app_))
    except PipelexError as wrong:
        yield _issue("temporal", wrong)


async def _ask_temporal(app_: "Pipelex") -> list[Check]:
    from pipelex.temporal.client import namespace
    from pipelex.temporal.client.connect import connect
    from pipelex.temporal.client.submit import Submitter
    from pipelex.temporal.config import connection

    target = connection(app_.temporal_config, app_.settings)
    client = await connect(target)
    checks = [Check("temporal", f"{target.target_host} answers, namespace '{target.namespace}'")]
    state = await namespace.inspect(client, app_.temporal_config)
    if state.missing:
        advice = "Register them with: pipelex setup-temporal-namespace"
        detail = f"missing search attributes: {', '.join(state.missing)}"
        checks.append(Check("temporal namespace", detail, is_issue=True, advice=advice))
    queue = app_.temporal_config.worker_config.default_task_queue
    has_workers = await Submitter(client, app_.temporal_config).has_workers()
    detail = f"polls the task queue '{queue}'" if has_workers else f"none polls the task queue '{queue}'"
    checks.append(
        Check(
            "temporal worker", detail, is_issue=not has_workers, advice=None if has_workers else "Start: pipelex worker"
        )
    )
    return checks
