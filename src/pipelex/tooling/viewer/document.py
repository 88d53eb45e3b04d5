"""The document of a run, which the viewer shows, in the format of `web/src/model.ts`."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pipelex.content.stuff import Absence, Stuff
from pipelex.errors import ErrorReport
from pipelex.errors.json import Json, exactly
from pipelex.library import Library, Pipe
from pipelex.pipes.effects.jobs import ModelJob
from pipelex.pipes.effects.requests import LLMPrompt
from pipelex.pipes.trace import EffectTrace, PipeTrace, RunState, pipes_of
from pipelex.pipes.traces.steps import step_of, without_slices
from pipelex.tooling.viewer.values import LONGEST_TEXT, Values


@dataclass(frozen=True)
class RunFacts:
    """The facts of a page about a run as a whole."""

    run_id: str
    orchestrator: str
    method: str | None = None
    """The method's file or folder, for people."""
    result: Stuff | Absence | None = None
    error: ErrorReport | None = None
    replay_of: str | None = None
    """The run whose results it reused."""
    replays: Sequence[str] = ()
    """The runs that reuse its results."""
    waiting: str | None = None
    """What the run waits for, for people."""
    links: Sequence[tuple[str, str]] = ()
    """Labels and addresses."""
    files: Sequence[Mapping[str, Json]] = ()
    """The files that the run made: `name`, `href`, `mime_type`, `size`."""


def run_document(trace: PipeTrace, facts: RunFacts, library: Library | None) -> dict[str, Json]:
    """The document of a run.

    Args:
        trace: the trace of the run.
        facts: the facts about the run as a whole.
        library: the method's library, for descriptions and for pipes that did not run; None if it is not available.
    """
    writer = _Writer(library)
    writer.add(without_slices(trace))
    run: dict[str, Json] = {
        "id": facts.run_id,
        "pipe": trace.pipe,
        "status": _state(trace.status),
        "orchestrator": facts.orchestrator,
        "method": facts.method,
        "replays": facts.replay_of,
        "replayed": list(facts.replays),
        "waiting": facts.waiting,
        **_times(trace),
        "links": [{"label": label, "href": href} for label, href in facts.links],
        "error": _problem(facts.error),
    }
    result = writer.values.add(facts.result) if isinstance(facts.result, Stuff) else None
    return _without_none(
        {
            "version": 1,
            "run": _without_none(run),
            "pipes": writer.pipes,
            "nodes": writer.nodes,
            "values": writer.values.table,
            "result": result,
            "files": list(facts.files),
        }
    )


def name_pipes(trace: PipeTrace, library: Library) -> None:
    """Replace codes of pipes in a tree by their references, because an engine's history may only have the codes."""
    by_code = {pipe.code: ref for ref, pipe in library.pipes.items()}
    for each in pipes_of(trace):
        if each.pipe not in library.pipes:
            each.pipe = by_code.get(each.pipe, each.pipe)


