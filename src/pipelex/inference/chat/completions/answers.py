"""Chat completions as OpenAI answers them, and servers that almost speak its protocol.

Missing members are filled in: ids, roles, counts, the reason why the answer ends. An unreadable answer is reported with
what is wrong. OpenAI's client and pydantic-ai reject whatever is not as documented: of 15 answers of other servers,
they read 6.
"""

from datetime import UTC, datetime
from typing import Any, Final, cast

from pipelex.errors import PipelexError
from pipelex.inference.calls.guard import ToldFailure
from pipelex.inference.calls.model_call import ModelCall
from pipelex.inference.chat.completions.requests import said
from pipelex.inference.chat.messages import Answer, FinishReason, TokenCounts, ToolUse
from pipelex.inference.deck.prices import listed_price
from pipelex.inference.members import table, tables

_REASONS: Final[dict[str, FinishReason]] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_call",
    "function_call": "tool_call",
    "content_filter": "content_filter",
}
_THOUGHTS: Final = ("reasoning", "reasoning_content")
"""The members of a message in which servers put a model's thoughts."""
_BEGIN, _END = "<think>", "</think>"


def read_completion(body: Any, call: ModelCall, address: str) -> Answer:
    """The answer in a completion.

    Args:
        body: the JSON that was answered.
        call: the call it answers.
        address: the endpoint, which decides whose prices apply.

    Raises:
        PipelexError: the completion holds no answer (`provider.response_invalid`).
        ToldFailure: the completion holds a failure instead.
    """
    completion = table(body)
    choice, usage = _choice(completion, call), _usage(completion.get("usage"))
    message = choice.get("message")
    if not isinstance(message, dict):
        raise _unreadable(call, "its choice has no message")
    members = cast("dict[str, Any]", message)
    model = completion.get("model")
    named = model if isinstance(model, str) and model else call.entry.model_id
    ids = completion.get("id")
    common: dict[str, Any] = {
        "usage": usage or TokenCounts(),
        "model_name": named,
        "response_id": ids if isinstance(ids, str) and ids else None,
        "listed_price": lambda: None if usage is None else _listed(usage, completion, named, address, call),
    }
    refusal = members.get("refusal")
    if isinstance(refusal, str) and refusal:
        return Answer(finish_reason="content_filter", refusal=refusal, **common)
    uses = _uses(members.get("tool_calls"), call)
    written, thought, sent_back = _texts(members, call)
    return Answer(
        text=written,
        thinking=thought,
        tool_uses=uses,
        finish_reason=_reason(choice.get("finish_reason"), uses),
        said=said(sent_back, uses, _told_apart(members)),
        **common,
    )


def _choice(completion: dict[str, Any], call: ModelCall) -> dict[str, Any]:
    choices = tables(completion.get("choices"))
    told = next((error for found in (completion, *choices[:1]) if (error := found.get("error"))), None)
    if told is not None:
        raise ToldFailure({"error": told})
    if not choices:
        raise _unreadable(call, "it has no choices")
    if choices[0].get("finish_reason") == "error":
        raise _unreadable(call, "it ended with an error")
    return choices[0]


def _unreadable(call: ModelCall, what: str) -> PipelexError:
    return call.garbled("unreadable", what)


def _reason(given: Any, uses: tuple[ToolUse, ...]) -> FinishReason | None:
    if not given:
        return "tool_call" if uses else "stop"
    return _REASONS.get(given) if isinstance(given, str) else None


def _uses(given: Any, call: ModelCall) -> tuple[ToolUse, ...]:
    found: list[ToolUse] = []
    for rank, entry in enumerate(tables(given)):
        function = table(entry.get("function"))
        name, arguments = function.get("name"), function.get("arguments")
        if not isinstance(name, str) or not isinstance(arguments, str | dict):
            raise _unreadable(call, "a tool call has no name or no arguments")
        known = entry.get("id")
        found.append(
            ToolUse(
                known if isinstance(known, str) and known else f"call_{rank}",
                name,
                arguments if isinstance(arguments, str) else cast("dict[str, Any]", arguments),
            )
        )
    return tuple(found)


# --- texts ------------------------------------------------------------------------------------------------------------


def _texts(message: dict[str, Any], call: ModelCall) -> tuple[str | None, str | None, str | None]:
    """The text that is said, the text that is thought, and both as the one text that is sent back."""
    written, thoughts = _split(_content(message.get("content"), call))
    apart = list(_told_apart(message).values())
    sent_back = [f"{_BEGIN}\n{thought}\n{_END}" for thought in thoughts] + written
    return _joined(written), _joined([*apart, *thoughts]), _joined(sent_back)


def _content(content: Any, call: ModelCall) -> str:
    """The text of a message, which some servers split into parts."""
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise _unreadable(call, "its message has no text")
    return "".join(map(_part, cast("list[Any]", content)))


def _part(part: Any) -> str:
    found = part if isinstance(part, str) else table(part).get("text")
    return found if isinstance(found, str) else ""


def _told_apart(message: dict[str, Any]) -> dict[str, str]:
    """The thoughts under their member's name, if the server keeps them apart from the text."""
    for name in _THOUGHTS:
        found = message.get(name)
        if isinstance(found, str) and found:
            return {name: found}
    return {}


def _split(content: str) -> tuple[list[str], list[str]]:
    """The texts before, between and after thoughts, and the thoughts; a thought that never ends counts as text."""
    written: list[str] = []
    thoughts: list[str] = []
    before, begin, content = content.partition(_BEGIN)
    while begin:
        if before:
            written.append(before)
        thought, end, rest = content.partition(_END)
        if not end:
            if written and not thoughts:
                written[-1] += thought
            else:
                written.append(thought)
            return [text for text in written if text], thoughts
        thoughts.append(thought)
        before, begin, content = rest.partition(_BEGIN)
    return [*written, *([before] if before else [])], thoughts


def _joined(texts: list[str]) -> str | None:
    return "\n\n".join(texts) if texts else None


# --- counts and prices ------------------------------------------------------------------------------------------------


def _usage(given: Any) -> TokenCounts | None:
    """The token counts, with 0 for missing ones; None when there are no counts at all."""
    usage = table(given)
    if not usage:
        return None
    return TokenCounts(
        _count(usage, "prompt_tokens"),
        _count(usage, "completion_tokens"),
        _count(table(usage.get("prompt_tokens_details")), "cached_tokens"),
        table(usage.get("completion_tokens_details")).get("reasoning_tokens"),
    )


def _count(usage: dict[str, Any], name: str) -> int:
    found = usage.get(name)
    return int(found) if isinstance(found, int | float) and found > 0 else 0


def _listed(usage: TokenCounts, completion: dict[str, Any], model: str, address: str, call: ModelCall) -> float | None:
    """The price in public lists, by the endpoint's address, else by the backend's name."""
    counts = (usage.input_tokens, usage.output_tokens, usage.cached_tokens)
    created = completion.get("created")
    when = datetime.fromtimestamp(created, UTC) if isinstance(created, int | float) and created else None
    return listed_price(model, counts, _provider(address, call), address, when)


def _provider(address: str, call: ModelCall) -> str:
    return "openai" if "openai.com" in address else call.backend.id
