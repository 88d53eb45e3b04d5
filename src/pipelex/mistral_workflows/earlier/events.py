"""Accessors for an event of the platform: its type, its attributes and its payloads."""

from collections.abc import Mapping
from typing import cast

from pipelex.content.stuff import Json
from pipelex.orchestration.refusals import unsupported

Members = Mapping[str, Json]


def kind_of(event: Members) -> str:
    """The type of an event, for example `ACTIVITY_TASK_COMPLETED`."""
    return str(event.get("event_type"))


def attributes_of(event: Members) -> Members:
    """The attributes of an event."""
    return cast("Members", event.get("attributes") or {})


def activity_in(event: Members) -> str:
    """The name of the activity that an event is about; empty if it is about none."""
    return str(attributes_of(event).get("activity_name") or "")


def payload_in(event: Members, name: str) -> Json:
    """A payload of an event, its `input` or `result`; None if the event has none.

    Raises:
        PipelexError: the payload is encrypted or kept elsewhere.
    """
    payload = attributes_of(event).get(name)
    if not isinstance(payload, Mapping):
        return None
    told = cast("Members", payload)
    if told.get("encoding_options"):
        raise unsupported(
            "replay",
            "the platform keeps the inputs and results of runs encrypted or elsewhere, so they cannot be read back",
            "Start a new run.",
        )
    return told.get("value")
