"""A collector of OTLP spans over HTTP, on a free port of 127.0.0.1: decodes what arrives, and keeps it."""

import threading
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

Tree = tuple[str, tuple["Tree", ...]]
"""A span's name and its children's, in order of their names."""


@dataclass(frozen=True)
class Collected:
    """One span as it arrived."""

    name: str
    trace: str
    id: str
    parent: str
    kind: str
    is_error: bool
    attributes: Mapping[str, Any]
    resource: Mapping[str, Any]
    nanoseconds: tuple[int, int]
    """Start and end."""


@dataclass
class Collector:
    """The server, in a thread of its own: `with Collector() as collector: … collector.url … collector.spans`."""

    status: int = 200
    """What every request is answered with."""
    requests: list[tuple[str, Mapping[str, str], bytes]] = field(
        default_factory=list[tuple[str, Mapping[str, str], bytes]]
    )
    """Path, headers and body of each request."""

    def __post_init__(self) -> None:
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.collector = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def spans(self) -> list[Collected]:
        """Everything that arrived, in order."""
        found: list[Collected] = []
        for path, _, body in self.requests:
            assert path == "/v1/traces"
            for group in ExportTraceServiceRequest.FromString(body).resource_spans:
                resource = {each.key: _value(each.value) for each in group.resource.attributes}
                found += [_collected(span, resource) for scope in group.scope_spans for span in scope.spans]
        return found

    @property
    def trees(self) -> list[Tree]:
        """The spans that have no parent here, each with everything below it."""
        return trees(self.spans)

    def clear(self) -> None:
        self.requests.clear()


def trees(spans: Sequence[Collected]) -> list[Tree]:
    """Spans as trees."""
    known = {span.id for span in spans}
    below: dict[str, list[Collected]] = defaultdict(list)
    for span in spans:
        below[span.parent if span.parent in known else ""].append(span)

    def tree(span: Collected) -> Tree:
        return span.name, tuple(sorted(tree(child) for child in below[span.id]))

    return sorted(tree(root) for root in below[""])


def _collected(span: Span, resource: Mapping[str, Any]) -> Collected:
    return Collected(
        span.name,
        span.trace_id.hex(),
        span.span_id.hex(),
        span.parent_span_id.hex(),
        Span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_").lower(),
        span.status.code == 2,
        {each.key: _value(each.value) for each in span.attributes},
        resource,
        (span.start_time_unix_nano, span.end_time_unix_nano),
    )


def _value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(item) for item in value.array_value.values]
    return None if kind is None else getattr(value, kind)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    collector: Collector


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server  # pyright: ignore[reportIncompatibleVariableOverride]

    def log_message(self, format: str, *args: Any) -> None:
        """The log is `Collector.requests`."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", "0")))
        collector = self.server.collector
        collector.requests.append((self.path, dict(self.headers.items()), body))
        answer = ExportTraceServiceResponse().SerializeToString()
        self.send_response(collector.status)
        self.send_header("content-type", "application/x-protobuf")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)
