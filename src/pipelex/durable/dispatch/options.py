"""The table of dispatch options, which declares every limit, retry setting and priority of activities once.

The table determines the keys of settings tables and their types, the overlays that may set them, how layers combine,
how values are shown, and the parameters that engines receive. A new option needs an entry here, and an engine that
knows its key.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, Final, Generic, Literal, TypeVar, cast

from pydantic import BeforeValidator, Field

from pipelex.config import Section
from pipelex.config.durations import UNLIMITED, RequiredLimit, TimeLimit, show_duration
from pipelex.errors import CORE_CODES, error_type_name

T = TypeVar("T")

RETRY_TABLE: Final = "retry_policy_config"
"""The key of the table that holds the retry options, in the baseline and in every overlay."""


@dataclass(frozen=True, kw_only=True, eq=False)
class DispatchOption(Generic[T]):
    """One option of a dispatch."""

    key: str
    """The key in an overlay, which is also the name of the engine's parameter."""
    doc: str
    """The description of the option, for people."""
    type: Any
    """The type of the key's value, as pydantic understands it."""
    default: T | Callable[[], T]
    """The value if no layer sets one, or a function that returns it."""
    is_retry: bool = False
    """Whether the key is in `RETRY_TABLE`."""
    baseline: str | None = None
    """The key in the baseline; None if only overlays set it."""
    overlays: Literal["queues and handles", "queues"] = "queues and handles"
    """The overlays that may set it."""
    adds: str | None = None
    """The overlay key whose values are added to those of the layers below; None if overlays replace the value."""
    shown: Callable[[T], str] = str
    """Formats a value for people."""

    @property
    def name(self) -> str:
        """The name of the option in traces and listings."""
        return self.key.removesuffix("_timeout")

    @property
    def overlay_key(self) -> str:
        """The key in an overlay's table, or in that table's `RETRY_TABLE`."""
        return self.adds or self.key

    @property
    def initial(self) -> T:
        """The value if no layer sets one."""
        return cast("T", self.default() if callable(self.default) else self.default)

    def baseline_value(self, baseline: Section) -> T:
        """The value that a baseline sets, or the option's own default if the baseline has no key for it."""
        return self.initial if self.baseline is None else getattr(self._table(baseline), self.baseline)

    def is_set_by(self, overlay: Section) -> bool:
        """Whether an overlay sets the option."""
        return self.overlay_key in self._table(overlay).model_fields_set

    def overlaid(self, overlay: Section, below: T) -> T:
        """The value after applying an overlay that sets the option.

        Args:
            overlay: the overlay.
            below: the value from the layers below.
        """
        value = getattr(self._table(overlay), self.overlay_key)
        if self.adds is None:
            return value
        return cast("T", tuple(dict.fromkeys([*cast("tuple[str, ...]", below), *value])))

    def _table(self, layer: Section) -> Section:
        return getattr(layer, RETRY_TABLE) if self.is_retry else layer


def _error_types(value: Any) -> Any:
    """Convert dotted error codes to error type names, because settings may contain either."""
    if not isinstance(value, list):
        return value
    return tuple(error_type_name(item) if isinstance(item, str) else item for item in cast("list[object]", value))


_EFFECT_FAMILIES: Final = ("input", "method", "model", "pipe", "provider", "runtime", "security")
"""The families of codes that the failure of one activity can have; other families concern requests or whole runs."""


def hopeless_error_types() -> tuple[str, ...]:
    """The types of the errors that a retry cannot fix, according to the registry of codes."""
    codes = [
        code
        for code, facts in CORE_CODES.items()
        if facts.status and facts.retry == "no" and code.partition(".")[0] in _EFFECT_FAMILIES
    ]
    return tuple(map(error_type_name, codes))


def _shown_attempts(attempts: int) -> str:
    return str(attempts) if attempts else UNLIMITED


def _shown_rank(rank: int | None) -> str:
    return "-" if rank is None else str(rank)


def _number_of_types(names: tuple[str, ...]) -> str:
    return f"{len(names)} types"


START_TO_CLOSE: Final = DispatchOption[timedelta](
    key="start_to_close_timeout",
    doc="The longest time of one attempt.",
    type=RequiredLimit,
    default=timedelta(minutes=10),
    baseline="default_activity_start_to_close_timeout",
    shown=show_duration,
)

SCHEDULE_TO_CLOSE: Final = DispatchOption[timedelta | None](
    key="schedule_to_close_timeout",
    doc="The longest time of all attempts together, waiting included.",
    type=TimeLimit,
    default=None,
    shown=show_duration,
)

SCHEDULE_TO_START: Final = DispatchOption[timedelta | None](
    key="schedule_to_start_timeout",
    doc="The longest time that an activity may wait for a worker.",
    type=TimeLimit,
    default=None,
    shown=show_duration,
)

HEARTBEAT: Final = DispatchOption[timedelta | None](
    key="heartbeat_timeout",
    doc="The longest silence of a worker after which its attempt counts as lost.",
    type=TimeLimit,
    default=timedelta(seconds=30),
    baseline="default_activity_heartbeat_timeout",
    shown=show_duration,
)

INITIAL_INTERVAL: Final = DispatchOption[timedelta](
    key="initial_interval",
    doc="The wait before the second attempt.",
    type=RequiredLimit,
    default=timedelta(seconds=3),
    is_retry=True,
    baseline="initial_interval",
    shown=show_duration,
)

BACKOFF_COEFFICIENT: Final = DispatchOption[float](
    key="backoff_coefficient",
    doc="How many times longer each further wait is.",
    type=Annotated[float, Field(ge=1)],
    default=2.0,
    is_retry=True,
    baseline="backoff_coefficient",
)

MAXIMUM_INTERVAL: Final = DispatchOption[timedelta | None](
    key="maximum_interval",
    doc="The longest wait.",
    type=TimeLimit,
    default=None,
    is_retry=True,
    baseline="maximum_interval",
    shown=show_duration,
)

MAXIMUM_ATTEMPTS: Final = DispatchOption[int](
    key="maximum_attempts",
    doc="How often an activity may fail; 0: without end. What the end of its worker interrupts does not count.",
    type=Annotated[int, Field(ge=0)],
    default=3,
    is_retry=True,
    baseline="maximum_attempts",
    shown=_shown_attempts,
)

PRIORITY_KEY: Final = DispatchOption[int | None](
    key="priority_key",
    doc="Its rank in a backlog: 1, first, to 5.",
    type=Annotated[int, Field(ge=1, le=5)],
    default=None,
    overlays="queues",
    shown=_shown_rank,
)

NON_RETRYABLE_ERROR_TYPES: Final = DispatchOption[tuple[str, ...]](
    key="non_retryable_error_types",
    doc="The types of the errors after which it is not tried again.",
    type=Annotated[tuple[str, ...], BeforeValidator(_error_types)],
    default=hopeless_error_types,
    is_retry=True,
    baseline="non_retryable_error_types",
    adds="non_retryable_error_types_extra",
    shown=_number_of_types,
)

OPTIONS: Final[tuple[DispatchOption[Any], ...]] = (
    START_TO_CLOSE,
    SCHEDULE_TO_CLOSE,
    SCHEDULE_TO_START,
    HEARTBEAT,
    INITIAL_INTERVAL,
    BACKOFF_COEFFICIENT,
    MAXIMUM_INTERVAL,
    MAXIMUM_ATTEMPTS,
    PRIORITY_KEY,
    NON_RETRYABLE_ERROR_TYPES,
)
"""All options, in the order in which they are shown."""
