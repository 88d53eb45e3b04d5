"""The graph of a run: which pipes ran inside which, and when.

Source: section A.1 of the command-line reference.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pipelex.content.stuff import Json
from pipelex.language.blueprints import CONTROLLERS
from pipelex.pipes.trace import PipeTrace

if TYPE_CHECKING:
    from pipelex.library import Library


def graph_json(trace: PipeTrace, run_id: str, library: "Library") -> dict[str, Json]:
    """The graph of a run, made from its trace; members that do not apply are left out."""
    domain, _, code = trace.pipe.rpartition(".")
    started = trace.started or datetime.now(UTC)
    return {
        "graph_id": run_id,
        "created_at": started.isoformat(),
        "pipeline_ref": {"domain": domain, "main_pipe": code, "entrypoint": trace.pipe},
        "nodes": [_node(each, run_id, library) for each in _all(trace)],
        "edges": [
            {"source": each.id, "target": child.id, "kind": "contains"}
            for each in _all(trace)
            for child in each.children
        ],
    }


def _all(trace: PipeTrace) -> Iterator[PipeTrace]:
    waiting = [trace]
    while waiting:
        each = waiting.pop()
        yield each
        waiting.extend(reversed(each.children))


def _node(trace: PipeTrace, run_id: str, library: "Library") -> dict[str, Json]:
    domain, _, code = trace.pipe.rpartition(".")
    node: dict[str, Json] = {
        "id": trace.id,
        "path": trace.id.removeprefix(run_id).strip("/"),
        "kind": "controller" if trace.type in CONTROLLERS else "operator",
        "pipe_code": code,
        "pipe_type": trace.type,
        "domain_code": domain,
        "status": trace.status.value.lower(),
    }
    if trace.pipe in library.pipes:
        node["description"] = library.pipes[trace.pipe].description
    if trace.started is not None and trace.ended is not None:
        node["timing"] = {
            "started_at": trace.started.isoformat(),
            "ended_at": trace.ended.isoformat(),
            "duration": (trace.ended - trace.started).total_seconds(),
        }
    if trace.error is not None:
        node["error"] = {"code": trace.error.code, "detail": trace.error.detail}
    return node
