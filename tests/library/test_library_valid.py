"""Methods that must be accepted, and what is said of them beside the verdict."""

import pytest

from pipelex.errors import Fault
from pipelex.library import ModelUse, load_library_files

CONCEPTS = """
domain = "harbour"
[concept.Remark]
description = "A remark"
refines = "Text"
[concept.Gantry]
description = "A gantry"
structure = { name = "Name", load = { type = "number", description = "Tonnes" } }
[concept.Berth]
description = "A berth"
[concept.Berth.structure]
code = "Code"
built = { type = "date", description = "Built" }
state = { choices = ["free", "taken"], description = "State", default_value = "free" }
cranes = { type = "list", item_type = "concept", item_concept_ref = "Gantry", description = "Cranes" }
tags = { type = "list", item_type = "text", description = "Tags" }
by_name = { type = "dict", key_type = "text", value_type = "Any", description = "Cranes by name" }
[concept.DeepBerth]
description = "A deep berth"
refines = "Berth"
[pipe.pick]
type = "PipeLLM"
description = "x"
inputs = { notice = "Text" }
output = "DeepBerth"
prompt = "$notice"
[pipe.describe]
type = "PipeLLM"
description = "x"
inputs = { berth = "Berth" }
output = "Text"
prompt = "$berth"
[pipe.maybe]
type = "PipeLLM"
description = "x"
inputs = { notice = "Text" }
output = "Berth?"
prompt = "$notice"
[pipe.join]
type = "PipeLLM"
description = "x"
inputs = { texts = "Text[]" }
output = "Text"
prompt = "$texts"
"""

