"""The rules of the pipe types, with one entry for each type."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pipelex.library._library import Pipe
from pipelex.library._validate._construct import check_compose
from pipelex.library._validate._context import Checks, Rule
from pipelex.library._validate._controllers import check_batch, check_condition, check_parallel, check_sequence
from pipelex.library._validate._files import check_document
from pipelex.library._validate._functions import check_function
from pipelex.library._validate._operators import (
    check_judge,
    gives_no_image,
    gives_no_text,
    gives_one_of,
    gives_single,
    takes_one_of,
)
from pipelex.library._validate._outcomes import check_outcomes, warn_of_dead_choices
from pipelex.library._validate._presence import warn_of_idle_markers
from pipelex.library._validate._reads import check_reads
from pipelex.library._validate._walk import Flows, Walk


@dataclass(frozen=True)
class Rules:
    """The checks of one pipe type, beyond those of its own table."""

    own: tuple[Rule, ...] = ()
    flow: Callable[[Walk, Any], None] | None = None
    """The check that follows the values that a controller passes on; None for an operator."""


RULES: Final[Mapping[str, Rules]] = {
    "PipeLLM": Rules((gives_no_image,)),
    "PipeStructure": Rules((takes_one_of("Text", "Markdown"), gives_no_text, gives_no_image)),
    "PipeExtract": Rules((takes_one_of("Document", "Image"), gives_one_of("Page"))),
    "PipeImgGen": Rules((gives_one_of("Image"),)),
    "PipeSearch": Rules((gives_one_of("SearchResult"), gives_single)),
    "PipeJudge": Rules((check_judge,)),
    "PipeCompose": Rules((check_compose,)),
    "PipeFunc": Rules((check_function,)),
    "PipeDocGen": Rules((gives_one_of("Document"), check_document)),
    "PipeSequence": Rules(flow=check_sequence),
    "PipeParallel": Rules(flow=check_parallel),
    "PipeCondition": Rules((check_outcomes,), flow=check_condition),
    "PipeBatch": Rules(flow=check_batch),
    "PipeSignature": Rules(),
}
"""Name of a pipe type → its rules."""


def check_pipes(checks: Checks) -> None:
    """Check the inputs, the output and the names of each pipe."""
    for pipe in checks.library.pipes.values():
        for rule in RULES[pipe.type].own:
            rule(checks, pipe)
        if pipe.type != "PipeDocGen":  # in which a path that leads nowhere is an error
            check_reads(checks, pipe)


def check_flows(checks: Checks) -> None:
    """Follow the values through every controller (sections 7 and 8.1 of the language reference)."""
    flows = Flows(checks)
    for ref in _callees_first(checks.library.pipes):
        pipe = checks.library.pipes[ref]
        flow = RULES[pipe.type].flow
        if ref in checks.linked.hanging:
            flows.murky.add(ref)
        elif flow is not None:
            flow(Walk(flows, pipe), pipe.blueprint)
    if not checks.linked.hanging:  # if parts are missing, not all calls of a pipe are known
        warn_of_idle_markers(checks, flows.feeds)
        warn_of_dead_choices(checks, flows.texts)


def _callees_first(pipes: Mapping[str, Pipe]) -> list[str]:
    order: dict[str, None] = {}
    entered: set[str] = set()
    for root in pipes:
        path = [root]
        while path:
            current = path[-1]
            if current not in entered:
                entered.add(current)
                callees = [called.ref for called in pipes[current].blueprint.called_pipes()]
                path.extend(ref for ref in reversed(callees) if ref in pipes and ref not in entered)
            else:
                order.setdefault(path.pop())
    return list(order)
