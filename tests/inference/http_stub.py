"""A real HTTP server that answers by path and remembers what it was asked."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self


@dataclass(frozen=True)
class Answer:
    body: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    chunks: Callable[[], Iterator[bytes]] | None = None
    """The body in chunks, in place of `body`: it may be without end."""


@dataclass(frozen=True)
class Asked:
    path: str
    headers: Mapping[str, str]
    raw: bytes

    @property
    def body(self) -> Any:
        return json.loads(self.raw)


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that go away in the middle are what some tests are about."""


class HTTPStub:
    """Answers each path with its answers in turn, the last one for ever; elsewhere as for `*`, else 404."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self._answers: dict[str, list[Answer]] = {}
        stub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers.get("content-length", "0")))
                stub.asked.append(Asked(self.path, {k.lower(): v for k, v in self.headers.items()}, raw))
                none = [Answer({"error": f"no answer for {self.path}"}, 404)]
                queue = stub._answers.get(self.path) or stub._answers.get("*", none)
                answer = queue.pop(0) if len(queue) > 1 else queue[0]
                data = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
                self.send_response(answer.status)
                for name, value in {"content-type": "application/json", **answer.headers}.items():
                    self.send_header(name, value)
                if answer.chunks is not None:
                    self._send_chunks(answer.chunks())
                    return
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                try:
                    self.wfile.write(data)
                except OSError:  # nobody listens any more
                    self.close_connection = True

            def _send_chunks(self, chunks: Iterator[bytes]) -> None:
                self.send_header("transfer-encoding", "chunked")
                self.end_headers()
                self.close_connection = True
                try:
                    for chunk in chunks:
                        self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
                    self.wfile.write(b"0\r\n\r\n")
                except OSError:  # nobody listens any more
                    pass

            def log_message(self, format: str, *args: Any) -> None:
                """What was asked is in `asked`."""

        self._server = _Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def on(self, path: str, *answers: Answer) -> None:
        self._answers[path] = list(answers)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
