"""The part of `pipelex doctor` about models: files, backends, the default models, the local model."""

import asyncio
import importlib.util
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pipelex.cli._shared.failures import located
from pipelex.config import Settings
from pipelex.config.distribution import install_command
from pipelex.config.trust import stays_here
from pipelex.orchestration import ReadinessCheck
from pipelex.pipes.models import ModelChoice

if TYPE_CHECKING:
    from pipelex.inference import Backend, ModelDeck
    from pipelex.inference.health import Answered
    from pipelex.language.blueprints import ModelPurpose

_PURPOSES: Final["tuple[ModelPurpose, ...]"] = ("text", "object")


def model_checks(settings: Settings, deck: "ModelDeck") -> Iterator[ReadinessCheck]:
    """The checks of everything about models; each backend is asked whether it answers."""
    from pipelex.inference.deck.model_deck import TINY
    from pipelex.inference.health import ask

    for path in deck.files:
        whose = "the project's" if settings.trust.is_theirs(path) else "yours"
        yield ReadinessCheck("models", f"{path} ({whose})")
    for warning in deck.warnings:
        yield ReadinessCheck("models", located(warning), is_issue=True)
    enabled = [backend for backend in deck.catalog.backends.values() if backend.table.enabled and backend.models]
    answers = asyncio.run(ask([backend for backend in enabled if backend.is_ready]))
    choices = {purpose: ModelChoice(family="llm", purpose=purpose) for purpose in _PURPOSES}
    used = {deck.resolve(choice).backend for choice in choices.values() if not deck.check(choice)}
    for backend in enabled:
        if all(model.table.sdk == TINY for model in backend.models):
            continue  # the check 'local model' covers it
        yield _backend_check(backend, answers.get(backend.id), is_used=backend.id in used)
    for purpose, choice in choices.items():
        yield _default_check(deck, purpose, choice)
    yield _local_model(settings.environ, is_used="local" in used)


def _backend_check(backend: "Backend", answer: "Answered | None", *, is_used: bool) -> ReadinessCheck:
    from pipelex.inference.families import FAMILY_OF
    from pipelex.inference.providers import how_to_install

    subject, where = f"backend {backend.id}", origin_of(backend)
    if backend.missing:
        return ReadinessCheck(subject, f"not used: {', '.join(backend.missing)} not set ({where})", is_off=True)
    if backend.lacks:
        advice = f"Complete [{backend.id}] in backends.toml, or set 'enabled' to false."
        return ReadinessCheck(
            subject, f"not ready: needs {' and '.join(backend.lacks)} ({where})", is_issue=True, advice=advice
        )
    clients = {model.table.sdk: model for model in backend.models if model.table.enabled}
    if clients and not any(model.is_callable for model in clients.values()):
        command = how_to_install(FAMILY_OF[next(iter(clients.values())).table.model_type], next(iter(clients)))
        detail = f"not ready: its client is not installed ({where})"
        return ReadinessCheck(subject, detail, is_issue=True, advice=f"Install it with: {command}" if command else None)
    if answer is None:
        return ReadinessCheck(subject, f"ready, not asked: {len(backend.models)} models ({where})")
    detail = f"{answer.detail} ({where})"
    if answer.is_well:
        return ReadinessCheck(subject, detail)
    if answer.is_refused:
        named = " or ".join(backend.variables) or f"'api_key' of [{backend.id}] in backends.toml"
        return ReadinessCheck(subject, detail, is_issue=True, advice=f"Check {named}.")
    if not is_used and not backend.is_own and not answer.is_there and stays_here(backend.table.endpoint or ""):
        return ReadinessCheck(subject, f"not used: {detail}", is_off=True)
    advice = f"Check {_place_of_address(backend)}{'' if answer.is_there else ', and the network'}."
    return ReadinessCheck(
        subject, detail, is_issue=True, advice=f"The default model is there. {advice}" if is_used else advice
    )


def _place_of_address(backend: "Backend") -> str:
    return backend.endpoint_origin or f"'endpoint' of [{backend.id}] in backends.toml"


def origin_of(backend: "Backend") -> str:
    """The origin of a backend: `packaged` or the place of its table, and the variable that sets its address, if any."""
    place = backend.origins[0] if backend.origins else None
    where = "packaged" if place is None else f"{place.file}:{place.line}" if place.line else str(place.file)
    return f"{where}, address from {backend.endpoint_origin}" if backend.endpoint_origin else where


def _default_check(deck: "ModelDeck", purpose: str, choice: ModelChoice) -> ReadinessCheck:
    from pipelex.inference.deck.model_deck import TINY

    subject, faults = f"default model for {purpose}", deck.check(choice)
    if faults:
        return ReadinessCheck(subject, faults[0].detail, is_issue=True, advice="Name an endpoint with: pipelex init")
    model = deck.resolve(choice)
    detail = f"{model.handle} of {model.backend}"
    if deck.entry(model).table.sdk != TINY:
        return ReadinessCheck(subject, detail)
    advice = "Set a key, or name an endpoint with: pipelex init"
    return ReadinessCheck(subject, f"{detail}, which only stands in for better ones", is_off=True, advice=advice)


def _local_model(environ: Mapping[str, str], *, is_used: bool) -> ReadinessCheck:
    from pipelex.inference.local.weights import MODEL_FILE, default_cache

    own = environ.get("PIPELEX_LOCAL_MODEL") or os.environ.get("PIPELEX_LOCAL_MODEL")
    folder = Path(environ.get("PIPELEX_CACHE_DIR") or default_cache())
    path = Path(own) if own else folder / "models" / MODEL_FILE
    if importlib.util.find_spec("xllamacpp") is None:
        advice = f"Install it with: {install_command('local')}"
        return ReadinessCheck(
            "local model", "its engine is not installed", is_issue=is_used, advice=advice, is_off=not is_used
        )
    if path.is_file():
        return ReadinessCheck("local model", f"in {path}", is_off=not is_used)
    detail = f"not at {path}" if own else "not fetched yet; its first use fetches 93 MB"
    return ReadinessCheck("local model", detail, is_issue=bool(own) and is_used, is_off=True)
