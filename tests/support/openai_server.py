"""A real HTTP server that speaks OpenAI's chat completions, scripted by rules on the prompt's text.

It answers other providers' protocols at their own paths too: see `tests.support.dialects`.

In a test: `with OpenAIStub() as stub: stub.on("weather", text="Sunny"); … stub.url …`.
As a process: `python -m tests.support.openai_server --rules FILE --port-file FILE --log FILE`, where the rules file is
`{"api_key": "…"?, "rules": [{"contains": "…", "replies": [{"text": "…"}]}]}` and the log gets one JSON line a request;
`--host` and `--port` let other hosts of a test reach it.
"""

import argparse
import contextlib
import json
import os
import re
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, cast

from tests.support.dialects import dialect_of, key_of, openai_error

Json = Any

GATHERING = 30.0
"""Seconds that an answer waits at most until as many requests are in flight as its reply wants."""


ErrorBody = Callable[[int, str], Json]


@dataclass(frozen=True)
class Reply:
    """One scripted answer; what is not set has the value of an ordinary success."""

    text: str | None = None
    object: Json = None
    """Given as message content, or as the arguments of the first tool when the request has tools."""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: Json = None
    """The whole response body, instead of a completion: JSON, or a string sent as it is."""
    delay: float = 0.0
    gathered: int = 0
    """Wait until so many requests have been in flight at once, however slow the machine; `GATHERING` seconds at most."""
    fault: Literal["truncated", "garbage", "closed", "empty"] | None = None
    """`truncated`: the body stops half-way; `garbage`: HTML; `closed`: no answer at all; `empty`: no body."""
    finish_reason: str | None = None
    refusal: str | None = None
    input_tokens: int = 11
    output_tokens: int = 7
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    expand: bool = False
    """Replace `\\1`, `\\g<name>` in texts by the groups of the rule's regular expression."""


@dataclass(frozen=True)
class Rule:
    """Which prompts get which replies: one after the other, the last one for ever (or from the start again)."""

    replies: tuple[Reply, ...]
    contains: str | None = None
    matches: str | None = None
    cycle: bool = False

    def match(self, prompt: str) -> re.Match[str] | None:
        pattern = self.matches if self.matches is not None else re.escape(self.contains or "")
        return re.search(pattern, prompt, re.DOTALL)

    @classmethod
    def from_json(cls, data: Mapping[str, Json]) -> Self:
        replies = tuple(Reply(**reply) for reply in data["replies"])
        return cls(replies, data.get("contains"), data.get("matches"), data.get("cycle", False))


@dataclass(frozen=True)
class Recorded:
    """One request as it arrived."""

    at: float
    path: str
    headers: Mapping[str, str]
    body: Json
    rule: int | None
    in_flight: int
    """Requests being served when this one arrived, itself included."""

    @property
    def prompt(self) -> str:
        return request_text(self.path, self.body)

    def to_json(self) -> dict[str, Json]:
        return {"at": self.at, "path": self.path, "body": self.body, "rule": self.rule, "in_flight": self.in_flight}


def request_text(path: str, body: Json) -> str:
    """All the text of a request, in the protocol of its path."""
    dialect = dialect_of(path)
    return prompt_text(body) if dialect is None else dialect.prompt(body)


def prompt_text(body: Json) -> str:
    """All the text of a request's messages, one message a line; of a request for images, its prompt."""
    table = cast("dict[str, Json]", body or {})
    lines: list[str] = [table["prompt"]] if isinstance(table.get("prompt"), str) else []
    for message in cast("list[dict[str, Json]]", table.get("messages", [])):
        content = message.get("content")
        if isinstance(content, str):
            lines.append(content)
        elif isinstance(content, list):
            parts = cast("list[dict[str, Json]]", content)
            lines.extend(part["text"] for part in parts if part.get("type") == "text")
    return "\n".join(lines)


