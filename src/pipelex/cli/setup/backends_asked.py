"""Whether backends answer: each is asked for its list of models, with the key that calls would use."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from pipelex.content.stuff import Json
from pipelex.inference import Backend
from pipelex.inference.calls.guard import AnswerRefused, guarded

if TYPE_CHECKING:
    import httpx

SECONDS: Final = 4.0
"""For an answer."""

_MAX_BYTES: Final = 16 * 1024 * 1024

_BEARER: Final = ("openai", "openai_responses", "mistral", "groq", "xai", "openrouter", "ollama", "google")
"""Clients whose service lists its models at `/models` of the endpoint, as OpenAI does."""


@dataclass(frozen=True)
class Answered:
    """What came of asking one backend."""

    detail: str
    is_there: bool
    is_refused: bool = False
    """It answers, and does not take the key."""


async def ask(backends: Sequence[Backend]) -> dict[str, Answered]:
    """Ask those of the backends that list their models, all at the same time.

    Returns:
        What came of it, by the backend's id; a backend that lists none is left out.
    """
    import httpx

    asked = {backend.id: headers for backend in backends if (headers := _headers(backend)) is not None}
    async with guarded(httpx.AsyncClient(timeout=SECONDS), _MAX_BYTES) as client:
        found = await asyncio.gather(
            *(_ask(client, backend, asked[backend.id]) for backend in backends if backend.id in asked)
        )
    return dict(zip(asked, found, strict=True))


def _headers(backend: Backend) -> dict[str, str] | None:
    """The headers that carry the key; None where there is no list to ask for."""
    sdks = {model.table.sdk for model in backend.models if model.table.model_type == "llm"}
    key = backend.table.api_key or ""
    if not backend.table.endpoint:
        return None
    if "anthropic" in sdks:
        return {"x-api-key": key, "anthropic-version": "2023-06-01"}
    if sdks.isdisjoint(_BEARER):
        return None
    return {"authorization": f"Bearer {key}"} if key else {}


async def _ask(client: "httpx.AsyncClient", backend: Backend, headers: Mapping[str, str]) -> Answered:
    import httpx

    # The type of a failure says enough: its text may quote an address with a password.
    try:
        response = await client.get(f"{(backend.table.endpoint or '').rstrip('/')}/models", headers=headers)
    except (httpx.HTTPError, httpx.InvalidURL, AnswerRefused) as failed:
        return Answered(f"does not answer ({type(failed).__name__})", is_there=False)
    if response.status_code in (401, 403):
        return Answered(f"refuses the key (status {response.status_code})", is_there=True, is_refused=True)
    if not response.is_success:
        return Answered(f"answers with status {response.status_code}", is_there=True)
    served = _served(response)
    if served is None:
        return Answered("answers, without a list of models", is_there=True)
    wanted = {model.model_id for model in backend.models if model.table.model_type == "llm" and model.table.enabled}
    missing = sorted(wanted - served)
    few = ", ".join(missing[:5]) + (", …" if len(missing) > 5 else "")
    detail = f"answers, serves {len(wanted) - len(missing)} of {len(wanted)} language models"
    return Answered(f"{detail}; not {few}" if missing else detail, is_there=True)


def _served(response: "httpx.Response") -> set[str] | None:
    try:
        found: Json = response.json()
    except ValueError:
        return None
    items = cast("dict[str, Any]", found).get("data") if isinstance(found, dict) else None
    if not isinstance(items, list):
        return None
    tables = [cast("dict[str, Any]", item) for item in cast("list[Any]", items) if isinstance(item, dict)]
    return {str(table.get("id", "")).removeprefix("models/") for table in tables}
