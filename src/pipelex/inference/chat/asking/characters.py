"""Answers that hold halves of surrogate pairs: their texts are repaired, so that no question is paid for twice."""

from collections.abc import Mapping
from dataclasses import replace

from pipelex.errors.surrogates import is_encodable, mended, mended_json
from pipelex.inference.chat.messages import Answer, ToolUse


def whole_characters(answer: Answer) -> Answer:
    """The same answer, with its texts and the arguments of its tool calls repaired.

    A repaired answer has no `said`, because the client's own form of it could not be sent back.
    """
    arguments = [use.arguments for use in answer.tool_uses]
    if is_encodable([answer.text, answer.thinking, arguments]):
        return answer
    return replace(
        answer,
        text=None if answer.text is None else mended(answer.text),
        thinking=None if answer.thinking is None else mended(answer.thinking),
        tool_uses=tuple(map(_mended, answer.tool_uses)),
        said=None,
    )


def _mended(use: ToolUse) -> ToolUse:
    if isinstance(use.arguments, str):
        return replace(use, arguments=mended(use.arguments))
    found = mended_json(use.arguments)
    return replace(use, arguments=dict(found) if isinstance(found, Mapping) else {})
