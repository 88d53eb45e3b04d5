"""The methods that run under faults, and the right answer of every run."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Final

Json = Any

METHOD: Final = """
domain = "chaos"

[concept.Tag]
description = "A tag"
[concept.Tag.structure]
code = { type = "text", description = "Its code", required = true }

[pipe.one]
type = "PipeLLM"
description = "One call"
inputs = { id = "Text" }
output = "Text"
prompt = "<<one $id>>"

[pipe.tag]
type = "PipeLLM"
description = "One call for an object"
inputs = { id = "Text" }
output = "Tag"
prompt = "<<tag $id>>"

[pipe.chain]
type = "PipeSequence"
description = "Calls one after the other, each on the answer before"
inputs = { id = "Text" }
output = "Text"
steps = [
  { pipe = "one", result = "text" },
  { pipe = "second", result = "text" },
  { pipe = "third", result = "text" },
]

[pipe.second]
type = "PipeLLM"
description = "The second of a chain"
inputs = { id = "Text", text = "Text" }
output = "Text"
prompt = "<<second $id $text>>"

[pipe.third]
type = "PipeLLM"
description = "The third of a chain"
inputs = { id = "Text", text = "Text" }
output = "Text"
prompt = "<<third $id $text>>"

[pipe.sides]
type = "PipeParallel"
description = "Calls side by side"
inputs = { id = "Text" }
output = "Composite"
branches = [{ pipe = "one", result = "a" }, { pipe = "tag", result = "b" }, { pipe = "last", result = "c" }]

[pipe.last]
type = "PipeLLM"
description = "The last of three sides"
inputs = { id = "Text" }
output = "Text"
prompt = "<<last $id>>"

[pipe.batch]
type = "PipeBatch"
description = "A call for every word"
inputs = { id = "Text", words = "Text[]" }
output = "Text[]"
branch_pipe_code = "word"
input_list_name = "words"
input_item_name = "word"

[pipe.word]
type = "PipeLLM"
description = "The call for one word"
inputs = { id = "Text", word = "Text" }
output = "Text"
prompt = "<<word $id $word>>"

[pipe.paper]
type = "PipeSequence"
description = "A call, and its answer printed into the store"
inputs = { id = "Text" }
output = "Document"
steps = [{ pipe = "one", result = "text" }, { pipe = "print", result = "printed" }]

[pipe.print]
type = "PipeDocGen"
description = "Print the answer"
inputs = { text = "Text" }
output = "Document"
format = "docx"
"""
"""Every call's prompt carries a label between `<<` and `>>`: the step, the run, and the step's input."""

KINDS: Final = ("one", "tag", "chain", "sides", "batch", "paper")
_LABEL: Final = re.compile(r"<<(.+?)>>")


@dataclass(frozen=True)
class PlannedRun:
    """One run: its pipe and its inputs."""

    id: str
    kind: str
    words: tuple[str, ...] = ()
    """The items of a batch; empty for the other kinds."""

    @property
    def inputs(self) -> dict[str, Json]:
        return {"id": self.id, "words": list(self.words)} if self.kind == "batch" else {"id": self.id}

    @property
    def labels(self) -> tuple[str, ...]:
        """The label of every call it must make."""
        one = f"one {self.id}"
        match self.kind:
            case "chain":
                second = f"second {self.id} {answer(one)}"
                return (one, second, f"third {self.id} {answer(second)}")
            case "sides":
                return (one, f"tag {self.id}", f"last {self.id}")
            case "batch":
                return tuple(f"word {self.id} {word}" for word in self.words)
            case "tag":
                return (f"tag {self.id}",)
            case _:
                return (one,)

    @property
    def content(self) -> Json:
        """The right answer; for a paper, the text that it prints."""
        texts = [{"text": answer(label)} for label in self.labels]
        match self.kind:
            case "sides":
                return {"a": texts[0], "b": {"code": answer(self.labels[1])}, "c": texts[2]}
            case "batch":
                return {"items": texts}
            case "tag":
                return {"code": answer(self.labels[0])}
            case "paper":
                return answer(self.labels[0])
            case _:
                return texts[-1]


def planned_runs(count: int, chance: Random) -> list[PlannedRun]:
    """Runs of every kind, in random order."""
    runs: list[PlannedRun] = []
    for number in range(count):
        kind = KINDS[number % len(KINDS)]
        words = tuple(f"w{each}" for each in range(chance.randint(4, 10))) if kind == "batch" else ()
        runs.append(PlannedRun(f"chaos-{number:04}", kind, words))
    chance.shuffle(runs)
    return runs


def label_of(prompt: str) -> str | None:
    """The label in a prompt; None when it has none."""
    found = _LABEL.search(prompt)
    return None if found is None else found[1]


def run_of(label: str) -> str:
    """The run that a label belongs to."""
    return label.split(" ", 2)[1]


def answer(label: str) -> str:
    """The one right answer to a prompt."""
    return "answer-" + hashlib.sha256(label.encode()).hexdigest()[:12]


def shares(runs: Sequence[PlannedRun], count: int) -> list[list[PlannedRun]]:
    """The runs dealt out among submitters."""
    return [list(runs[index::count]) for index in range(count)]
