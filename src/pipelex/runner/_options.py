"""The keyword arguments of runs, typed for code that passes them on."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal, TypedDict

from pipelex.orchestration.jobs import Attributes
from pipelex.pipes.calls import OnItemFailure
from pipelex.pipes.trace import PipeTrace


class RunKeywords(TypedDict, total=False):
    """The keyword arguments of `Method.run`, where each is explained."""

    pipe: str | None
    run_id: str | None
    dry_run: bool
    mock: bool | Literal["sparse"]
    full_memory: bool
    output_concept: str | None
    on_item_failure: OnItemFailure
    allow_files: bool | Path
    user: str | None
    attributes: Attributes | None
    on_change: Callable[[PipeTrace], None] | None
