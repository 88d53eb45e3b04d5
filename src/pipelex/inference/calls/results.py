"""The results of paid calls, kept under the id of their logical call until the run has them."""

import hashlib
import json
import logging
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from pydantic import ValidationError

from pipelex.errors import PipelexError
from pipelex.inference.calls.logical import LogicalCall
from pipelex.pipes.effects.jobs import kept_from
from pipelex.pipes.wire import Wire
from pipelex.storage import Storage

logger = logging.getLogger("pipelex.inference")

R = TypeVar("R", bound=Wire)


_PLACE: Final = re.compile(r"(/.*|#\d+|:[0-9a-f-]{36}:[^:/]*)$", re.DOTALL)
"""The part of a logical call's id after the run: the path of a pipe, the rank or the id of an effect."""


@dataclass(frozen=True)
class ResultCache:
    """Keeps the result of each logical call, so that an attempt finds the answer to an earlier one.

    The cache never makes a call fail: an entry that cannot be read counts as missing, and a failure to write is only
    logged. Failures of calls are never kept.
    """

    storage: Storage
    across_runs: bool = False
    """Whether results are also shared between equal calls, of any run: the same request to the same model."""

    async def once(self, call: LogicalCall, kind: type[R], ask: Callable[[], Awaitable[R]]) -> R:
        """The result of an earlier attempt with the same job, or of an equal call; otherwise ask for it."""
        found = await self._found(_name(call.id), call, kind)
        if found is not None:
            logger.info("The result of an earlier attempt of %s is used.", call.id)
            return found[1]
        equal = await self._found(_name(call.job, _EQUAL), call, kind) if self.across_runs else None
        if equal is not None:
            origin, result = equal
            return result.model_copy(update={"kept_from": kept_from(result) or origin})
        result = await ask()
        await self._keep(_name(call.id), call, result)
        if self.across_runs:
            await self._keep(_name(call.job, _EQUAL), call, result)
        return result

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
            "run": _PLACE.sub("", call.id),
            "result": result.model_dump(mode="json", exclude_unset=True),
        }
        try:
            await self.storage.keep(name, json.dumps(entry).encode())
        except PipelexError as error:
            logger.warning("The result of %s is not kept: %s", call.id, error)


_EQUAL: Final = "equal"


def _name(text: str, below: str = "") -> str:
    """The name of an entry, spread over folders for stores that are folders."""
    digest = hashlib.sha256(text.encode()).hexdigest()
    return "/".join(filter(None, ("results", below, digest[:2], f"{digest[2:]}.json")))
