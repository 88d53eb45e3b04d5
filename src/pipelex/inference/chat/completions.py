"""Chat completions of endpoints that speak OpenAI's protocol nearly: what they leave out is filled in.

pydantic-ai validates a completion against OpenAI's own types through a hook that subclasses may override; what it
tolerates by itself is a finish reason, a service tier or metadata of one's own, and no more.
"""

from typing import Any, cast

from openai.types import chat
from pydantic_ai.models.openai import OpenAIChatModel

_COUNTS = ("prompt_tokens", "completion_tokens", "total_tokens")


class CompatibleChatModel(OpenAIChatModel):
    """OpenAI's chat completions, as other servers write them, too."""

    def _validate_completion(self, response: chat.ChatCompletion) -> Any:
        filled = _filled(response.model_dump(warnings=False), str(self.model_name))
        return super()._validate_completion(chat.ChatCompletion.model_construct(**filled))


def _filled(answer: dict[str, Any], model: str) -> dict[str, Any]:
    created: Any = answer.get("created")
    filled = {
        **answer,
        "id": answer.get("id") or "",
        "object": "chat.completion",
        "model": answer.get("model") or model,
        "created": int(created) if isinstance(created, int | float) else 0,
    }
    choices: Any = answer.get("choices")
    if isinstance(choices, list):
        filled["choices"] = [_choice(each, rank) for rank, each in enumerate(cast("list[Any]", choices))]
    if isinstance(answer.get("usage"), dict):
        filled["usage"] = _usage(answer["usage"])
    return filled


def _choice(choice: Any, rank: int) -> Any:
    if not isinstance(choice, dict):
        return choice
    table = cast("dict[str, Any]", choice)
    message: Any = table.get("message")
    if isinstance(message, dict):
        message = {**cast("dict[str, Any]", message), "role": "assistant"}
        if isinstance(message.get("tool_calls"), list):
            message["tool_calls"] = [_tool_call(call, at) for at, call in enumerate(message["tool_calls"])]
    return {**table, "index": table.get("index") or rank, "message": message}


def _tool_call(call: Any, rank: int) -> Any:
    if not isinstance(call, dict):
        return call
    table = cast("dict[str, Any]", call)
    return {**table, "id": table.get("id") or f"call_{rank}", "type": table.get("type") or "function"}


def _usage(usage: dict[str, Any]) -> dict[str, Any]:
    """Counts that are missing or null are none; the total is theirs."""
    asked, answered, total = (usage.get(name) or 0 for name in _COUNTS)
    return {**usage, "prompt_tokens": asked, "completion_tokens": answered, "total_tokens": total or asked + answered}
