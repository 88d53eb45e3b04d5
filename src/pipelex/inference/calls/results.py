"""Results of paid calls, kept under the id of their logical call until the run has them."""

import hashlib
import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import ValidationError

from pipelex.errors import PipelexError
from pipelex.inference.calls.logical import LogicalCall
from pipelex.pipes.wire import Wire
from pipelex.storage import Storage

logger = logging.getLogger("pipelex.inference")

R = TypeVar("R", bound=Wire)


@dataclass(frozen=True)
class ResultCache:
    """Keeps the result of each logical call, so that an attempt finds what an earlier one was answered.

    It must never make a call fail: what cannot be read counts as missing, what cannot be written is left.
    """

    storage: Storage

    async def once(self, call: LogicalCall, kind: type[R], ask: Callable[[], Awaitable[R]]) -> R:
        """The result of an earlier attempt of the call with the same job, else that of asking."""
        found = await self._found(call, kind)
        if found is not None:
            logger.info("The result of an earlier attempt of %s is used.", call.id)
            return found
        result = await ask()
        await self._keep(call, result)
        return result

    async def _found(self, call: LogicalCall, kind: type[R]) -> R | None:
        try:
            written = await self.storage.kept(_name(call))
            if written is None:
                return None
            entry: Any = json.loads(written)
            if entry["job"] != call.job:
                logger.info("The kept result of %s belongs to another job, and is not used.", call.id)
                return None
            return kind.model_validate(entry["result"])
        except (PipelexError, ValueError, KeyError, TypeError) as error:
            what = "it is not a result" if isinstance(error, ValidationError) else str(error)
            logger.warning("The kept result of %s cannot be read, and is not used: %s", call.id, what)
            return None

    async def _keep(self, call: LogicalCall, result: Wire) -> None:
        entry = {"job": call.job, "result": result.model_dump(mode="json", exclude_unset=True)}
        try:
            await self.storage.keep(_name(call), json.dumps(entry).encode())
        except PipelexError as error:
            logger.warning("The result of %s is not kept: %s", call.id, error)


def _name(call: LogicalCall) -> str:
    """Spread over folders, for stores that are folders."""
    digest = hashlib.sha256(call.id.encode()).hexdigest()
    return f"results/{digest[:2]}/{digest[2:]}.json"
