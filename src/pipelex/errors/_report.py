"""Errors and faults as data, the same in this process, across Temporal and in JSON."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from typing import Any, Final, Literal, Self, cast

from pipelex.errors._advice import advice_for
from pipelex.errors._registry import CORE_CODES, CodeFacts, NextStep, Retry
from pipelex.errors.folders import without_folders
from pipelex.errors.hidden import mapped, without_secrets
from pipelex.errors.json import Json, as_objects
from pipelex.exits import ExitCode

_UNNAMED = ("method.ambiguous", "method.not_found", "run.not_found")
"""The codes, besides those of requests, for a name that refers to nothing or is ambiguous."""


class ErrorCategory(StrEnum):
    """The kind of a failure; it decides whether a repetition can help."""

    TRANSIENT = "transient"
    """The same request may succeed later: rate limit, time-out, a server's 5xx, a lost connection."""
    CONFIGURATION = "configuration"
    """Somebody must change a key, a model name or a setting first."""
    CONTENT = "content"
    """The request itself is refused: content policy, a context too long, an input that does not fit."""
    CAPACITY = "capacity"
    """A quota or a budget is used up; waiting a little does not help."""
    AMBIGUOUS = "ambiguous"
    """The effect may have happened; repeating it could do or bill it twice."""
    UNKNOWN = "unknown"


def _without_none(owner: Any) -> dict[str, Any]:
    """The dataclass's members as JSON, leaving out those without a value."""
    found: dict[str, Any] = {}
    for member in fields(owner):
        value = getattr(owner, member.name)
        if value is None or value == () or value == {}:
            continue
        found[member.name] = list(cast("tuple[Any, ...]", value)) if isinstance(value, tuple) else value
    return found


NOT_CONNECTED: Final = "not_connected"
"""The `reason` in the parameters of a failure that came before anything was sent."""


@dataclass(frozen=True, slots=True)
class Location:
    """The place of a fault; every member is optional."""

    file: str | None = None
    line: int | None = None
    """The line, from 1."""
    column: int | None = None
    """The column, from 1, in characters."""
    end_line: int | None = None
    end_column: int | None = None
    """The column after the last one; like `end_line`, known only for faults in a file."""
    pipe: str | None = None
    """The pipe's code, or its domain-qualified reference where the code alone would be ambiguous."""
    field: str | None = None
    """The dotted path inside the pipe or concept table, for example `steps[2].pipe`."""
    concept: str | None = None
    path: tuple[str, ...] = ()
    """The run's steps from the entry pipe down to the one that failed."""
    input: str | None = None
    item: int | None = None
    """The index in a list, from 0."""
    attempt: int | None = None

    def mapped(self, change: Callable[[str], str]) -> Self:
        """The place, with the name of its file changed."""
        return self if self.file is None else replace(self, file=change(self.file))

    def to_json(self) -> dict[str, Json]:
        return _without_none(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Json]) -> Self:
        known = {member.name for member in fields(cls)}
        kept: dict[str, Any] = {key: value for key, value in data.items() if key in known}
        kept["path"] = tuple(kept.get("path", ()))
        return cls(**kept)


