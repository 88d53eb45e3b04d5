"""One case for each row of the validation table that needs more than one table of a file.

The line a fault must point at is marked with `#!` in the bundle.
"""

from dataclasses import dataclass, field

import pytest

from pipelex.errors import CORE_CODES, Fault
from pipelex.library import load_library_files

HEAD = """
domain = "harbour"
[concept]
Remark = "A remark"
[concept.Crane]
description = "A crane"
structure = { load = { type = "number", description = "Tonnes" }, photo = { type = "concept", concept_ref = "Image", description = "Photo" } }
[concept.Berth]
description = "A berth"
[concept.Berth.structure]
code = "Code"
depth = { type = "number", description = "Depth" }
remark = { type = "concept", concept_ref = "Remark", description = "Remark" }
cranes = { type = "list", item_type = "concept", item_concept_ref = "Gantry", description = "Cranes" }
tags = { type = "list", item_type = "text", description = "Tags" }
odds = { type = "list", description = "Anything" }
extra = { type = "dict", key_type = "text", value_type = "Any", description = "More" }
[concept.Gantry]
description = "A gantry"
structure = { name = "Name", load = { type = "number", description = "Tonnes" } }
[concept.DeepBerth]
description = "A deep berth"
refines = "Berth"

[pipe.pick]
type = "PipeLLM"
description = "Pick a berth"
inputs = { notice = "Text" }
output = "Berth"
prompt = "$notice"

[pipe.pick_many]
type = "PipeLLM"
description = "Pick berths"
inputs = { notice = "Text" }
output = "Berth[]"
prompt = "$notice"

[pipe.pick_two]
type = "PipeLLM"
description = "Pick two berths"
inputs = { notice = "Text" }
output = "Berth[2]"
prompt = "$notice"

[pipe.maybe]
type = "PipeLLM"
description = "Perhaps a berth"
inputs = { notice = "Text" }
output = "Berth?"
prompt = "$notice"

[pipe.describe]
type = "PipeLLM"
description = "Describe a berth"
inputs = { berth = "Berth" }
output = "Text"
prompt = "$berth"

[pipe.describe_all]
type = "PipeLLM"
description = "Describe berths"
inputs = { berths = "Berth[]" }
output = "Text"
prompt = "$berths"

[pipe.describe_three]
type = "PipeLLM"
description = "Describe three berths"
inputs = { berths = "Berth[3]" }
output = "Text"
prompt = "$berths"

[pipe.welcome]
type = "PipeLLM"
description = "Greet, with a berth if there is one"
inputs = { notice = "Text", berth = "Berth?" }
output = "Text"
prompt = '''
$notice
@?berth
'''
"""


@dataclass(frozen=True)
class Case:
    name: str
    body: str
    code: str
    category: str
    pipe: str | None = "main"
    params: dict[str, object] = field(default_factory=dict[str, object])
    says: str = ""


def sequence(steps: str, *, inputs: str = 'notice = "Text"', output: str = "Text") -> str:
    return f"""
[pipe.main]
type = "PipeSequence"
description = "Main"
inputs = {{ {inputs} }}
output = "{output}"
steps = [
{steps}
]
"""


def shelf(inputs: str, entry: str) -> str:
    """A construct of one entry of a concept that has a dict and a whole number."""
    return f"""
[concept.Shelf]
description = "x"
[concept.Shelf.structure]
named = {{ type = "dict", key_type = "text", value_type = "Any", description = "x" }}
size = {{ type = "integer", description = "x" }}
[pipe.main]
type = "PipeCompose"
description = "x"
inputs = {{ {inputs} }}
output = "Shelf"
[pipe.main.construct]
{entry}
"""


def page_of(file: str) -> str:
    """A document that is printed from a template file."""
    return f"""
[pipe.main]
type = "PipeDocGen"
description = "x"
output = "Document"
format = "pdf"
template_file = "{file}"  #!
"""


