"""The facts about a run by which lists are filtered. They travel beside its job, and are in its events and search keys.

The `about` of an entry pipe's job has `pipe`, `type` and `run`, and may have `user`, `attributes` and `replay_of`.
"""

from collections.abc import Mapping, Sequence
from typing import Final, cast

from pipelex.content.stuff import Json
from pipelex.errors import ErrorCategory, PipelexError
from pipelex.errors.json import maybe
from pipelex.library import Pipe
from pipelex.mistral_workflows import names
from pipelex.orchestration import RunFilter, RunRequest
from pipelex.orchestration.jobs import Attributes

Members = Mapping[str, Json]

MOST_KEYS: Final = 20
"""The most search keys that the platform keeps for an execution."""
MOST_ASKED: Final = 3
"""The most search keys that the platform takes in one query."""

_REPLAY_OF: Final = "pipelex.replay_of"
_ATTRIBUTE: Final = "pipelex.attribute."


def about_run(request: RunRequest, pipe: Pipe) -> dict[str, Json]:
    """The facts about a run that is about to start.

    Raises:
        PipelexError: the facts need more search keys than the platform keeps.
    """
    reuse, identity = request.options.reuse, request.identity
    facts: dict[str, Json] = {
        "pipe": pipe.ref,
        "type": pipe.type,
        "run": identity.run_id,
        "user": identity.user_id,
        "attributes": {name: _plain(value) for name, value in request.attributes.items()},
        "replay_of": None if reuse is None or reuse.run_id == identity.run_id else reuse.run_id,
    }
    about: dict[str, Json] = {name: fact for name, fact in facts.items() if fact}
    if len(search_keys(about)) > MOST_KEYS:
        raise PipelexError(
            "request.invalid",
            f"a run has {len(request.attributes)} attributes, and Mistral Workflows keeps {MOST_KEYS} search keys of a run",
            category=ErrorCategory.CONTENT,
            params={"field": "attributes"},
            advice="Give fewer attributes.",
        )
    return about


def _plain(value: str | Sequence[str]) -> Json:
    return value if isinstance(value, str) else list(value)


def attributes_in(about: Members) -> Attributes:
    """The attributes of a run."""
    found = about.get("attributes")
    return cast("Attributes", found) if isinstance(found, Mapping) else {}


def user_in(about: Members) -> str | None:
    """The user who started a run; None if it is not known."""
    return maybe(about.get("user"), str)


def replay_in(about: Members) -> str | None:
    """The id of the run that a run replays; None if it replays none."""
    return maybe(about.get("replay_of"), str)


def search_keys(about: Members) -> dict[str, str]:
    """The search keys of a run's entry execution. The platform filters by them, and its console shows them.

    The platform does not encrypt them, so they contain the run's attributes and the run it replays, but not its user.
    """
    found: dict[str, str | None] = {_REPLAY_OF: replay_in(about)}
    for name, value in attributes_in(about).items():
        found[_ATTRIBUTE + names.encoded(name)] = value if isinstance(value, str) else ", ".join(value)
    return {key: value for key, value in found.items() if value}


def asked_keys(wanted: RunFilter) -> list[str]:
    """The search keys by which the platform narrows a list down, each `key:value`.

    Attributes with several values, and keys beyond the most that the platform takes, are left out: the caller must
    filter by them.
    """
    found = {_REPLAY_OF: wanted.replay_of}
    for name, value in wanted.attributes.items():
        if isinstance(value, str):
            found[_ATTRIBUTE + names.encoded(name)] = value
    return [f"{key}:{value}" for key, value in found.items() if value][:MOST_ASKED]