@dataclass(frozen=True, slots=True)
class ErrorReport:
    """One failure as people and programs see it: the same object in-process and on Temporal.

    `to_json` leaves out every member that has no value, as the protocol demands.
    """

    code: str
    """A code of the core registry, for example `provider.rate_limited`."""
    detail: str
    """One sentence: what happened, with the names involved."""
    category: ErrorCategory = ErrorCategory.UNKNOWN
    advice: str | None = None
    """The advice: what to do about it."""
    params: Mapping[str, Json] = field(default_factory=dict[str, Json])
    location: Location = field(default_factory=Location)
    provider: str | None = None
    """The backend's id, for a failure of a provider."""
    model: str | None = None
    status: int | None = None
    """The provider's HTTP status."""
    request_id: str | None = None
    """The provider's own id of the failing request."""
    retry_after: float | None = None
    """The seconds that the provider asked to wait."""
    attempts: int | None = None
    """The number of attempts before giving up."""
    faults: tuple["Fault", ...] = ()
    """The faults, one by one, if the failure is an invalid method, input or settings file."""
    usage: tuple[Json, ...] = ()
    """The usage that the failed work cost, all attempts and everything below it included: one JSON
    `ModelUsage` for each model."""

    @property
    def facts(self) -> CodeFacts:
        """The facts that the registry has about the code."""
        return CORE_CODES.get(self.code, CORE_CODES["runtime.unexpected"])

    @property
    def is_retryable(self) -> bool:
        """Whether repeating the very same effect may succeed."""
        return self.category is ErrorCategory.TRANSIENT

    @property
    def is_free(self) -> bool:
        """Whether nothing was sent, so that repeating the effect costs nothing."""
        return self.is_retryable and self.params.get("reason") == NOT_CONNECTED

    @property
    def retry(self) -> Retry:
        """Whether the same request may be sent again: as the registry says, unless this failure is known to be permanent."""
        return "no" if self.facts.retry == "yes" and self.category in _STEPS_OF_LASTING else self.facts.retry

    @property
    def next_step(self) -> NextStep:
        """The kind of step that ends the failure."""
        return self.facts.next_step if self.retry == self.facts.retry else _STEPS_OF_LASTING[self.category]

    @property
    def what_to_do(self) -> str:
        """The next step in words."""
        return self.advice or advice_for(self.code, {**self.location.to_json(), **self.params})

    @property
    def exit_code(self) -> ExitCode:
        """The exit code of a command that fails with this report."""
        is_unnamed = self.code in _UNNAMED or (self.facts.domain == "input" and self.code.startswith("request."))
        return ExitCode.NOT_TRIED if is_unnamed or self.facts.next_step == "fix_configuration" else ExitCode.FAILED

    @property
    def type_name(self) -> str:
        """The code as an error type name, `provider.rate_limited` → `ProviderRateLimited`: Temporal's failure type."""
        return error_type_name(self.code)

    def to_json(self) -> dict[str, Json]:
        found = _without_none(self)
        found["category"] = self.category.value
        located = self.location.to_json()
        found.pop("location")
        if located:
            found["location"] = located
        if self.faults:
            found["faults"] = [fault.to_json() for fault in self.faults]
        return found

    @classmethod
    def from_json(cls, data: Mapping[str, Json]) -> Self:
        known = {member.name for member in fields(cls)}
        kept: dict[str, Any] = {key: value for key, value in data.items() if key in known}
        kept["category"] = ErrorCategory(kept.get("category", ErrorCategory.UNKNOWN))
        kept["location"] = Location.from_json(kept.get("location", {}))
        kept["faults"] = tuple(Fault.from_json(item) for item in kept.get("faults", ()))
        kept["usage"] = tuple(kept.get("usage", ()))
        return cls(**kept)

    def without_secrets(self) -> Self:
        """The report with every known secret masked in its texts; see `pipelex.errors.hidden`."""
        return self._mapped(without_secrets)

    def without_folders(self) -> Self:
        """The report for a caller on another machine: files are named without their folders."""
        return self._mapped(without_folders)

    def _mapped(self, change: Callable[[str], str]) -> Self:
        found = replace(
            self,
            detail=change(self.detail),
            advice=None if self.advice is None else change(self.advice),
            params=mapped(self.params, change),
            location=self.location.mapped(change),
            faults=tuple(fault.mapped(change) for fault in self.faults),
        )
        return self if found == self else found

    def to_problem(self, run_id: str | None = None) -> dict[str, Json]:
        """The report as an RFC 9457 problem document of the MTHDS Protocol 2.0.0."""
        facts = self.facts
        problem: dict[str, Json] = {
            "type": f"https://mthds.ai/errors/{self.code}",
            "title": self.code.rpartition(".")[2].replace("_", " ").capitalize(),
            "detail": self.detail,
            "status": facts.status or 422,
            "code": self.code,
            "domain": facts.domain,
            "retry": self.retry,
            "next_step": {"kind": self.next_step, "detail": self.what_to_do},
        }
        if self.retry_after is not None:
            problem["retry_after"] = self.retry_after
        if self.params:
            problem["params"] = self.params
        located = {key: value for key, value in self.location.to_json().items() if key in _PROBLEM_LOCATION}
        if located:
            problem["location"] = located
        if self.faults:
            problem["errors"] = [fault.to_item() for fault in self.faults if fault.severity == "error"]
        if run_id is not None:
            problem["pipeline_run_id"] = run_id
        return problem


