"""A method with every controller, and helpers to load text."""

from pipelex.library import LoadedLibrary, load_library_files

EVERYTHING = r'''
domain = "harbour"
main_pipe = "plan"

[concept]
Notice = "A notice"

[concept.Berth]
description = "A place at the quay"
hints = { intent = "label" }
[concept.Berth.structure]
code = { type = "text", description = "Its code", required = true, hints = { intent = "prose" } }
depth = { type = "number", description = "Depth" }
kind = { choices = ["wet", "dry"], description = "Kind", default_value = "wet" }
open_since = { type = "date", description = "Since when" }
class = { type = "integer", description = "A keyword of Python" }
tags = { type = "list", item_type = "text", description = "Tags" }
notes = { type = "dict", key_type = "text", value_type = "number", description = "By name" }
photo = { type = "concept", concept_ref = "Image", description = "A picture" }
ropes = { type = "list", item_type = "concept", item_concept_ref = "Rope", description = "Ropes" }

[concept.Rope]
description = """A "rope" \\ with 'quotes'"""
[concept.Rope.structure]
length = { type = "number", description = "Metres", required = true }

[pipe.plan]
type = "PipeSequence"
description = "Plan <b>everything</b>"
inputs = { notices = "Notice[]", berth = "Berth", scan = "Document?" }
output = "Text"
steps = [
  { pipe = "read", batch_over = "notices", batch_as = "notice", result = "read_notices" },
  { from = "berth.code", result = "code" },
  { pipe = "both", result = "pair" },
  { pipe = "again", result = "more" },
  { pipe = "choose", result = "told" },
]

[pipe.read]
type = "PipeLLM"
description = "Read one"
inputs = { notice = "Notice", scan = "Document?" }
output = "Text"
prompt = """
$notice
@?scan
"""

[pipe.both]
type = "PipeParallel"
description = "Side by side"
inputs = { berth = "Berth", code = "Text" }
output = "Composite"
add_each_output = true
branches = [
  { pipe = "measure", result = "depth" },
  { pipe = "name", result = "title" },
]

[pipe.measure]
type = "PipeLLM"
description = "Measure"
inputs = { berth = "Berth" }
output = "Number"
prompt = "$berth"

[pipe.name]
description = "To be written"
inputs = { code = "Text" }
output = "Text"

[pipe.again]
type = "PipeBatch"
description = "Each notice once more"
inputs = { notices = "Notice[]" }
output = "Text[]"
branch_pipe_code = "read"
input_list_name = "notices"
input_item_name = "notice"

[pipe.choose]
type = "PipeCondition"
description = "Choose"
inputs = { depth = "Number", title = "Text" }
output = "Text"
expression = "'deep' if depth.number > 9 else 'flat'"
default_outcome = "fail"
[pipe.choose.outcomes]
deep = "tell"
flat = "tell"

[pipe.tell]
type = "PipeLLM"
description = "Tell"
inputs = { title = "Text" }
output = "Text"
prompt = "$title"
'''


def load(text: str = EVERYTHING) -> LoadedLibrary:
    """A valid method from its text."""
    loaded = load_library_files({"method.mthds": text})
    loaded.verdict.require_valid()
    assert loaded.library is not None
    return loaded