CASES = [
    # --- references ---
    Case(
        "concept in an input",
        '[pipe.main]\ntype = "PipeFunc"\nfunction_name = "a.b"\ndescription = "x"\noutput = "Text"\n'
        '[pipe.main.inputs]\nberth = "Bert"  #!\n',
        "method.concept_unresolved",
        "unresolved_concept",
        params={"concept": "Bert"},
        says="did you mean 'Berth'",
    ),
    Case(
        "concept in an output",
        '[pipe.main]\ntype = "PipeLLM"\ndescription = "x"\nprompt = "x"\noutput = "Quay[]"  #!\n',
        "method.concept_unresolved",
        "unresolved_concept",
    ),
    Case(
        "concept refined",
        '[concept.Small]\ndescription = "x"\nrefines = "Nothing"  #!\n',
        "method.concept_unresolved",
        "unresolved_concept",
        pipe=None,
    ),
    Case(
        "concept of a field",
        '[concept.Fleet]\ndescription = "x"\n[concept.Fleet.structure.ship]\n'
        'type = "concept"\ndescription = "x"\nconcept_ref = "Ship"  #!\n',
        "method.concept_unresolved",
        "unresolved_concept",
        pipe=None,
    ),
    Case(
        "concept of a list's items",
        '[concept.Fleet]\ndescription = "x"\n[concept.Fleet.structure.ships]\n'
        'type = "list"\nitem_type = "concept"\ndescription = "x"\nitem_concept_ref = "Ship"  #!\n',
        "method.concept_unresolved",
        "unresolved_concept",
        pipe=None,
    ),
    Case(
        "retired native",
        '[pipe.main]\ntype = "PipeLLM"\ndescription = "x"\nprompt = "x"\noutput = "ImgGenPrompt"  #!\n',
        "method.concept_unresolved",
        "unresolved_concept",
        params={"concept": "ImgGenPrompt", "suggestions": ["Text"]},
    ),
    Case(
        "pipe of a step",
        sequence('  { pipe = "pik", result = "x" },  #!\n  { pipe = "welcome" },'),
        "method.pipe_unresolved",
        "unresolved_pipe_dependency",
        params={"pipe": "main", "missing": "pik", "candidates": ["pick"]},
    ),
    Case(
        "pipe of a branch",
        '[pipe.main]\ntype = "PipeParallel"\ndescription = "x"\noutput = "Composite"\ninputs = { notice = "Text" }\n'
        'branches = [\n  { pipe = "nobody", result = "x" },  #!\n]\n',
        "method.pipe_unresolved",
        "unresolved_pipe_dependency",
    ),
    Case(
        "pipe of an outcome",
        '[pipe.main]\ntype = "PipeCondition"\ndescription = "x"\noutput = "Berth"\ninputs = { notice = "Text" }\n'
        'expression = "notice"\ndefault_outcome = "fail"\n[pipe.main.outcomes]\nyes = "nobody"  #!\n',
        "method.pipe_unresolved",
        "unresolved_pipe_dependency",
    ),
    Case(
        "default pipe",
        '[pipe.main]\ntype = "PipeCondition"\ndescription = "x"\noutput = "Berth"\ninputs = { notice = "Text" }\n'
        'expression = "notice"\noutcomes = { yes = "pick" }\ndefault_outcome = "nobody"  #!\n',
        "method.pipe_unresolved",
        "unresolved_pipe_dependency",
    ),
    Case(
        "pipe of a batch",
        '[pipe.main]\ntype = "PipeBatch"\ndescription = "x"\noutput = "Text[]"\ninputs = { berths = "Berth[]" }\n'
        'input_list_name = "berths"\ninput_item_name = "berth"\nbranch_pipe_code = "nobody"  #!\n',
        "method.pipe_unresolved",
        "unresolved_pipe_dependency",
    ),
    Case(
        "package out of reach",
        sequence('  { pipe = "github.com/acme/quays->docks.load" },  #!'),
        "method.dependency_missing",
        "unresolved_package_dependency",
        params={"kind": "package", "name": "github.com/acme/quays", "reason": "not_found"},
    ),
    # --- cycles ---
    Case(
        "refines itself",
        '[concept.A]\ndescription = "x"\nrefines = "B"  #!\n[concept.B]\ndescription = "x"\nrefines = "A"\n',
        "method.cycle",
        "cycle",
        pipe=None,
        params={"kind": "refines", "cycle": ["harbour.A", "harbour.B", "harbour.A"]},
    ),
    Case(
        "contains itself",
        '[concept.Tree]\ndescription = "x"\n[concept.Tree.structure.child]\n'
        'type = "concept"\ndescription = "x"\nconcept_ref = "Tree"  #!\n',
        "method.cycle",
        "cycle",
        pipe=None,
        params={"kind": "structure", "cycle": ["harbour.Tree", "harbour.Tree"]},
    ),
    Case(
        "contains a child of itself",
        '[concept.Box]\ndescription = "x"\n[concept.Box.structure.inner]\n'
        'type = "concept"\ndescription = "x"\nconcept_ref = "SmallBox"  #!\n'
        '[concept.SmallBox]\ndescription = "x"\nrefines = "Box"\n',
        "method.cycle",
        "cycle",
        pipe=None,
    ),
    Case(
        "runs itself",
        sequence('  { pipe = "other" },  #!', output="Berth")
        + '[pipe.other]\ntype = "PipeSequence"\ndescription = "x"\ninputs = { notice = "Text" }\noutput = "Berth"\n'
        'steps = [{ pipe = "main" }]\n',
        "method.cycle",
        "cycle",
        params={"kind": "pipe", "cycle": ["harbour.main", "harbour.other", "harbour.main"]},
    ),
    # --- flow ---
    Case(
        "input neither declared nor produced",
        sequence('  { pipe = "describe" },  #!\n  { pipe = "welcome" },'),
        "method.input_undeclared",
        "missing_input_variable",
        params={"pipe": "main", "variables": ["berth"]},
    ),
    Case(
        "result under another name",
        sequence('  { pipe = "pick", result = "bert" },\n  { pipe = "describe" },  #!'),
        "method.input_undeclared",
        "missing_input_variable",
        says="did you mean 'bert'",
    ),
    Case(
        "controller's input never read",
        '[pipe.main]\ntype = "PipeSequence"\ndescription = "x"\noutput = "Berth"\nsteps = [{ pipe = "pick" }]\n'
        '[pipe.main.inputs]\nnotice = "Text"\nother = "Text"  #!\n',
        "method.input_unused",
        "extraneous_input_variable",
        params={"pipe": "main", "variables": ["other"]},
    ),
    Case(
        "parallel's input never read",
        '[pipe.main]\ntype = "PipeParallel"\ndescription = "x"\noutput = "Composite"\n'
        'branches = [{ pipe = "pick", result = "a" }]\n[pipe.main.inputs]\nnotice = "Text"\nother = "Text"  #!\n',
        "method.input_unused",
        "extraneous_input_variable",
    ),
    Case(
        "condition's input never read",
        '[pipe.main]\ntype = "PipeCondition"\ndescription = "x"\noutput = "Berth"\nexpression = "notice"\n'
        'default_outcome = "fail"\noutcomes = { yes = "pick" }\n'
        '[pipe.main.inputs]\nnotice = "Text"\nother = "Text"  #!\n',
        "method.input_unused",
        "extraneous_input_variable",
    ),
    Case(
        "another concept",
        sequence('  { pipe = "pick", result = "notice" },\n  { pipe = "welcome" },  #!'),
        "method.input_concept_mismatch",
        "input_stuff_spec_mismatch",
        params={"pipe": "main", "input": "notice", "declared": "harbour.Berth", "expected": "native.Text"},
    ),
    Case(
        "a parent where a child is wanted",
        '[pipe.dig]\ntype = "PipeLLM"\ndescription = "x"\ninputs = { berth = "DeepBerth" }\noutput = "Text"\n'
        'prompt = "$berth"\n' + sequence('  { pipe = "pick", result = "berth" },\n  { pipe = "dig" },  #!'),
        "method.input_concept_mismatch",
        "input_stuff_spec_mismatch",
    ),
    Case(
        "a list into a single slot",
        sequence('  { pipe = "pick_many", result = "berth" },\n  { pipe = "describe" },  #!'),
        "method.wiring_invalid",
        "input_stuff_spec_mismatch",
        says="batch_over",
    ),
    Case(
        "a single value into a list slot",
        sequence('  { pipe = "pick", result = "berths" },\n  { pipe = "describe_all" },  #!'),
        "method.wiring_invalid",
        "input_stuff_spec_mismatch",
    ),
    Case(
        "two into three",
        sequence('  { pipe = "pick_two", result = "berths" },\n  { pipe = "describe_three" },  #!'),
        "method.wiring_invalid",
        "input_stuff_spec_mismatch",
    ),
    Case(
        "a step makes a list of one",
        sequence('  { pipe = "pick", result = "berth", nb_output = 3 },\n  { pipe = "describe" },  #!'),
        "method.wiring_invalid",
        "input_stuff_spec_mismatch",
    ),
    Case(
        "a step cannot change what a parallel gives",
        '[pipe.both]\ntype = "PipeParallel"\ndescription = "x"\ninputs = { notice = "Text" }\noutput = "Composite"\n'
        'branches = [{ pipe = "pick", result = "a" }]\n'
        + sequence('  { pipe = "both", multiple_output = true },  #!', output="Composite[]"),
        "method.wiring_invalid",
        "inadequate_output_multiplicity",
    ),
    Case(
        "batch over a single value",
        sequence(
            '  { pipe = "pick", result = "one" },\n'
            '  { pipe = "describe", batch_over = "one", batch_as = "berth", result = "texts" },  #!',
            output="Text[]",
        ),
        "method.wiring_invalid",
        "input_stuff_spec_mismatch",
        params={"pipe": "main", "variable_path": "one", "finding": "it is not a list"},
    ),
    Case(
        "dotted batch over no list",
        sequence(
            '  { pipe = "pick", result = "one" },\n'
            '  { pipe = "pick", batch_over = "one.remark", batch_as = "notice", result = "texts" },  #!',
            output="Berth[]",
        ),
        "method.binding_step_invalid",
        "binding_step_invalid",
        params={"pipe": "main", "field_path": "steps[1].batch_over"},
        says="no part of it is a list",
    ),
    Case(
        "dotted batch over an unknown field",
        sequence(
            '  { pipe = "pick", result = "one" },\n'
            '  { pipe = "pick", batch_over = "one.tgas", batch_as = "notice", result = "texts" },  #!',
            output="Berth[]",
        ),
        "method.binding_step_invalid",
        "binding_step_invalid",
        says="did you mean 'tags'",
    ),
    Case(
        "dotted batch beyond a leaf",
        sequence(
            '  { pipe = "pick", result = "one" },\n'
            '  { pipe = "pick", batch_over = "one.tags.words", batch_as = "notice", result = "texts" },  #!',
            output="Berth[]",
        ),
        "method.binding_step_invalid",
        "binding_step_invalid",
    ),
    Case(
        "batch item of another concept",
        '[pipe.main]\ntype = "PipeBatch"\ndescription = "x"\noutput = "Text[]"\ninputs = { cranes = "Crane[]" }\n'
        'input_list_name = "cranes"\ninput_item_name = "berth"\nbranch_pipe_code = "describe"  #!\n',
        "method.input_concept_mismatch",
        "input_stuff_spec_mismatch",
    ),
    # --- binding ---
    Case(
        "unknown field",
        sequence(
            '  { pipe = "pick", result = "berth" },\n  { from = "berth.depht", result = "d" },  #!', output="Number"
        ),
        "method.field_path_unresolved",
        "binding_path_unresolved",
        params={
            "pipe": "main",
            "path": "berth.depht",
            "segment": "depht",
            "available_fields": ["code", "depth", "remark", "cranes", "tags", "odds", "extra"],
        },
        says="did you mean 'depth'",
    ),
    Case(
        "after a leaf",
        sequence('  { from = "notice.text.words", result = "d" },  #!'),
        "method.field_path_unresolved",
        "binding_path_unresolved",
    ),
    Case(
        "after a text-valued concept",
        sequence('  { pipe = "pick", result = "b" },\n  { from = "b.remark.words", result = "d" },  #!'),
        "method.field_path_unresolved",
        "binding_path_unresolved",
    ),
    Case(
        "after a dict",
        sequence('  { pipe = "pick", result = "b" },\n  { from = "b.extra.x", result = "d" },  #!'),
        "method.field_path_unresolved",
        "binding_path_unresolved",
    ),
    Case(
        "on an untyped list",
        sequence('  { pipe = "pick", result = "b" },\n  { from = "b.odds", result = "d" },  #!'),
        "method.field_path_unresolved",
        "binding_path_unresolved",
    ),
    Case(
        "through a concept without fields",
        sequence('  { from = "thing.x", result = "d" },  #!', inputs='thing = "Anything"'),
        "method.field_path_unresolved",
        "binding_path_unresolved",
    ),
    Case(
        "from nothing",
        sequence('  { from = "nobody", result = "notice2" },  #!\n  { pipe = "pick" },', output="Berth"),
        "method.input_undeclared",
        "missing_input_variable",
        params={"pipe": "main", "variables": ["nobody"]},
    ),
    # --- outputs ---
    Case(
        "sequence gives another concept",
        '[pipe.main]\ntype = "PipeSequence"\ndescription = "x"\ninputs = { notice = "Text" }\n'
        'output = "Text"  #!\nsteps = [{ pipe = "pick" }]\n',
        "method.output_concept_mismatch",
        "inadequate_output_concept",
        params={"pipe": "main", "declared": "native.Text", "expected": "harbour.Berth", "pipe_type": "PipeSequence"},
    ),
    Case(
        "sequence gives a list",
        '[pipe.main]\ntype = "PipeSequence"\ndescription = "x"\ninputs = { notice = "Text" }\n'
        'output = "Berth"  #!\nsteps = [{ pipe = "pick_many" }]\n',
        "method.output_multiplicity_mismatch",
        "inadequate_output_multiplicity",
        params={"pipe": "main", "declared": "single", "expected": "list"},
    ),
    Case(
        "sequence promises three",
        '[pipe.main]\ntype = "PipeSequence"\ndescription = "x"\ninputs = { notice = "Text" }\n'
        'output = "Berth[3]"  #!\nsteps = [{ pipe = "pick_many" }]\n',
        "method.output_multiplicity_mismatch",
        "inadequate_output_multiplicity",
        params={"pipe": "main", "declared": "fixed", "expected": "list"},
    ),
    Case(
        "outcome gives another concept",
        '[pipe.main]\ntype = "PipeCondition"\ndescription = "x"\ninputs = { notice = "Text" }\noutput = "Text"\n'
        'expression = "notice"\ndefault_outcome = "fail"\n[pipe.main.outcomes]\na = "pick"  #!\n',
        "method.output_concept_mismatch",
        "inadequate_output_concept",
    ),
    Case(
        "batch gives another concept",
        '[pipe.main]\ntype = "PipeBatch"\ndescription = "x"\noutput = "Berth[]"  #!\ninputs = { berths = "Berth[]" }\n'
        'input_list_name = "berths"\ninput_item_name = "berth"\nbranch_pipe_code = "describe"\n',
        "method.output_concept_mismatch",
        "inadequate_output_concept",
    ),
    Case(
        "parallel into a native",
        '[pipe.main]\ntype = "PipeParallel"\ndescription = "x"\ninputs = { notice = "Text" }\noutput = "Text"  #!\n'
        'branches = [{ pipe = "pick", result = "a" }]\n',
        "method.schema_violation",
        "blueprint_validation",
    ),
    Case(
        "parallel leaves a required field empty",
        '[pipe.main]\ntype = "PipeParallel"\ndescription = "x"\ninputs = { notice = "Text" }\noutput = "Pair"\n'
        'branches = [  #!\n  { pipe = "pick", result = "a" },\n]\n'
        '[concept.Pair]\ndescription = "x"\n[concept.Pair.structure]\n'
        'a = { type = "concept", concept_ref = "Berth", description = "x", required = true }\nb = "x"\n',
        "method.output_concept_mismatch",
        "inadequate_output_concept",
        says="'b'",
    ),
    Case(
        "parallel branch does not suit its field",
        '[pipe.main]\ntype = "PipeParallel"\ndescription = "x"\ninputs = { notice = "Text" }\noutput = "Pair"\n'
        'branches = [\n  { pipe = "pick", result = "a" },  #!\n]\n'
        '[concept.Pair]\ndescription = "x"\n[concept.Pair.structure]\na = "x"\n',
        "method.output_concept_mismatch",
        "inadequate_output_concept",
    ),
    Case(
        "image from a language model",
        '[pipe.main]\ntype = "PipeLLM"\ndescription = "x"\nprompt = "x"\noutput = "Image"  #!\n',
        "method.output_concept_mismatch",
        "llm_output_cannot_be_image",
    ),
    Case(
        "image inside an object from a language model",
        '[pipe.main]\ntype = "PipeLLM"\ndescription = "x"\nprompt = "x"\noutput = "Crane[]"  #!\n',
        "method.output_concept_mismatch",
        "llm_output_cannot_be_image",
    ),
    Case(
        "structure of no text",
        '[pipe.main]\ntype = "PipeStructure"\ndescription = "x"\noutput = "Berth"\n'
        '[pipe.main.inputs]\nberth = "Berth"  #!\n',
        "method.input_concept_mismatch",
        "input_stuff_spec_mismatch",
    ),
    Case(
        "structure into a text",
        '[pipe.main]\ntype = "PipeStructure"\ndescription = "x"\ninputs = { t = "Remark" }\noutput = "Remark"  #!\n',
        "method.output_concept_mismatch",
        "inadequate_output_concept",
    ),
    Case(
        "extraction of a text",
        '[pipe.main]\ntype = "PipeExtract"\ndescription = "x"\noutput = "Page[]"\n[pipe.main.inputs]\ndoc = "Text"  #!\n',
        "method.input_concept_mismatch",
        "input_stuff_spec_mismatch",
    ),
    Case(
        "image generation into a text",
        '[pipe.main]\ntype = "PipeImgGen"\ndescription = "x"\nprompt = "x"\noutput = "Text"  #!\n',
        "method.output_concept_mismatch",
        "inadequate_output_concept",
    ),
    Case(
        "search into the author's own concept",
        '[pipe.main]\ntype = "PipeSearch"\ndescription = "x"\nprompt = "x"\noutput = "Berth"  #!\n',
        "method.output_concept_mismatch",
        "inadequate_output_concept",
    ),
    Case(
        "search into a list",
        '[pipe.main]\ntype = "PipeSearch"\ndescription = "x"\nprompt = "x"\noutput = "SearchResult[]"  #!\n',
        "method.output_multiplicity_mismatch",
        "inadequate_output_multiplicity",
    ),
    Case(
        "rating into a yes or no",
        '[pipe.main]\ntype = "PipeJudge"\ndescription = "x"\nprompt = "x"\nquestion = "How good?"\n'
        'levels = ["bad", "good"]\noutput = "YesNo"  #!\n',
        "method.output_concept_mismatch",
        "inadequate_output_concept",
    ),
    Case(
        "question without a field",
        '[concept.Answers]\ndescription = "x"\n[concept.Answers.structure]\n'
        'calm = { type = "concept", concept_ref = "YesNo", description = "x" }\n'
        '[pipe.main]\ntype = "PipeJudge"\ndescription = "x"\nprompt = "x"\noutput = "Answers"\n'
        '[pipe.main.questions]\ncalm = { question = "Calm?" }\nwide = { question = "Wide?" }  #!\n',
        "method.output_concept_mismatch",
        "inadequate_output_concept",
    ),
    Case(
        "field of the wrong verdict",
        '[concept.Answers]\ndescription = "x"\n[concept.Answers.structure]\n'
        'calm = { type = "concept", concept_ref = "Rating", description = "x" }\n'
        '[pipe.main]\ntype = "PipeJudge"\ndescription = "x"\nprompt = "x"\noutput = "Answers"\n'
        '[pipe.main.questions]\ncalm = { question = "Calm?" }  #!\n',
        "method.output_concept_mismatch",
        "inadequate_output_concept",
    ),
    Case(
        "field without a question",
        '[concept.Answers]\ndescription = "x"\n[concept.Answers.structure]\nnote = "x"\n'
        'calm = { type = "concept", concept_ref = "YesNo", description = "x" }\n'
        '[pipe.main]\ntype = "PipeJudge"\ndescription = "x"\nprompt = "x"\noutput = "Answers"  #!\n'
        '[pipe.main.questions]\ncalm = { question = "Calm?" }\n',
        "method.output_concept_mismatch",
        "inadequate_output_concept",
    ),
    Case(
        "question about an image",
        '[pipe.main]\ntype = "PipeJudge"\ndescription = "x"\ninputs = { crane = "Crane" }\nprompt = "$crane.load"\n'
        'output = "YesNo"\nquestion = "Is $crane.photo red?"  #!\n',
        "method.wiring_invalid",
        "input_stuff_spec_mismatch",
    ),
    Case(
        "template into an object",
        '[pipe.main]\ntype = "PipeCompose"\ndescription = "x"\ntemplate = "x"\noutput = "Berth"  #!\n',
        "method.output_concept_mismatch",
        "inadequate_output_concept",
    ),
    # --- construct ---
    Case(
        "construct of a concept without fields",
        '[pipe.main]\ntype = "PipeCompose"\ndescription = "x"\noutput = "Anything"  #!\nconstruct = { a = "b" }\n',
        "method.output_concept_mismatch",
        "inadequate_output_concept",
    ),
    Case(
        "construct of an unknown field",
        '[pipe.main]\ntype = "PipeCompose"\ndescription = "x"\noutput = "Gantry"\n[pipe.main.construct]\nname = "n"\nlaod = 3  #!\n',
        "method.wiring_invalid",
        "inadequate_output_concept",
        says="did you mean 'load'",
    ),
    Case(
        "construct without a required field",
        '[pipe.main]\ntype = "PipeCompose"\ndescription = "x"\noutput = "Gantry"\n[pipe.main.construct]  #!\nload = 3\n',
        "pipe.output_invalid",
        "inadequate_output_concept",
        says="'name'",
    ),
    Case(
        "construct of a wrong literal",
        '[pipe.main]\ntype = "PipeCompose"\ndescription = "x"\noutput = "Gantry"\n[pipe.main.construct]\nname = "n"\nload = "heavy"  #!\n',
        "method.wiring_invalid",
        "inadequate_output_concept",
    ),
    Case(
        "construct from an unknown path",
        '[pipe.main]\ntype = "PipeCompose"\ndescription = "x"\ninputs = { berth = "Berth" }\noutput = "Gantry"\n'
        '[pipe.main.construct]\nname = { from = "berth.cod" }  #!\n',
        "method.field_path_unresolved",
        "binding_path_unresolved",
    ),
    Case(
        "construct from an unsuited value",
        '[pipe.main]\ntype = "PipeCompose"\ndescription = "x"\ninputs = { berth = "Berth" }\noutput = "Gantry"\n'
        '[pipe.main.construct]\nname = { from = "berth.depth" }  #!\n',
        "method.wiring_invalid",
        "inadequate_output_concept",
    ),
    Case(
        "construct of a required field from an optional input",
        '[pipe.main]\ntype = "PipeCompose"\ndescription = "x"\ninputs = { notice = "Text?" }\noutput = "Gantry"\n'
        '[pipe.main.construct]\nname = { from = "notice" }  #!\n',
        "method.optional_unhandled",
        "optional_input_unguarded",
    ),
    # --- absence ---
    Case(
        "last step may give nothing",
        sequence('  { pipe = "maybe" },  #!', output="Berth"),
        "method.optional_unhandled",
        "optional_not_handled",
        params={"pipe": "main", "site": "sequence_step"},
    ),
    Case(
        "last step may be skipped",
        sequence('  { pipe = "maybe", result = "berth" },\n  { pipe = "describe" },  #!'),
        "method.optional_unhandled",
        "optional_not_handled",
    ),
    Case(
        "bound value may be absent",
        sequence('  { pipe = "pick", result = "b" },\n  { from = "b.depth", result = "d" },  #!', output="Number"),
        "method.optional_unhandled",
        "optional_not_handled",
    ),
    Case(
        "outcome may give nothing",
        '[pipe.main]\ntype = "PipeCondition"\ndescription = "x"\ninputs = { notice = "Text" }\noutput = "Berth"\n'
        'expression = "notice"\ndefault_outcome = "fail"\n[pipe.main.outcomes]\na = "maybe"  #!\n',
        "method.optional_unhandled",
        "optional_not_handled",
        params={"pipe": "main", "site": "condition"},
    ),
    Case(
        "condition may continue",
        '[pipe.main]\ntype = "PipeCondition"\ndescription = "x"\ninputs = { notice = "Text" }\noutput = "Berth"  #!\n'
        'expression = "notice"\ndefault_outcome = "continue"\noutcomes = { a = "pick" }\n',
        "method.optional_unhandled",
        "optional_output_required",
        params={"pipe": "main", "site": "condition_output"},
    ),
    Case(
        "branch of a required field may give nothing",
        '[concept.Pair]\ndescription = "x"\n[concept.Pair.structure]\n'
        'a = { type = "concept", concept_ref = "Berth", description = "x", required = true }\n'
        '[pipe.main]\ntype = "PipeParallel"\ndescription = "x"\ninputs = { notice = "Text" }\noutput = "Pair"\n'
        'branches = [\n  { pipe = "maybe", result = "a" },  #!\n]\n',
        "method.optional_unhandled",
        "optional_branch_required_field",
        params={"pipe": "main", "input": "a", "site": "parallel_branch"},
    ),
    Case(
        "optional input read without a guard",
        '[pipe.main]\ntype = "PipeLLM"\ndescription = "x"\ninputs = { berth = "Berth?" }\noutput = "Text"\n'
        'prompt = "$berth.code"  #!\n',
        "method.optional_unhandled",
        "optional_input_unguarded",
        params={"pipe": "main", "input": "berth", "site": "template"},
    ),
    # --- names ---
    Case(
        "structure of a host program's class",
        '[concept.Old]\ndescription = "x"\nstructure = "OldClass"  #!\n',
        "method.concept_invalid",
        "blueprint_validation",
        pipe=None,
        says="OldClass",
    ),
    # --- files ---
    Case(
        "function in no file",
        '[pipe.main]\ntype = "PipeFunc"\ndescription = "x"\noutput = "Text"\nfunction_name = "funcs.totals.sum_up"  #!\n',
        "method.function_invalid",
        "pipe_func_function_refused",
    ),
    Case(
        "function misspelt",
        '[pipe.main]\ntype = "PipeFunc"\ndescription = "x"\noutput = "Text"\nfunction_name = "tools.cuont"  #!\n',
        "method.function_invalid",
        "pipe_func_function_refused",
        says="did you mean 'count'",
    ),
    Case(
        "function in a file that is no Python",
        '[pipe.main]\ntype = "PipeFunc"\ndescription = "x"\noutput = "Text"\nfunction_name = "broken.count"  #!\n',
        "method.function_invalid",
        "pipe_func_function_refused",
    ),
    Case(
        "function in two files",
        '[pipe.main]\ntype = "PipeFunc"\ndescription = "x"\noutput = "Text"\nfunction_name = "twice.count"  #!\n',
        "method.function_invalid",
        "pipe_func_function_refused",
        says="both twice.py and twice/__init__.py are there",
    ),
    Case(
        "template file missing",
        page_of("no.html"),
        "method.resource_missing",
        "resource_missing",
        params={"file": "no.html", "reason": "not_in_tree"},
    ),
    Case(
        "template file, backslash",
        page_of(r"a\\b.html"),
        "method.resource_missing",
        "resource_missing",
        params={"reason": "backslash"},
    ),
    Case(
        "template file, scheme",
        page_of("file:a.html"),
        "method.resource_missing",
        "resource_missing",
        params={"reason": "scheme"},
    ),
    Case(
        "template file, absolute",
        page_of("/a.html"),
        "method.resource_missing",
        "resource_missing",
        params={"reason": "absolute"},
    ),
    Case(
        "construct keyed from one value",
        shelf('crane = "Gantry"', 'named = { from = "crane", list_to_dict_keyed_by = "name" }  #!'),
        "method.wiring_invalid",
        "inadequate_output_concept",
        says="needs a list",
    ),
    Case(
        "construct keyed by an unknown field",
        shelf('cranes = "Gantry[]"', 'named = { from = "cranes", list_to_dict_keyed_by = "nmae" }  #!'),
        "method.wiring_invalid",
        "inadequate_output_concept",
        says="did you mean 'name'",
    ),
    Case(
        "construct keyed into another field",
        shelf('cranes = "Gantry[]"', 'size = { from = "cranes", list_to_dict_keyed_by = "name" }  #!'),
        "method.wiring_invalid",
        "inadequate_output_concept",
        says="makes a dict",
    ),
    Case(
        "construct of a number by a template",
        shelf('crane = "Gantry"', 'size = { template = "$crane" }  #!'),
        "method.wiring_invalid",
        "inadequate_output_concept",
        says="a template writes a text",
    ),
    Case(
        "template file outside",
        page_of("../no.html"),
        "method.resource_missing",
        "resource_missing",
        params={"file": "../no.html", "reason": "leaves_tree"},
    ),
    Case(
        "document template reads an unknown field",
        '[pipe.main]\ntype = "PipeDocGen"\ndescription = "x"\ninputs = { berth = "Berth" }\noutput = "Document"\n'
        'format = "pdf"\ntemplate = "<p>{{ berth.depht }}</p>"  #!\n',
        "method.field_path_unresolved",
        "binding_path_unresolved",
        params={
            "pipe": "main",
            "path": "berth.depht",
            "segment": "depht",
            "available_fields": ["code", "depth", "remark", "cranes", "tags", "odds", "extra"],
        },
    ),
    Case(
        "document template file reads an undeclared name",
        '[pipe.main]\ntype = "PipeDocGen"\ndescription = "x"\ninputs = { berth = "Berth" }\noutput = "Document"\n'
        'format = "pdf"\ntemplate_file = "page.html"  #!\n',
        "method.input_undeclared",
        "missing_input_variable",
    ),
    Case(
        "document that is a text",
        '[pipe.main]\ntype = "PipeDocGen"\ndescription = "x"\noutput = "Text"  #!\nformat = "pdf"\n',
        "method.output_concept_mismatch",
        "inadequate_output_concept",
    ),
]