class OpenAIStub:
    """The server, on a free port of 127.0.0.1 unless told otherwise, in a thread of its own.

    Args:
        rules: the first one that matches a prompt answers; a prompt that none matches gets status 418.
        api_key: when given, any other key is refused with 401.
        log: a file that gets one JSON line a request.
        error: makes the bodies of failures of chat completions; as OpenAI does when None.
        address: where to listen.
        tls: serves over TLS, with the certificate of this context.
    """

    def __init__(
        self,
        rules: Sequence[Rule] = (),
        *,
        api_key: str | None = None,
        log: Path | None = None,
        error: ErrorBody | None = None,
        address: tuple[str, int] = ("127.0.0.1", 0),
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._rules = list(rules)
        self._served: dict[int, int] = {}
        self._lock = threading.Lock()
        self._more_in_flight = threading.Condition(self._lock)
        self._in_flight = 0
        self._log = log
        self.api_key = api_key
        self.error = error
        self.lists_models = True
        self.models: Sequence[str] = ("stub",)
        """The models that it lists."""
        self.ollama: Literal["no", "too", "alone"] = "no"
        """Whether it answers Ollama's own API below `/api`: beside OpenAI's, or that alone."""
        self.listings: list[Mapping[str, str]] = []
        """The headers of each request for the list of models."""
        self.requests: list[Recorded] = []
        self.refused = 0
        """Requests with another key."""
        self.most_in_flight = 0
        self.answered = 0
        """Requests that were answered, as far as this side can tell."""
        self._server = _Server(address, _Handler)
        self._server.stub = self
        self._scheme = "http" if tls is None else "https"
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def on(
        self,
        contains: str | None = None,
        *replies: Reply,
        matches: str | None = None,
        cycle: bool = False,
        **reply: Json,
    ) -> Self:
        """Add a rule: either replies, or the members of its only one."""
        self._rules.append(Rule(replies or (Reply(**reply),), contains, matches, cycle))
        return self

    def start_over(self) -> None:
        """Forget the requests so far; each rule begins with its first reply again."""
        with self._lock:
            self._served.clear()
            self.requests.clear()

    @property
    def port(self) -> int:
        return self._server.server_address[1]

    @property
    def url(self) -> str:
        """The endpoint to configure, with `/v1`."""
        return f"{self.root}/v1"

    @property
    def root(self) -> str:
        """The address without a path."""
        return f"{self._scheme}://127.0.0.1:{self.port}"

    @property
    def completions(self) -> list[Recorded]:
        return [request for request in self.requests if _is_completion(request.path)]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop; a second time, nothing happens."""
        if not self._thread.is_alive():
            return
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def arrived(self, path: str, headers: Mapping[str, str], body: Json) -> tuple[Reply, str]:
        """Note a request; the reply to give and the prompt it answers."""
        prompt = request_text(path, body)
        with self._lock:
            self._in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self._in_flight)
            self._more_in_flight.notify_all()
            found = self._pick(prompt) if _is_completion(path) else None
            index, reply = found if found else (None, _no_rule(prompt))
            recorded = Recorded(time.time(), path, headers, body, index, self._in_flight)
            self.requests.append(recorded)
            if self._log is not None:
                with self._log.open("a", encoding="utf-8") as log:
                    log.write(json.dumps(recorded.to_json()) + "\n")
        return reply, prompt

    def wait_for(self, many: int) -> None:
        """Wait until so many requests have been in flight at once."""
        with self._lock:
            self._more_in_flight.wait_for(lambda: self.most_in_flight >= many, timeout=GATHERING)

    def left(self) -> None:
        with self._lock:
            self._in_flight -= 1
            self.answered += 1

    def _pick(self, prompt: str) -> tuple[int, Reply] | None:
        for index, rule in enumerate(self._rules):
            match = rule.match(prompt)
            if match is None:
                continue
            served = self._served.get(index, 0)
            self._served[index] = served + 1
            turn = served % len(rule.replies) if rule.cycle else min(served, len(rule.replies) - 1)
            reply = rule.replies[turn]
            if reply.expand:
                expanded = {"text": _expand(reply.text, match), "object": _expand(reply.object, match)}
                reply = replace(reply, **expanded)
            return index, reply
        return None


def _is_completion(path: str) -> bool:
    return path.partition("?")[0].endswith(("/chat/completions", "/images/generations")) or dialect_of(path) is not None


def _no_rule(prompt: str) -> Reply:
    return Reply(status=418, body={"error": {"message": f"no rule matches the prompt {prompt[:200]!r}"}})


def _expand(value: Json, match: re.Match[str]) -> Json:
    if isinstance(value, str):
        return match.expand(value)
    if isinstance(value, list):
        return [_expand(item, match) for item in cast("list[Json]", value)]
    if isinstance(value, dict):
        return {key: _expand(item, match) for key, item in cast("dict[str, Json]", value).items()}
    return value


def completion(reply: Reply, body: Json) -> Json:
    """The reply as a chat completion."""
    message: dict[str, Json] = {"role": "assistant", "content": reply.text, "refusal": reply.refusal}
    finish = "stop"
    if reply.object is not None:
        arguments = json.dumps(reply.object)
        tools = body.get("tools")
        if tools:
            call = {"id": "call_1", "type": "function"}
            message["tool_calls"] = [
                {**call, "function": {"name": tools[0]["function"]["name"], "arguments": arguments}}
            ]
            finish = "tool_calls"
        else:
            message["content"] = arguments
    return {
        "id": "chatcmpl-stub",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": body.get("model", "stub"),
        "choices": [{"index": 0, "finish_reason": reply.finish_reason or finish, "message": message}],
        "usage": {
            "prompt_tokens": reply.input_tokens,
            "completion_tokens": reply.output_tokens,
            "total_tokens": reply.input_tokens + reply.output_tokens,
            "prompt_tokens_details": {"cached_tokens": reply.cached_tokens},
            "completion_tokens_details": {"reasoning_tokens": reply.reasoning_tokens},
        },
    }


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256
    stub: OpenAIStub

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is part of the game; anything else is shown."""
        if not isinstance(sys.exc_info()[1], ConnectionError | ssl.SSLError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    """Head and body of an answer are written apart: it would arrive only after a delayed acknowledgement, 40 ms late."""
    server: _Server  # pyright: ignore[reportIncompatibleVariableOverride]

    def log_message(self, format: str, *args: Any) -> None:
        """The log is `OpenAIStub.requests`."""

    def do_GET(self) -> None:
        if self.server.stub.api_key not in (None, key_of(dict(self.headers.items()))):
            self._send(401, self._error(401, "Incorrect API key provided."))
        elif self.path == "/api/tags" and self.server.stub.ollama != "no":
            self._send(200, {"models": [{"name": model, "model": model} for model in self.server.stub.models]})
        elif self.server.stub.ollama == "alone":
            self._send(404, "404 page not found", {"content-type": "text/plain"})
        elif self.server.stub.lists_models and self.path.rstrip("/").endswith("/models"):
            self.server.stub.listings.append({key.lower(): value for key, value in self.headers.items()})
            listed = [{"id": model, "object": "model", "owned_by": "tests"} for model in self.server.stub.models]
            self._send(200, {"object": "list", "data": listed})
        else:
            self._send(404, {"error": {"message": f"no such path {self.path}"}})

    def do_POST(self) -> None:
        length = int(self.headers.get("content-length", "0"))
        raw = self.rfile.read(length)
        if len(raw) < length:  # whoever sent it died meanwhile: it is not a request
            self.close_connection = True
            return
        body: Json = json.loads(raw) if raw else {}
        stub = self.server.stub
        if stub.ollama == ("alone" if self.path.startswith("/v1/") else "no" if self.path == "/api/chat" else None):
            self._send(404, "404 page not found", {"content-type": "text/plain"})
            return
        if stub.ollama != "no" and body.get("model") not in stub.models:
            told = f"model '{body.get('model')}' not found"
            self._send(
                404, {"error": told if self.path == "/api/chat" else {"message": told, "type": "not_found_error"}}
            )
            return
        given = key_of(dict(self.headers.items()))
        if stub.api_key is not None and given != stub.api_key:
            stub.refused += 1
            self._send(401, self._error(401, f"Incorrect API key provided: {given}."))
            return
        reply, _ = stub.arrived(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
        try:
            self._answer(reply, body)
        finally:
            stub.left()

    def _error(self, status: int, message: str) -> Json:
        dialect = dialect_of(self.path)
        return (self.server.stub.error or openai_error if dialect is None else dialect.error)(status, message)

    def _whole(self, reply: Reply, body: Json) -> Json:
        """A success as one object."""
        dialect = dialect_of(self.path)
        return completion(reply, body) if dialect is None else dialect.answer(reply, body)

    def _success(self, reply: Reply, body: Json) -> tuple[bytes, dict[str, str]]:
        """The body and headers of a success: events, if the request asks for them and the protocol has them."""
        dialect = dialect_of(self.path)
        answer = self._whole(reply, body)
        is_streamed = dialect is not None and (dialect.always_streams or body.get("stream")) and reply.status == 200
        if dialect is None or dialect.stream is None or not is_streamed:
            return json.dumps(answer).encode(), dict(reply.headers)
        return dialect.encode(dialect.stream(answer)), {"content-type": dialect.stream_type, **reply.headers}

    def _answer(self, reply: Reply, body: Json) -> None:
        if reply.delay:
            time.sleep(reply.delay)
        self.server.stub.wait_for(reply.gathered)
        if reply.fault == "closed":
            with contextlib.suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
        elif reply.fault == "garbage":
            self._send(200, "<html>the gateway had a bad day</html>", {"content-type": "text/html"})
        elif reply.fault == "empty":
            self._send(200, "", {"content-type": "application/json"})
        elif reply.fault == "truncated":
            whole, headers = self._success(reply, body)
            self._send(200, whole[: len(whole) // 2], headers, declared=len(whole))
            self.close_connection = True
        elif reply.body is not None:
            self._send(reply.status, reply.body, reply.headers)
        elif reply.status >= 400:
            self._send(reply.status, self._error(reply.status, "the server says no"), reply.headers)
        else:
            self._send(reply.status, *self._success(reply, body))

    def _send(
        self, status: int, payload: Json, headers: Mapping[str, str] | None = None, *, declared: int | None = None
    ) -> None:
        if isinstance(payload, bytes):
            raw = payload
        else:
            raw = payload.encode() if isinstance(payload, str) else json.dumps(payload).encode()
        given = {"content-type": "application/json", "x-request-id": "req_stub", **(headers or {})}
        self.send_response(status)
        for name, value in given.items():
            self.send_header(name, value)
        self.send_header("content-length", str(declared if declared is not None else len(raw)))
        self.end_headers()
        self.wfile.write(raw)


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until the process is ended."""
    parser = argparse.ArgumentParser(prog="python -m tests.support.openai_server")
    parser.add_argument("--rules", type=Path, required=True)
    parser.add_argument("--port-file", type=Path, required=True, help="written when the server listens")
    parser.add_argument("--log", type=Path)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    options = parser.parse_args(arguments)
    script = json.loads(options.rules.read_text(encoding="utf-8"))
    rules = [Rule.from_json(rule) for rule in script["rules"]]
    address = (options.host, options.port)
    with OpenAIStub(rules, api_key=script.get("api_key"), log=options.log, address=address) as stub:
        written = options.port_file.with_suffix(".part")
        written.write_text(str(stub.port), encoding="utf-8")
        os.replace(written, options.port_file)
        threading.Event().wait()


if __name__ == "__main__":
    main()
