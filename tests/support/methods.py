"""Methods that several tests run."""

from pathlib import Path

from pipelex.library import Library, load_library_files


def library_of(text: str) -> Library:
    """The library of a method in one file, which must be valid."""
    loaded = load_library_files({"method.mthds": text})
    loaded.verdict.require_valid()
    assert loaded.library is not None
    return loaded.library


def written(folder: Path, text: str) -> Path:
    """A bundle file with this text, in a folder."""
    file = folder / "method.mthds"
    file.write_text(text, encoding="utf-8")
    return file


GREET = """
domain = "harbour"
main_pipe = "greet"

[pipe.greet]
type = "PipeLLM"
description = "Greet somebody"
inputs = { name = "Text" }
output = "Text"
prompt = "Hello $name"
"""

DESCRIBE_ALL = """
domain = "harbour"
main_pipe = "describe_all"

[pipe.describe_all]
type = "PipeBatch"
description = "Describe every word"
inputs = { words = "Text[]" }
output = "Text[]"
branch_pipe_code = "describe"
input_list_name = "words"
input_item_name = "word"

[pipe.describe]
type = "PipeLLM"
description = "Describe a word"
inputs = { word = "Text" }
output = "Text"
prompt = "Describe $word."
"""


_SAY = """[pipe.say]
type = "PipeLLM"
description = "Say something"
inputs = { text = "Text" }
output = "Text"
prompt = "Say $text"
"""


def sequence_of(length: int) -> str:
    """A sequence of PipeLLM steps, each on the result of the one before."""
    steps = "\n".join(f'  {{ pipe = "say", result = "text" }},  # {number}' for number in range(length))
    return f"""
domain = "harbour"
main_pipe = "main"

[pipe.main]
type = "PipeSequence"
description = "One after the other"
inputs = {{ text = "Text" }}
output = "Text"
steps = [
{steps}
]

{_SAY}"""


def parallel_of(*results: str) -> str:
    """A PipeLLM side by side with itself, once for each of these names of results."""
    branches = ", ".join(f'{{ pipe = "say", result = "{name}" }}' for name in results)
    return f"""
domain = "harbour"
main_pipe = "main"

[pipe.main]
type = "PipeParallel"
description = "Side by side"
inputs = {{ text = "Text" }}
output = "Composite"
branches = [{branches}]

{_SAY}"""


PARALLEL_OF_3 = parallel_of("a", "b", "c")

SURVEY = """
domain = "harbour"
main_pipe = "survey"

[concept]
Note = "A note"

[concept.Berth]
description = "A place for a ship"
[concept.Berth.structure]
code  = { type = "text", description = "Code", required = true }
depth = { type = "integer", description = "Depth in metres" }

[pipe.survey]
type = "PipeSequence"
description = "Survey a harbour"
inputs = { harbour = "Text" }
output = "Text"
steps = [
  { pipe = "list_berths", result = "berths" },
  { pipe = "describe", batch_over = "berths", batch_as = "berth", result = "notes" },
  { from = "berths.depth", result = "depths" },
  { pipe = "judge_size", result = "verdict" },
  { pipe = "facts", result = "facts" },
  { pipe = "report", result = "report" },
]

[pipe.list_berths]
type = "PipeLLM"
description = "List the berths"
inputs = { harbour = "Text" }
output = "Berth[]"
prompt = "Berths of $harbour"

[pipe.describe]
type = "PipeLLM"
description = "Describe one berth"
inputs = { berth = "Berth", harbour = "Text" }
output = "Note"
prompt = "Describe berth $berth.code of $harbour"

[pipe.judge_size]
type = "PipeCondition"
description = "Is it large?"
inputs = { berths = "Berth[]", harbour = "Text" }
output = "Text"
expression = "berths|length > 2"
outcomes = { True = "praise" }
default_outcome = "fail"

[pipe.praise]
type = "PipeCompose"
description = "Praise it"
inputs = { harbour = "Text" }
output = "Text"
template = "$harbour is large"

[pipe.facts]
type = "PipeParallel"
description = "Facts side by side"
inputs = { harbour = "Text" }
output = "Composite"
branches = [{ pipe = "history", result = "history" }, { pipe = "founded", result = "founded" }]

[pipe.history]
type = "PipeLLM"
description = "Its history"
inputs = { harbour = "Text" }
output = "Text"
prompt = "History of $harbour"

[pipe.founded]
type = "PipeStructure"
description = "When it was founded"
inputs = { harbour = "Text" }
output = "Date"

[pipe.report]
type = "PipeCompose"
description = "Write the report"
inputs = { notes = "Note[]", verdict = "Text", depths = "Number[]", facts = "Composite" }
output = "Text"
template = "$verdict: {{ notes|length }} notes, {{ depths|length }} depths, {{ facts.founded.date }}"
"""

POOLS_TOUR = """
domain = "tour"
main_pipe = "tour"

[pipe.tour]
type = "PipeParallel"
description = "Something for every pool"
inputs = { document = "Document", word = "Text" }
output = "Composite"
branches = [
  { pipe = "read", result = "pages" },
  { pipe = "ask_gpt", result = "gpt" },
  { pipe = "ask_claude", result = "claude" },
  { pipe = "draw", result = "picture" },
]

[pipe.read]
type = "PipeExtract"
description = "Read a document"
inputs = { document = "Document" }
output = "Page[]"
model = "pypdfium2-extract-pdf"

[pipe.ask_gpt]
type = "PipeLLM"
description = "Ask one"
inputs = { word = "Text" }
output = "Text"
model = "gpt-test"
prompt = "Describe $word to gpt"

[pipe.ask_claude]
type = "PipeLLM"
description = "Ask the other"
inputs = { word = "Text" }
output = "Text"
model = "claude-test"
prompt = "Describe $word to claude"

[pipe.draw]
type = "PipeImgGen"
description = "Draw it"
inputs = { word = "Text" }
output = "Image"
model = "painter-test"
prompt = "Draw $word"

[pipe.ask_many]
type = "PipeBatch"
description = "Ask about every word"
inputs = { words = "Text[]" }
output = "Text[]"
branch_pipe_code = "ask_gpt"
input_list_name = "words"
input_item_name = "word"
"""


def chain_of(length: int) -> str:
    """A sequence of as many different pipes, each on the result of the one before, and each with a prompt of its own."""
    steps = ", ".join(f'{{ pipe = "step_{number}", result = "text" }}' for number in range(1, length + 1))
    pipes = "\n".join(
        f"""[pipe.step_{number}]
type = "PipeLLM"
description = "Step {number}"
inputs = {{ text = "Text" }}
output = "Text"
prompt = "Do number {number} with $text"
"""
        for number in range(1, length + 1)
    )
    return f"""
domain = "harbour"
main_pipe = "chain"

[pipe.chain]
type = "PipeSequence"
description = "One after the other"
inputs = {{ text = "Text" }}
output = "Text"
steps = [{steps}]

{pipes}"""


TWO_STEPS = """
domain = "harbour"
main_pipe = "both"

[pipe.both]
type = "PipeSequence"
description = "Greet, then part"
inputs = { name = "Text" }
output = "Text"
steps = [{ pipe = "greet", result = "greeting" }, { pipe = "part", result = "parting" }]

[pipe.greet]
type = "PipeLLM"
description = "Greet somebody"
inputs = { name = "Text" }
output = "Text"
prompt = "Hello $name"

[pipe.part]
type = "PipeLLM"
description = "Part from somebody"
inputs = { greeting = "Text" }
output = "Text"
prompt = "Goodbye $greeting"
"""
