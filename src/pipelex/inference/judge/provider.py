"""The interface of a provider of judgment models."""

from typing import Protocol

from pipelex.pipes.effects.jobs import ContentListResult
from pipelex.pipes.effects.requests import JudgeRequest


class JudgmentProvider(Protocol):
    """A provider of judgment models; its factory is called with the `ModelCall`, once for each call."""

    async def judge(self, request: JudgeRequest) -> ContentListResult:
        """One verdict content per question, in order, or None if the model refused to judge; and their usage.

        Raises:
            PipelexError: the provider refused or failed.
        """
        ...
