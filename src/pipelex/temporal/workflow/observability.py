"""The traces of a pipe in the Temporal UI: summaries, details and search attributes. They never contain content.

Source: sections 8 and 11 of the distributed-execution reference.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes

from pipelex.library import Pipe
from pipelex.pipes.calls import PipeCall, RunIdentity
from pipelex.temporal.workflow.subjects import Subject

PIPE_CODE: Final = SearchAttributeKey.for_keyword("PipeCode")
DOMAIN_CODE: Final = SearchAttributeKey.for_keyword("DomainCode")
PIPELINE_RUN_ID: Final = SearchAttributeKey.for_keyword("PipelineRunId")
SESSION_ID: Final = SearchAttributeKey.for_keyword("SessionId")
USER_ID: Final = SearchAttributeKey.for_keyword("UserId")

ALL_ATTRIBUTES: Final = {key.name: key for key in (PIPE_CODE, DOMAIN_CODE, PIPELINE_RUN_ID, SESSION_ID, USER_ID)}

SUMMARY_BYTES: Final = 200
ATTRIBUTE_BYTES: Final = 255
"""The most bytes of a keyword attribute; a Temporal server on an SQL database stores no more."""
DETAILS_BYTES: Final = 20_000

_FAIRNESS_KEY_BYTES: Final = 64
"""The maximum size of a fairness key, in bytes of UTF-8; the server's limit."""

_ITEM: Final = re.compile(r"\[\d+(?:-\d+)?\]$")


def cut(text: str, most: int) -> str:
    """The text, cut between characters to at most `most` bytes of UTF-8."""
    encoded = text.encode()
    return text if len(encoded) <= most else encoded[:most].decode(errors="ignore")


def fairness_key(user: str | None) -> str | None:
    """The key by which the server shares out a backlog among users; None without a user."""
    return None if user is None else cut(user, _FAIRNESS_KEY_BYTES)


def summary(pipe: Pipe, item: str = "") -> str:
    """The summary `{pipe_code} — {description}`, or `{pipe_code}[{rank}] — {description}` for an item of a batch.

    Args:
        pipe: the pipe.
        item: the rank of the item, or the ranks of the items of a slice, in brackets; empty for other pipes.
    """
    return cut(f"{pipe.code}{item} — {' '.join(pipe.description.split())}", SUMMARY_BYTES)


def item_of(id_: str) -> str:
    """The rank or ranks in brackets at the end of the workflow id of an item or a slice; empty for other ids."""
    found = _ITEM.search(id_.rpartition("/")[2])
    return "" if found is None else found[0]


def pipe_of(told: str) -> str:
    """The code of the pipe in a summary."""
    return _ITEM.sub("", told.partition(" — ")[0])


def details(pipe: Pipe, call: PipeCall, run: RunIdentity, fingerprint: str) -> str:
    """A Markdown table that describes a pipe and the run it belongs to."""
    rows = [
        ("Pipe", f"`{pipe.code}`"),
        ("Domain", f"`{pipe.domain}`"),
        ("Pipeline run", f"`{run.run_id}`"),
        ("User", run.user_id),
        ("Session", run.session_id),
        ("Library", f"`{fingerprint[:12]}`"),
        ("Inputs", ", ".join(f"`{name}`" for name in call.inputs)),
    ]
    lines = [f"| {name} | {value} |" for name, value in rows if value]
    return cut("\n".join(["| | |", "|---|---|", *lines]), DETAILS_BYTES)


def whole_path(id_: str) -> str:
    """A Markdown table with the whole id of a child, for one whose workflow id is shortened."""
    return cut(f"| | |\n|---|---|\n| Path | `{id_}` |", DETAILS_BYTES)


def identity(attributes: Iterable[SearchAttributePair[str]]) -> RunIdentity | None:
    """The owner of the run according to a workflow's search attributes; None if they lack the run's id."""
    values = {pair.key.name: pair.value for pair in attributes}
    if PIPELINE_RUN_ID.name not in values:
        return None
    return RunIdentity.sparse(
        run_id=values[PIPELINE_RUN_ID.name],
        session_id=values.get(SESSION_ID.name),
        user_id=values.get(USER_ID.name),
    )


def subject(attributes: Iterable[SearchAttributePair[str]]) -> Subject | None:
    """The run and pipe of a workflow according to its search attributes; None if they lack the run's id."""
    values = {pair.key.name: pair.value for pair in attributes}
    if PIPELINE_RUN_ID.name not in values:
        return None
    return Subject(values[PIPELINE_RUN_ID.name], values.get(PIPE_CODE.name))


def search_attributes(
    pipe: Pipe, run: RunIdentity, enabled: Sequence[str], own: Sequence[SearchAttributePair[Any]] = ()
) -> TypedSearchAttributes:
    """The values of the enabled attributes for one pipe of a run.

    Args:
        pipe: the pipe.
        run: the owner of the run.
        enabled: the names of the built-in attributes to set.
        own: the user's own attributes.
    """
    values = {
        PIPE_CODE: pipe.code,
        DOMAIN_CODE: pipe.domain,
        PIPELINE_RUN_ID: run.run_id,
        SESSION_ID: run.session_id,
        USER_ID: run.user_id,
    }
    return TypedSearchAttributes(
        [
            SearchAttributePair(key, cut(value, ATTRIBUTE_BYTES))
            for key, value in values.items()
            if value is not None and key.name in enabled
        ]
        + list(own)
    )


_OF_THE_SERVER: Final = ("Temporal", "BuildIds")
"""The prefixes of the attributes that the server itself sets."""


def inherited(attributes: Iterable[SearchAttributePair[Any]], pipe: Pipe) -> TypedSearchAttributes:
    """A child's search attributes: its parent's, but with the pipe and the domain of the child.

    Attributes that the parent lacks are not added.
    """
    own: dict[str, Any] = {
        PIPE_CODE.name: cut(pipe.code, ATTRIBUTE_BYTES),
        DOMAIN_CODE.name: cut(pipe.domain, ATTRIBUTE_BYTES),
    }
    return TypedSearchAttributes(
        [
            SearchAttributePair(pair.key, own.get(pair.key.name, pair.value))
            for pair in attributes
            if not pair.key.name.startswith(_OF_THE_SERVER)
        ]
    )