VALID = {
    "a child where its parent is wanted": """
[pipe.main]
type = "PipeSequence"
description = "x"
inputs = { notice = "Remark" }
output = "Text"
steps = [{ pipe = "pick", result = "berth" }, { pipe = "describe", result = "text" }]
""",
    "a batch over a list's field, then a list": """
[pipe.name_it]
type = "PipeLLM"
description = "x"
inputs = { crane = "Gantry" }
output = "Text"
prompt = "$crane.name"
[pipe.main]
type = "PipeSequence"
description = "x"
inputs = { berths = "Berth[]" }
output = "Text"
steps = [
  { pipe = "name_it", batch_over = "berths.cranes", batch_as = "crane", result = "texts" },
  { pipe = "join" },
]
""",
    "binding through lists to leaves": """
[pipe.main]
type = "PipeSequence"
description = "x"
inputs = { berths = "Berth[]" }
output = "Text"
steps = [{ from = "berths.tags", result = "texts" }, { pipe = "join" }]
""",
    "a field with a default is never absent": """
[pipe.main]
type = "PipeSequence"
description = "x"
inputs = { berth = "Berth" }
output = "Text"
steps = [{ from = "berth.state", result = "state" }]
""",
    "inner results of a nested sequence": """
[pipe.inner]
type = "PipeSequence"
description = "x"
inputs = { notice = "Text" }
output = "Text"
steps = [{ pipe = "pick", result = "berth" }, { pipe = "describe", result = "text" }]
[pipe.main]
type = "PipeSequence"
description = "x"
inputs = { notice = "Text" }
output = "Text"
steps = [{ pipe = "inner", result = "outer" }, { pipe = "describe" }]
""",
    "branches of a parallel": """
[pipe.both]
type = "PipeParallel"
description = "x"
inputs = { notice = "Text" }
output = "Composite"
add_each_output = true
branches = [{ pipe = "pick", result = "berth" }, { pipe = "maybe", result = "other" }]
[pipe.main]
type = "PipeSequence"
description = "x"
inputs = { notice = "Text" }
output = "Text"
steps = [{ pipe = "both", result = "all" }, { pipe = "describe" }]
""",
    "a parallel into a structure": """
[concept.Pair]
description = "x"
[concept.Pair.structure]
berth = { type = "concept", concept_ref = "Berth", description = "x", required = true }
text = { type = "text", description = "x" }
names = { type = "list", item_type = "text", description = "x" }
[pipe.say]
type = "PipeLLM"
description = "x"
inputs = { notice = "Text" }
output = "Remark"
prompt = "$notice"
[pipe.main]
type = "PipeParallel"
description = "x"
inputs = { notice = "Text", notices = "Text[]" }
output = "Pair"
branches = [
  { pipe = "pick", result = "berth" },
  { pipe = "say", result = "text" },
  { pipe = "say", batch_over = "notices", batch_as = "notice", result = "names" },
]
""",
    "a condition that continues, its absence handled": """
[pipe.main]
type = "PipeCondition"
description = "x"
inputs = { notice = "Text" }
output = "Berth?"
expression = "notice.text"
outcomes = { a = "pick", b = "maybe", c = "fail" }
default_outcome = "continue"
[pipe.greet]
type = "PipeLLM"
description = "x"
inputs = { berth = "Berth?" }
output = "Text"
prompt = '''
Hello
@?berth
'''
[pipe.whole]
type = "PipeSequence"
description = "x"
inputs = { notice = "Text" }
output = "Text"
steps = [{ pipe = "main", result = "berth" }, { pipe = "greet" }]
""",
    "an alias may stand for any name": """
[pipe.main]
type = "PipeCondition"
description = "x"
inputs = { first = "Text", second = "Text", which = "Text" }
output = "Berth"
expression = "which.text"
add_alias_from_expression_to = "notice"
outcomes = { first = "pick", second = "pick" }
default_outcome = "fail"
""",
    "a batch with other inputs": """
[pipe.compare]
type = "PipeLLM"
description = "x"
inputs = { berth = "Berth", notice = "Text" }
output = "Text"
prompt = "$berth $notice"
[pipe.main]
type = "PipeBatch"
description = "x"
inputs = { berths = "DeepBerth[]", notice = "Text" }
output = "Text[]"
branch_pipe_code = "compare"
input_list_name = "berths"
input_item_name = "berth"
""",
    "a step asks for a number": """
[pipe.several]
type = "PipeLLM"
description = "x"
inputs = { notice = "Text" }
output = "Text"
prompt = "$notice"
[pipe.main]
type = "PipeSequence"
description = "x"
inputs = { notice = "Text" }
output = "Text"
steps = [{ pipe = "several", result = "texts", nb_output = 3 }, { pipe = "join", nb_output = 1 }]
""",
    "a judge of several questions": """
[concept.Answers]
description = "x"
[concept.Answers.structure]
calm = { type = "concept", concept_ref = "YesNo", description = "x" }
kind = { type = "concept", concept_ref = "Choice", description = "x" }
wide = { type = "concept", concept_ref = "Rating", description = "x" }
[pipe.main]
type = "PipeJudge"
description = "x"
inputs = { photo = "Image", ship = "Text" }
output = "Answers"
prompt = "$photo"
[pipe.main.questions]
calm = { question = "Is $ship calm?" }
kind = { question = "Which?", options = { a = "A", b = "" } }
wide = { question = "How wide?", levels = ["thin", "wide"] }
""",
    "a construct of every kind": """
[concept.Card]
description = "x"
[concept.Card.structure]
title = "Title"
built = { type = "date", description = "x" }
berth = { type = "concept", concept_ref = "Berth", description = "x" }
crane = { type = "concept", concept_ref = "Gantry", description = "x" }
by_name = { type = "dict", key_type = "text", value_type = "Any", description = "x" }
tags = { type = "list", item_type = "text", description = "x" }
size = { type = "number", description = "x" }
kind = { choices = ["small", "large"], description = "x" }
odds = { type = "list", description = "x" }
[pipe.main]
type = "PipeCompose"
description = "x"
inputs = { berth = "DeepBerth", cranes = "Gantry[]", size = "Number", note = "Text?" }
output = "Card"
[pipe.main.construct]
title = { template = "Berth $berth.code{% if note %} {{ note }}{% endif %}" }
built = { from = "berth.built" }
berth = { from = "berth" }
by_name = { from = "cranes", list_to_dict_keyed_by = "name" }
tags = ["a", "b"]
size = { from = "size" }
kind = { template = "{% if note %}small{% else %}large{% endif %}" }
odds = { from = "cranes" }
[pipe.main.construct.crane]
name = "big"
load = 3
""",
    "functions and document templates": """
[pipe.count]
type = "PipeFunc"
description = "x"
inputs = { berth = "Berth" }
output = "Number"
function_name = "tools.count"
[pipe.print]
type = "PipeDocGen"
description = "x"
inputs = { berths = "Berth[]" }
output = "Document"
format = "pdf"
template_file = "pages/page.html"
[pipe.print_inline]
type = "PipeDocGen"
description = "x"
inputs = { berths = "Berth[]", note = "Text" }
output = "Document"
format = "pdf"
filename = "$note"
template = "{% for b in berths %}{{ b.code.upper() }} {{ b.cranes[0].name }}{% endfor %} {{ berths.items|length }}"
""",
}
OTHER_FILES = {"tools/__init__.py": "def count(inputs):\n    return 1\n", "pages/page.html": "{{ berths[0].code }}"}


