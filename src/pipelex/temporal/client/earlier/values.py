"""Reads the values in histories: inputs and outputs of pipes, jobs and results of effects."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from temporalio.api.common.v1 import Payload
from temporalio.api.failure.v1 import Failure
from temporalio.common import RawValue
from temporalio.converter import DataConverter

from pipelex.content.stuff import Absence, Stuff
from pipelex.durable.jobs import PipeJob
from pipelex.durable.large import LargeInputs, whole
from pipelex.errors import ErrorReport
from pipelex.pipes.calls import PipeOutcome
from pipelex.pipes.effects.kind import EffectKind
from pipelex.pipes.effects.kinds import EFFECTS
from pipelex.pipes.models import ModelUsage
from pipelex.pipes.wire import Wire
from pipelex.temporal.codec import loaded
from pipelex.temporal.workflow.failures import from_failure

_KINDS: Final[Mapping[str, EffectKind[Any, Any]]] = {kind.activity: kind for kind in EFFECTS}


@dataclass(frozen=True)
class ValueReader:
    """Reads values for people. Values that cannot be read here are left out, because the rest is worth showing."""

    converter: DataConverter

    async def inputs(self, given: Sequence[Payload]) -> dict[str, Stuff]:
        """The inputs of a pipe, from the arguments of its workflow; none for a slice of a batch."""
        kinds: list[Any] = [PipeJob, RawValue, LargeInputs | None]
        try:
            job, *_, large = await self.converter.decode(given, kinds[: len(given)])
            call = whole(job.call, large if isinstance(large, LargeInputs) else None)
            return {name: await loaded(self.converter, stuff) for name, stuff in call.inputs.items()}
        except Exception:
            return {}

    async def output(self, told: Sequence[Payload]) -> Stuff | Absence | None:
        """The output of a pipe, from the result of its workflow."""
        try:
            (outcome,) = await self.converter.decode(told, [PipeOutcome])
            value = outcome.value
            return await loaded(self.converter, value) if isinstance(value, Stuff) else value
        except Exception:
            return None

    async def usage(self, told: Sequence[Payload]) -> tuple[ModelUsage, ...]:
        """What a pipe used with everything below it, from the result of its workflow."""
        try:
            (outcome,) = await self.converter.decode(told, [PipeOutcome])
        except Exception:
            return ()
        return outcome.usage

    async def job(self, activity: str, given: Sequence[Payload]) -> Wire | None:
        """The job of an effect, from the arguments of its activity."""
        return await self._wire(given[:1], None if activity not in _KINDS else _KINDS[activity].job)

    async def result(self, activity: str, told: Sequence[Payload]) -> Wire | None:
        """The result of an effect, from the result of its activity."""
        return await self._wire(told, None if activity not in _KINDS else _KINDS[activity].result)

    async def error(self, failure: Failure, what: str) -> ErrorReport | None:
        """The report of a failure.

        Args:
            failure: the failure in the event of the end.
            what: the name of what failed, for failures without a report of Pipelex.
        """
        try:
            return from_failure(await self.converter.decode_failure(failure), what=what).report
        except Exception:
            return None

    async def _wire(self, payloads: Sequence[Payload], kind: type[Wire] | None) -> Wire | None:
        if kind is None or not payloads:
            return None
        try:
            (found,) = await self.converter.decode(payloads, [kind])
        except Exception:
            return None
        return found
