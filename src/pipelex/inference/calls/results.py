"""The results of paid calls, kept under the id of their logical call until the run has them."""

import asyncio
import hashlib
import json
import logging
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from pydantic import ValidationError

from pipelex.errors import PipelexError
from pipelex.inference.calls.logical import LogicalCall
from pipelex.pipes.effects.jobs import kept_from
from pipelex.pipes.wire import Wire
from pipelex.storage import Storage

logger = logging.getLogger("pipelex.inference")

R = TypeVar("R", bound=Wire)

_Origin = tuple[str, Wire]
"""The run for which a result was made, and the result."""

_PLACE: Final = re.compile(r"(/.*|#\d+|:[0-9a-f-]{36}:[^:/]*)$", re.DOTALL)
"""The part of a logical call's id after the run: the path of a pipe, the rank or the id of an effect."""


@dataclass(frozen=True)
class ResultCache:
    """Keeps the result of each logical call, so that an attempt finds the answer to an earlier one.

    Where results are shared across runs, one of the equal calls that a process makes at the same time asks, and the
    others wait for its answer. If it fails or is cancelled, the next of them asks.

    The cache never makes a call fail: an entry that cannot be read counts as missing, and a failure to write is only
    logged. Failures of calls are never kept.
    """

    storage: Storage
    across_runs: bool = False
    """Whether results are also shared between equal calls, of any run: the same request to the same model."""
    _leaders: "dict[tuple[asyncio.AbstractEventLoop, str], asyncio.Future[_Origin | None]]" = field(
        default_factory=dict[tuple[asyncio.AbstractEventLoop, str], "asyncio.Future[_Origin | None]"], init=False
    )
    """Event loop and job → the result of the call that asks at the moment; None if it did not get any."""

    async def once(self, call: LogicalCall, kind: type[R], ask: Callable[[], Awaitable[R]]) -> R:
        """The result of an earlier attempt with the same job, or of an equal call; otherwise ask for it."""
        found = await self._found(_name(call.id), call, kind)
        if found is not None:
            logger.info("The result of an earlier attempt of %s is used.", call.id)
            return found[1]
        if self.across_runs:
            return await self._shared(call, kind, ask)
        result = await ask()
        await self._keep(_name(call.id), call, result)
        return result

    async def _shared(self, call: LogicalCall, kind: type[R], ask: Callable[[], Awaitable[R]]) -> R:
        """The result of an equal call, also of one that is under way in this process; otherwise ask for it."""
        key = (asyncio.get_running_loop(), call.job)
        while (leader := self._leaders.get(key)) is not None:
            await asyncio.wait((leader,))  # cancelling this call must not cancel what the others wait for
            found = leader.result()
            if found is not None and isinstance(found[1], kind):
                return _marked(found[0], found[1])
        leader = self._leaders[key] = key[0].create_future()
        try:
            equal = await self._found(_name(call.job, _EQUAL), call, kind)
            if equal is not None:
                leader.set_result(equal)
                return _marked(*equal)
            result = await ask()
            leader.set_result((_run_of(call), result))
            await self._keep(_name(call.id), call, result)
            await self._keep(_name(call.job, _EQUAL), call, result)
            return result
        finally:
            del self._leaders[key]  # not before the result is kept: whoever comes later finds it there
            if not leader.done():
                leader.set_result(None)

    async def _found(self, name: str, call: LogicalCall, kind: type[R]) -> tuple[str, R] | None:
        """A kept result, and the run for which it was made."""
        try:
            written = await self.storage.kept(name)
            if written is None:
                return None
            entry: Any = json.loads(written)
            if entry["job"] != call.job:
                logger.info("The kept result of %s belongs to another job, and is not used.", call.id)
                return None
            return str(entry.get("run", "")), kind.model_validate(entry["result"])
        except (PipelexError, ValueError, KeyError, TypeError) as error:
            what = "it is not a result" if isinstance(error, ValidationError) else str(error)
            logger.warning("The kept result of %s cannot be read, and is not used: %s", call.id, what)
            return None

    async def _keep(self, name: str, call: LogicalCall, result: Wire) -> None:
        entry = {
            "job": call.job,
            "run": _run_of(call),
            "result": result.model_dump(mode="json", exclude_unset=True),
        }
        try:
            await self.storage.keep(name, json.dumps(entry).encode())
        except PipelexError as error:
            logger.warning("The result of %s is not kept: %s", call.id, error)


_EQUAL: Final = "equal"


def _run_of(call: LogicalCall) -> str:
    """The run that a call belongs to."""
    return _PLACE.sub("", call.id)


def _marked(origin: str, result: R) -> R:
    """A result that is taken from an equal call, with the run that paid for it."""
    return result.model_copy(update={"kept_from": kept_from(result) or origin})


def _name(text: str, below: str = "") -> str:
    """The name of an entry, spread over folders for stores that are folders."""
    digest = hashlib.sha256(text.encode()).hexdigest()
    return "/".join(filter(None, ("results", below, digest[:2], f"{digest[2:]}.json")))