@pytest.mark.parametrize("name", VALID)
def test_valid_methods_are_accepted_without_a_word(name: str) -> None:
    verdict = load_library_files({"berths.mthds": CONCEPTS + VALID[name], **OTHER_FILES}).verdict
    assert (verdict.errors, verdict.warnings) == ((), ())
    assert verdict.is_valid
    assert verdict.is_runnable


def test_signatures_are_valid_but_not_runnable() -> None:
    later = (
        '[pipe.later]\ndescription = "x"\ninputs = { notice = "Text" }\noutput = "Text"\nsignature_for = "PipeLLM"\n'
    )
    caller = (
        '[pipe.main]\ntype = "PipeSequence"\ndescription = "x"\ninputs = { notice = "Text" }\noutput = "Text"\n'
        'steps = [{ pipe = "later" }]\n'
    )
    verdict = load_library_files({"a.mthds": f'domain = "d"\n{later}{caller}'}).verdict
    assert verdict.is_valid
    assert not verdict.is_runnable
    assert verdict.pending_signatures == ("d.later",)
    assert not verdict.is_accepted()
    assert verdict.is_accepted(allow_signatures=True)
    assert verdict.to_json()["pending_signatures"] == ["d.later"]


MARKED = """
domain = "d"
main_pipe = "main"
[pipe.open]
type = "PipeLLM"
description = "x"
inputs = {{ note = "Text{marker}" }}
output = "Text"
prompt = '''
x
@?note
'''
[pipe.main]
type = "PipeSequence"
description = "x"
inputs = {{ note = "Text{given}" }}
output = "Text"
steps = [{{ pipe = "open" }}]
"""


@pytest.mark.parametrize(
    ("marker", "given", "codes"),
    [
        ("?", "", ["method.input_presence_vacuous"]),
        ("!", "", ["method.optional_force_redundant"]),
        ("?", "?", []),
        ("!", "?", []),
        ("", "", []),
    ],
)
def test_presence_markers_that_change_nothing_are_warned_of(marker: str, given: str, codes: list[str]) -> None:
    verdict = load_library_files({"a.mthds": MARKED.format(marker=marker, given=given)}).verdict
    assert [fault.code for fault in verdict.warnings] == codes
    assert verdict.is_valid
    assert all(fault.location.pipe == "open" for fault in verdict.warnings)


def test_hints_on_linked_sites_are_warned_of() -> None:
    text = CONCEPTS + (
        '[concept.Note]\ndescription = "x"\nrefines = "Berth"\nhints = { intent = "prose" }\n'
        '[concept.Fine]\ndescription = "x"\nrefines = "Remark"\nhints = { intent = "prose" }\n'
        '[pipe.main]\ntype = "PipeLLM"\ndescription = "x"\noutput = "Text"\nprompt = "$remark $berth"\n'
        '[pipe.main.inputs]\nremark = { concept = "Remark", hints = { intent = "label" } }\n'
        'berth = { concept = "Berth", hints = { intent = "label" } }\n'
    )
    verdict = load_library_files({"a.mthds": text}).verdict
    assert verdict.is_valid
    found = [(fault.code, fault.location.concept, fault.location.pipe) for fault in verdict.warnings]
    assert found == [("method.hint_invalid", "Note", None), ("method.hint_invalid", None, "main")]


