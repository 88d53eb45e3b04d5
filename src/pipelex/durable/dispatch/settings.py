"""The settings tables for the dispatch of activities. Their keys are derived from the table of options."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, create_model

from pipelex.config import Section
from pipelex.config.durations import TimeLimit
from pipelex.durable.dispatch.options import OPTIONS, RETRY_TABLE, DispatchOption


def _baseline_keys(options: Iterable[DispatchOption[Any]]) -> dict[str, Any]:
    keys: dict[str, Any] = {}
    for option in options:
        if option.baseline is not None:
            default: dict[str, Any] = {"default_factory" if callable(option.default) else "default": option.default}
            keys[option.baseline] = (option.type, Field(description=option.doc, **default))
    return keys


def _overlay_keys(options: Iterable[DispatchOption[Any]]) -> dict[str, Any]:
    """The keys of an overlay. Their defaults have no meaning, because a key that is not set keeps the value below."""
    return {
        option.overlay_key: (
            _or_none(option.type) if option.adds is None else option.type,
            Field(description=option.doc, default=None if option.adds is None else ()),
        )
        for option in options
    }


def _or_none(type_: Any) -> Any:
    """The type of a key that may be left out. A `TimeLimit` may be None already."""
    return type_ if type_ is TimeLimit else type_ | None


def _section(name: str, doc: str, keys: dict[str, Any], base: type[Section] = Section) -> type[Any]:
    return create_model(name, __base__=base, __doc__=doc, __module__=__name__, **keys)


_RETRIES = [option for option in OPTIONS if option.is_retry]
_OF_ALL = [option for option in OPTIONS if not option.is_retry and option.overlays == "queues and handles"]
_OF_QUEUES = [option for option in OPTIONS if not option.is_retry and option.overlays == "queues"]

if TYPE_CHECKING:

    class DispatchBaseline(Section):
        """The options of an activity where no overlay says otherwise."""

    class DispatchOverlay(Section):
        """The options that a queue or a handle changes; `model_fields_set` has the keys that are set."""

    class _QueueOverlay(DispatchOverlay):
        pass

else:
    _RetryBaseline = _section(
        "RetryPolicyConfig", "The baseline of every activity's retries.", _baseline_keys(_RETRIES)
    )
    _RetryOverlay = _section("RetryPolicyOverlay", "What an overlay changes of retries.", _overlay_keys(_RETRIES))
    DispatchBaseline = _section(
        "DispatchBaseline",
        "What holds for an activity where no overlay says otherwise.",
        {
            **_baseline_keys(option for option in OPTIONS if not option.is_retry),
            RETRY_TABLE: (_RetryBaseline, Field(default_factory=_RetryBaseline)),
        },
    )
    DispatchOverlay = _section(
        "DispatchOverlay",
        "What a queue or a handle changes; which keys are set is in `model_fields_set`.",
        {**_overlay_keys(_OF_ALL), RETRY_TABLE: (_RetryOverlay, Field(default_factory=_RetryOverlay))},
    )
    _QueueOverlay = _section("QueueOverlay", "What a queue changes.", _overlay_keys(_OF_QUEUES), base=DispatchOverlay)


class QueueOptions(_QueueOverlay):
    """The table of a queue."""

    max_task_queue_activities_per_second: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """The rate over all workers of the queue; the server keeps the last value it is sent."""


class ActivityRoutes(Section):
    """The route of an activity, or of each of a group of them."""

    default: str | None = None
    """The queue of what no other key routes."""
    by_handle: dict[str, str] = Field(default_factory=dict[str, str])
    """The handle of a model, or the name of a function → its queue."""
    by_backend: dict[str, str] = Field(default_factory=dict[str, str])
    """The backend that serves the model → its queue."""
    handle_options: dict[str, DispatchOverlay] = Field(default_factory=dict[str, DispatchOverlay])
    """The handle of a model, or the name of a function → what it changes."""
