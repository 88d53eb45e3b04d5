"""Answers whose texts hold halves of characters: they are mended, so that nobody pays for the question again."""

from collections.abc import Mapping
from dataclasses import replace

from pipelex.errors.surrogates import is_encodable, mended, mended_json
from pipelex.inference.chat.messages import Answer, ToolUse


def whole_characters(answer: Answer) -> Answer:
    """The same answer, its texts and the arguments of its tools mended.

    The client's own form of a mended answer is left out: it could not be sent back.
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
