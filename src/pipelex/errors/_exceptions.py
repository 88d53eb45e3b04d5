"""The tree of exceptions: each carries an `ErrorReport`, which says what happened and what to do."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Self

from pipelex.errors._report import ErrorCategory, ErrorReport, Fault, Location


class PipelexError(Exception):
    """The base class of every error that this package raises on purpose; it carries an `ErrorReport`.

    Args:
        code: a code of the core registry.
        detail: one sentence that says what happened.
        **members: any other member of `ErrorReport`.
    """

    def __init__(self, code: str, detail: str, **members: Any) -> None:
        self._report = ErrorReport(code=code, detail=detail, **members).without_secrets()
        super().__init__(self._report.detail)

    @classmethod
    def from_report(cls, report: ErrorReport) -> Self:
        """The exception that carries a report received from elsewhere."""
        error = cls.__new__(cls)
        error._report = report.without_secrets()
        Exception.__init__(error, error._report.detail)
        return error

    @property
    def report(self) -> ErrorReport:
        """The report of the error. It never changes; `with_report` makes another."""
        return self._report

    @property
    def code(self) -> str:
        return self.report.code

    def with_report(self, **members: Any) -> Self:
        """A new error whose report has these members instead; cause, context and traceback are those of this one."""
        error = self.from_report(replace(self.report, **members))
        error.__cause__, error.__context__ = self.__cause__, self.__context__
        error.__suppress_context__ = self.__suppress_context__
        return error.with_traceback(self.__traceback__)

    def with_location(self, **members: Any) -> Self:
        """A new error whose location has these members filled in where they are missing; see `with_report`."""
        known = self.report.location
        missing = {name: value for name, value in members.items() if getattr(known, name) in (None, ())}
        return self.with_report(location=replace(known, **missing))

    def __str__(self) -> str:
        return self.report.detail


class ConfigurationError(PipelexError):
    """A settings file is wrong, or a setting needed for the task is missing; the report's `faults` lists each fault."""

    def __init__(
        self,
        detail: str,
        *,
        advice: str | None = None,
        location: Location | None = None,
        faults: Sequence[Fault] = (),
    ) -> None:
        super().__init__(
            "runtime.misconfigured",
            detail,
            category=ErrorCategory.CONFIGURATION,
            advice=advice,
            params={"component": "configuration"},
            location=location or (faults[0].location if faults else Location()),
            faults=tuple(faults),
        )

    @property
    def faults(self) -> tuple[Fault, ...]:
        return self.report.faults


class ProjectNotTrustedError(ConfigurationError):
    """Files of a project name the user's variables, secrets or files, or addresses of their choice, and are not trusted yet."""


class TemporalConfigError(ConfigurationError):
    """The `[temporal]` settings are wrong: an unknown key, a value that does not fit, or an undefined name."""


class MethodInvalidError(PipelexError):
    """A method's files have faults; all of them are in `faults`."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        errors = [fault for fault in faults if fault.severity == "error"]
        first = errors[0].detail if errors else "the method is not valid"
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        super().__init__(
            "method.invalid",
            first + more,
            category=ErrorCategory.CONTENT,
            faults=tuple(faults),
            location=errors[0].location if errors else Location(),
        )

    @property
    def faults(self) -> tuple[Fault, ...]:
        return self.report.faults


class InputError(PipelexError):
    """A run-time input does not fit what the pipe declares."""

    def __init__(self, code: str, detail: str, *, input: str | None = None, **params: Any) -> None:
        named = {"input": input, **params} if input is not None else params
        super().__init__(code, detail, category=ErrorCategory.CONTENT, params=named, location=Location(input=input))
