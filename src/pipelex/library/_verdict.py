"""The verdict on a library: its faults, and whether it is valid and runnable."""

from collections.abc import Iterable
from dataclasses import dataclass

from pipelex.errors import Fault, Json, MethodInvalidError


@dataclass(frozen=True)
class Verdict:
    """The verdict of validation."""

    errors: tuple[Fault, ...] = ()
    """The errors, in the order of files and lines."""
    warnings: tuple[Fault, ...] = ()
    """The warnings; they never change the verdict."""
    pending_signatures: tuple[str, ...] = ()
    """Qualified references of pipes that are declared but not written yet."""
    unchecked: tuple[str, ...] = ()
    """Qualified references of pipes that were not run on made-up values because time ran out."""

    @property
    def is_valid(self) -> bool:
        return not self.errors

    @property
    def is_runnable(self) -> bool:
        """Whether the library is valid and every pipe is written."""
        return self.is_valid and not self.pending_signatures

    def is_accepted(self, *, allow_signatures: bool = False) -> bool:
        """Whether the library is valid and, unless signatures are allowed, runnable."""
        return self.is_valid if allow_signatures else self.is_runnable

    def require_valid(self) -> None:
        """Raise the errors, if there are any.

        Raises:
            MethodInvalidError: there are errors; the exception has all of them.
        """
        if self.errors:
            raise MethodInvalidError(self.errors)

    def to_json(self) -> dict[str, Json]:
        """The verdict as the protocol's answer to `validate`."""
        answer: dict[str, Json] = {
            "is_valid": self.is_valid,
            "is_runnable": self.is_runnable,
            "pending_signatures": list(self.pending_signatures),
            "warnings": [fault.to_item() for fault in self.warnings],
        }
        if not self.is_valid:
            answer["errors"] = [fault.to_item() for fault in self.errors]
            answer["message"] = str(MethodInvalidError(self.errors))
        return answer

    @classmethod
    def of(cls, faults: Iterable[Fault], files: Iterable[str | None], pending_signatures: Iterable[str]) -> "Verdict":
        """The verdict that consists of some faults.

        Args:
            faults: the faults, in any order; duplicates are removed.
            files: the files, in the order in which their faults are listed.
            pending_signatures: pipes that are not written yet.
        """
        position = {file: index for index, file in enumerate(files)}
        unique = list({_identity(fault): fault for fault in faults}.values())
        unique.sort(
            key=lambda fault: (
                position.get(fault.location.file, len(position)),
                fault.location.line or 0,
                fault.location.column or 0,
            )
        )
        return cls(
            tuple(fault for fault in unique if fault.severity == "error"),
            tuple(fault for fault in unique if fault.severity == "warning"),
            tuple(pending_signatures),
        )


def _identity(fault: Fault) -> tuple[object, ...]:
    return (fault.code, fault.severity, fault.detail, fault.location)