OTHER_FILES = {
    "tools.py": "async def count(inputs):\n    return 1\n",
    "broken.py": "def count(:\n",
    "twice.py": "def count(inputs):\n    return 1\n",
    "twice/__init__.py": "def count(inputs):\n    return 2\n",
    "page.html": "<p>{{ berth.code }} {{ nobody }}</p>",
}


def faults_of(body: str) -> tuple[str, list[Fault]]:
    text = HEAD + body
    loaded = load_library_files({"berths.mthds": text, **OTHER_FILES})
    return text, list(loaded.verdict.errors)


def test_the_common_part_is_valid() -> None:
    assert faults_of("")[1] == []


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_each_fault_is_found_once_at_its_place(case: Case) -> None:
    text, faults = faults_of(case.body)
    assert [(fault.code, fault.category) for fault in faults] == [(case.code, case.category)]
    (fault,) = faults
    marked = [number for number, line in enumerate(text.splitlines(), start=1) if line.endswith("#!")]
    assert [fault.location.line] == marked, fault
    assert fault.location.file == "berths.mthds"
    assert fault.location.pipe == case.pipe
    assert case.says in fault.detail
    for name, value in case.params.items():
        assert fault.params.get(name) == value
    assert set(fault.params) <= set(CORE_CODES[case.code].params)