class _Writer:
    """Turns a tree into a list, with each node after its parent."""

    def __init__(self, library: Library | None) -> None:
        self.nodes: list[dict[str, Json]] = []
        self.pipes: dict[str, dict[str, Json]] = {}
        self.values = Values()
        self._library = library

    def add(self, root: PipeTrace) -> None:
        waiting: list[tuple[PipeTrace, int | None]] = [(root, None)]
        while waiting:
            each, above = waiting.pop()
            index = len(self.nodes)
            self.nodes.append(self._node(each, above))
            self._declare(each.pipe)
            pipe = self._pipe(each.pipe)
            if pipe is not None and not each.is_gone:
                self._add_idle(each, pipe, index)
            waiting.extend((child, index) for child in reversed(each.children))

    def _pipe(self, ref: str) -> Pipe | None:
        return None if self._library is None else self._library.pipes.get(ref)

    def _node(self, trace: PipeTrace, parent: int | None) -> dict[str, Json]:
        output = trace.output
        node: dict[str, Json] = {
            "id": trace.id,
            "parent": parent,
            "pipe": trace.pipe,
            "type": trace.type,
            **({} if parent is None else self._place(trace, self.nodes[parent])),
            "status": _state(trace.status),
            **_times(trace),
            "inputs": {name: key for name, stuff in trace.inputs.items() if (key := self.values.add(stuff))},
            "output": self.values.add(output) if isinstance(output, Stuff) else None,
            "absent": output.kind if isinstance(output, Absence) else None,
            "effects": [_effect(effect) for effect in trace.effects],
            "reused": _reused(trace),
            "gone": trace.is_gone or None,
            "usage": [usage.model_dump(mode="json") for usage in trace.told_usage],
            "error": _problem(trace.error),
        }
        return _without_none(node)

    def _place(self, trace: PipeTrace, parent: Mapping[str, Json]) -> dict[str, Json]:
        """The place of a pipe in its parent.

        This is the step and the item in its path, or the outcomes that chose it.
        """
        step = step_of(trace.id)
        place: dict[str, Json] = {"item": step.item}
        around = self._pipe(exactly(parent["pipe"], str))
        if around is None or around.type != "PipeCondition":
            return {**place, "step": step.rank}
        chosen = [str(called.keys[-1]) for called in around.blueprint.called_pipes() if called.ref == trace.pipe]
        return {**place, "outcome": " or ".join(chosen) or None}

    def _declare(self, ref: str) -> None:
        pipe = self._pipe(ref)
        if pipe is None or ref in self.pipes:
            return
        written = pipe.blueprint.model_dump(mode="json", by_alias=True, exclude_none=True)
        self.pipes[ref] = _without_none(
            {
                "type": pipe.type,
                "description": pipe.description,
                "inputs": {name: str(slot) for name, slot in pipe.inputs.items()},
                "output": str(pipe.output),
                "prompt": written.get("prompt") or written.get("template"),
                "system_prompt": written.get("system_prompt"),
                "expression": written.get("expression") or written.get("expression_template"),
            }
        )

    def _add_idle(self, trace: PipeTrace, pipe: Pipe, index: int) -> None:
        """The steps that have not run, and the outcomes that were not taken."""
        ran = {child.pipe for child in trace.children}
        for called in pipe.blueprint.called_pipes():
            idle = self._pipe(called.ref)
            if called.ref in ran or idle is None or pipe.type == "PipeBatch":
                continue
            place: dict[str, Json] = (
                {"outcome": str(called.keys[-1])} if pipe.type == "PipeCondition" else {"step": _rank(called.keys)}
            )
            self._declare(called.ref)
            status = "skipped" if pipe.type == "PipeCondition" or trace.status is RunState.COMPLETED else "not_run"
            self.nodes.append(
                _without_none(
                    {
                        "id": f"{trace.id}/{'.'.join(map(str, called.keys))}",
                        "parent": index,
                        "pipe": called.ref,
                        "type": idle.type,
                        **place,
                        "status": status,
                    }
                )
            )
            ran.add(called.ref)


def _reused(trace: PipeTrace) -> str | None:
    """The run from which a pipe reused the results of all its effects; None if an effect was performed."""
    origins = {effect.kept_from for effect in trace.effects}
    return origins.pop() if len(origins) == 1 else None


def _rank(keys: Sequence[str | int]) -> int | None:
    return next((key + 1 for key in keys if isinstance(key, int)), None)


def _effect(effect: EffectTrace) -> dict[str, Json]:
    prompt = getattr(effect.job, "prompt", None)
    model = effect.job.model.handle if isinstance(effect.job, ModelJob) else None
    return _without_none(
        {
            "name": effect.name,
            "summary": effect.summary,
            "status": _state(effect.status),
            "attempts": effect.attempts,
            **_times(effect),
            "queue": effect.queue,
            "model": model,
            "cached": effect.kept_from is not None or None,
            "usage": effect.usage[-1].model_dump(mode="json") if effect.usage else None,
            "prompt": _prompt(prompt) if isinstance(prompt, LLMPrompt) else None,
            "error": _problem(effect.error),
        }
    )


def _prompt(prompt: LLMPrompt) -> dict[str, Json]:
    return _without_none(
        {
            "system": None if prompt.system is None else prompt.system[:LONGEST_TEXT],
            "user": prompt.user[:LONGEST_TEXT],
            "images": len(prompt.images),
            "documents": len(prompt.documents),
        }
    )


def _problem(report: ErrorReport | None) -> dict[str, Json] | None:
    if report is None:
        return None
    members = report.to_json()
    wanted = ("code", "detail", "advice", "category", "provider", "model", "attempts")
    return {name: members[name] for name in wanted if name in members}


def _state(state: RunState) -> str:
    return state.value.lower()


def _times(trace: PipeTrace | EffectTrace) -> dict[str, Json]:
    return {"started": _iso(trace.started), "ended": _iso(trace.ended)}


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _without_none(members: Mapping[str, Any]) -> dict[str, Json]:
    empty: Iterable[Any] = (None, {}, [])
    return {
        name: value for name, value in members.items() if value not in empty or name in ("values", "nodes", "pipes")
    }