def test_models_are_asked_about_once_and_located() -> None:
    text = """
domain = "d"
[pipe.a]
type = "PipeLLM"
description = "x"
output = "Text"
prompt = "x"
model = "$nobody"
[pipe.b]
type = "PipeLLM"
description = "x"
output = "Number"
prompt = "x"
model = { model = "nobody", temperature = 0.5 }
[pipe.c]
type = "PipeLLM"
description = "x"
output = "Text"
prompt = "x"
model = "$nobody"
[pipe.d]
type = "PipeImgGen"
description = "x"
output = "Image"
prompt = "x"
"""
    asked: list[ModelUse] = []

    def check_model(use: ModelUse) -> list[Fault]:
        asked.append(use)
        if use.choice is None:
            return []
        return [Fault("model.unknown", "no such model", params={"model": str(use.choice), "model_type": use.family})]

    verdict = load_library_files({"a.mthds": text}, check_model=check_model).verdict
    assert asked == [
        ModelUse("llm", "text", "$nobody"),
        ModelUse("llm", "object", {"model": "nobody", "temperature": 0.5}),
        ModelUse("img_gen", "text", None),
    ]
    found = [(fault.location.pipe, fault.location.field, fault.location.line) for fault in verdict.errors]
    assert found == [("a", "model", 8), ("b", "model.model", 14), ("c", "model", 20)]


@pytest.mark.parametrize(
    ("broken", "codes"),
    [
        (
            '[pipe.pick]\ntype = "PipeLLM"\ndescription = "x"\noutput = "Text"\npromt = "x"\n',
            ["method.schema_violation"],
        ),
        (
            '[pipe.pick]\ntype = "PipeLLM"\ndescription = "x"\noutput = "Nobody"\nprompt = "x"\n',
            ["method.concept_unresolved"],
        ),
    ],
)
def test_what_hangs_on_a_broken_pipe_is_not_reported_again(broken: str, codes: list[str]) -> None:
    text = f"""
domain = "d"
{broken}
[pipe.inner]
type = "PipeSequence"
description = "x"
output = "Number"
steps = [{{ pipe = "pick", result = "found" }}]
[pipe.takes]
type = "PipeLLM"
description = "x"
inputs = {{ found = "Image" }}
output = "Number"
prompt = "$found"
[pipe.outer]
type = "PipeSequence"
description = "x"
inputs = {{ unknown = "Text" }}
output = "Number"
steps = [{{ pipe = "inner" }}, {{ pipe = "takes" }}]
"""
    verdict = load_library_files({"a.mthds": text}).verdict
    assert [fault.code for fault in verdict.errors] == codes


def test_what_hangs_on_a_broken_concept_is_not_reported_again() -> None:
    text = """
domain = "d"
[concept.Bad]
description = "x"
refines = "Nobody"
[concept.Child]
description = "x"
refines = "Bad"
[concept.Holder]
description = "x"
structure = { bad = { type = "concept", concept_ref = "Child", description = "x" } }
[pipe.main]
type = "PipeLLM"
description = "x"
inputs = { holder = "Holder" }
output = "Child"
prompt = "$holder"
"""
    loaded = load_library_files({"a.mthds": text})
    assert [fault.code for fault in loaded.verdict.errors] == ["method.concept_unresolved"]
    assert loaded.library is not None
    assert loaded.library.pipes == {}


def test_an_unreadable_file_hides_no_more_than_itself() -> None:
    user = '[pipe.main]\ntype = "PipeLLM"\ndescription = "x"\noutput = "Elsewhere"\nprompt = "x"\n'
    loaded = load_library_files({"a.mthds": f'domain = "d"\n{user}', "b.mthds": "domain = \n"})
    assert [(fault.code, fault.location.file) for fault in loaded.verdict.errors] == [("method.syntax", "b.mthds")]


def test_nothing_linked_gives_no_library() -> None:
    loaded = load_library_files({"a.mthds": "not toml"})
    assert loaded.library is None
    assert [fault.code for fault in loaded.verdict.errors] == ["method.syntax"]
    assert loaded.verdict.to_json()["is_valid"] is False