_STEPS_OF_LASTING: dict[ErrorCategory, NextStep] = {
    ErrorCategory.CONTENT: "change_input",
    ErrorCategory.CONFIGURATION: "fix_configuration",
}
"""The next step for failures that the registry calls transient but that the request or the configuration causes."""

_PROBLEM_LOCATION = frozenset({"pipe", "path", "input", "field", "item", "attempt", "file", "line", "column"})


@dataclass(frozen=True, slots=True)
class SuggestedFix:
    """A change a program can apply to a method file."""

    fix_code: str
    """The name of the kind of change, in kebab case."""
    description: str
    ops: tuple[Mapping[str, Json], ...] = ()
    """The changes, each one of `set_key`, `ensure_table`, `delete_key`, `delete_table`, `rename_table_key`, `move_key`
    and `remap_value`."""
    safety: Literal["safe", "unsafe"] = "safe"
    file: str | None = None

    def to_json(self) -> dict[str, Json]:
        return _without_none(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Json]) -> Self:
        kept: dict[str, Any] = {**data, "ops": tuple(as_objects(data.get("ops", ())))}
        return cls(**kept)


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault about a method: an error, or a warning that does not change the verdict."""

    code: str
    """A `method.*`, `model.*` or `security.*` code of the registry."""
    detail: str
    """A sentence for people: what is wrong and what would be right."""
    location: Location = field(default_factory=Location)
    severity: Literal["error", "warning"] = "error"
    category: str | None = None
    """The reference's older name of the fault, for example `missing_input_variable`."""
    params: Mapping[str, Json] = field(default_factory=dict[str, Json])
    suggestions: tuple[str, ...] = ()
    """Similar names, the best first."""
    suggested_fix: SuggestedFix | None = None

    def mapped(self, change: Callable[[str], str]) -> Self:
        """The fault, with its texts changed."""
        return replace(
            self,
            detail=change(self.detail),
            params=mapped(self.params, change),
            location=self.location.mapped(change),
        )

    def to_json(self) -> dict[str, Json]:
        found = _without_none(self)
        found.pop("location")
        located = self.location.to_json()
        if located:
            found["location"] = located
        if self.suggested_fix is not None:
            found["suggested_fix"] = self.suggested_fix.to_json()
        return found

    def to_item(self) -> dict[str, Json]:
        """The fault as an item of the protocol's `errors` and `warnings`."""
        item = self.to_json()
        item.pop("severity")
        return item

    @classmethod
    def from_json(cls, data: Mapping[str, Json]) -> Self:
        kept: dict[str, Any] = dict(data)
        kept["location"] = Location.from_json(kept.get("location", {}))
        kept["suggestions"] = tuple(kept.get("suggestions", ()))
        if kept.get("suggested_fix") is not None:
            kept["suggested_fix"] = SuggestedFix.from_json(kept["suggested_fix"])
        return cls(**kept)

    def at(self, location: Location) -> Self:
        """The same fault at another place."""
        return replace(self, location=location)


def error_type_name(code: str) -> str:
    """`provider.rate_limited` → `ProviderRateLimited`; a name without a dot is returned as it is."""
    if "." not in code:
        return code
    return "".join(word.capitalize() for part in code.split(".") for word in part.split("_"))
