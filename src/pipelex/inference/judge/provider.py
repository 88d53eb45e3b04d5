"""The interface of a provider of judgment models."""

from typing import Protocol

from pipelex.pipes.effects.jobs import ContentListResult
from pipelex.pipes.effects.requests import JudgeRequest


class JudgmentProvider(Protocol):
    """A way to have closed questions judged; its factory is called with the `ModelCall`, for each call."""

    async def judge(self, request: JudgeRequest) -> ContentListResult:
        """One verdict content per question, in order, None where the model refused to judge; with what it cost.

        Raises:
            PipelexError: the provider refused or failed.
        """
        ...
