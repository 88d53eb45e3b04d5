"""The ledger of one logical call over all its attempts: the answers paid for, and those that did not fit.

Whatever repeats attempts keeps one ledger for all of them. So repeated questions and repeated attempts share one
budget, and the usage of an attempt that fails in the end is still counted.
"""

from dataclasses import dataclass, field
from typing import Any

from pipelex.content.stuff import Json
from pipelex.pipes.models import ModelUsage
from pipelex.pipes.usage import Meter, usages_from_json, usages_to_json


@dataclass
class CallLedger:
    """The account of one logical call. It is changed as answers come in."""

    unfit: int = 0
    """The number of answers that did not fit the schema."""
    _meter: Meter = field(default_factory=Meter)

    def spend(self, usage: ModelUsage) -> None:
        """Count what one answer used, even if the answer is not used in the end."""
        self._meter.add((usage,))

    @property
    def usage(self) -> tuple[ModelUsage, ...]:
        """The usage of all answers, one entry for each model."""
        return self._meter.total

    @property
    def is_empty(self) -> bool:
        """Whether a further attempt needs nothing of the ledger."""
        return not self.unfit and not self.usage

    def to_json(self) -> dict[str, Json]:
        """The ledger as JSON, for a next attempt in another process."""
        return {"unfit": self.unfit, "usage": usages_to_json(self.usage)}

    @classmethod
    def from_json(cls, data: object) -> "CallLedger":
        """The ledger that `to_json` wrote; an empty one for anything else."""
        ledger = cls()
        found: dict[str, Any] = data if isinstance(data, dict) else {}  # pyright: ignore[reportUnknownVariableType]
        unfit = found.get("unfit")
        ledger.unfit = unfit if isinstance(unfit, int) else 0
        for usage in usages_from_json(found.get("usage")):
            ledger.spend(usage)
        return ledger
