"""What is valid and hardly meant: warnings, each at its place and with what to write."""

from pathlib import Path
from typing import Any

import pytest

from pipelex.content.structure import example
from pipelex.content.stuff import Stuff
from pipelex.errors import Fault
from pipelex.library import Library, LoadedLibrary, load_library, load_library_files
from pipelex.templating import render

CONCEPTS = """
domain = "shop"
[concept]
Remark = "A remark"
[concept.Line]
description = "A line"
[concept.Line.structure]
label = "Its label"
price = { type = "number", description = "x", required = true }
born = { type = "date", description = "x", required = true }
[concept.Bill]
description = "A bill"
[concept.Bill.structure]
total = { type = "number", description = "x", required = true }
kind = { choices = ["cash", "card"], description = "x", required = true }
paid = { type = "boolean", description = "x", required = true }
late = { type = "concept", concept_ref = "YesNo", description = "x" }
sure = { type = "concept", concept_ref = "YesNo", description = "x", required = true }
lines = { type = "list", item_type = "concept", item_concept_ref = "Line", description = "x", required = true }
tags = { type = "list", item_type = "text", description = "x", required = true }
more = { type = "dict", key_type = "text", value_type = "Any", description = "x" }
photo = { type = "concept", concept_ref = "Image", description = "x" }
"""
INPUTS = {
    "bill": "Bill", "bills": "Bill[]", "note": "Text", "n": "Number", "flag": "YesNo", "maybe": "YesNo?",
    "remark": "Remark?", "page": "Page", "day": "Date", "docs": "Document[]", "any": "Anything", "data": "JSON",
    "parts": "Composite", "count": "Number?", "pick": "Choice",
}  # fmt: skip
READS_ALL = "{# #}" + "".join(f"{{% if {name} is defined %}}{{{{ {name} }}}}{{% endif %}}" for name in INPUTS)


def compose(template: str, pipe: str = "") -> LoadedLibrary:
    inputs = ", ".join(f'{name} = "{slot}"' for name, slot in INPUTS.items())
    text = f"""{CONCEPTS}
[pipe.main]
type = "PipeCompose"
description = "x"
inputs = {{ {inputs} }}
output = "Text"
template = '''
{READS_ALL}
{template}'''
{pipe}"""
    return load_library_files({"shop.mthds": text})


def warnings(template: str) -> list[Fault]:
    loaded = compose(template)
    assert loaded.verdict.errors == ()
    return list(loaded.verdict.warnings)


def shown(fault: Fault, template: str) -> str:
    """The word of the template that a warning points at."""
    line, column = fault.location.line, fault.location.column
    assert line is not None
    assert column is not None
    rest = compose(template).files.targets[0].text.splitlines()[line - 1][column - 1 :]
    return rest[: next((i for i, c in enumerate(rest) if not (c.isalnum() or c == "_")), len(rest))]


MISSING = [
    ("{{ bill.totl }}", "totl", "total"),
    ("$bill.totl and more", "totl", "total"),
    ("@bill.totl", "totl", "total"),
    ("{% for l in bill.lines %}{{ l.lable }}{% endfor %}", "lable", "label"),
    ("{% for l in bill.lines %}{{ l.label }} {{ l.prce }}{% endfor %}", "prce", "price"),
    ("{{ bill.lines[0].prize }}", "prize", "price"),
    ("{{ (bills|first).tot }}", "tot", "total"),
    ("{{ (bills|selectattr('paid')|list)[0].totale }}", "totale", "total"),
    ("{{ bills|sort(attribute='knd')|length }}", "knd", "kind"),
    ("{{ bill.lines|map(attribute='prise')|list|length }}", "prise", "price"),
    ("{{ docs|join(', ', attribute='titel') }}", "titel", "title"),
    ("{{ bills|groupby('kid')|length }}", "kid", "kind"),
    ("{{ note.headlin }}", "headlin", None),
    ("{{ page.page_vew.url }}", "page_vew", "page_view"),
    ("{{ page.text_and_images.images[0].ur }}", "ur", "url"),
    ("{{ day.year }}", "year", None),
    ("{{ pick.chois }}", "chois", "choice"),
    ("{{ bill.lines.price }}", "price", None),
    ("{{ bills.length }}", "length", None),
    ("{{ bill.tags[0].name }}", "name", None),
    ("{{ bill.total.value }}", "value", None),
    ("{{ bill['totl'] }}", "totl", "total"),
    ("{% set b = bill %}{{ b.totl }}", "totl", "total"),
    ("{% with b = bills[0] %}{{ b.totl }}{% endwith %}", "totl", "total"),
    ("{% if bill.totl is defined %}x{% endif %}", "totl", "total"),
    ("{% for b in bills if b.totl %}x{% endfor %}", "totl", "total"),
]


@pytest.mark.parametrize(("template", "word", "near"), MISSING, ids=[each[0] for each in MISSING])
def test_a_field_that_is_not_there_is_pointed_at(template: str, word: str, near: str | None) -> None:
    (fault,) = warnings(template)
    assert (fault.code, fault.params["segment"], shown(fault, template)) == ("method.field_path_unresolved", word, word)
    assert fault.suggestions == (() if near is None else (near,))
    assert (near is None) == (fault.suggested_fix is None)
    if near is not None and fault.suggested_fix is not None:
        (operation,) = fault.suggested_fix.ops
        assert operation["value"] == READS_ALL + "\n" + template.replace(word, near, 1)
        assert warnings(template.replace(word, near)) == []


PRINTED = [template for template, _, _ in MISSING if template.startswith("{{") and "|" not in template]


@pytest.mark.parametrize("template", PRINTED)
def test_what_is_told_never_to_be_there_prints_as_nothing(template: str) -> None:
    library = compose("").library
    assert library is not None
    assert render(template, values(library), concepts=library).text == ""


def values(library: Library) -> dict[str, Stuff]:
    found: dict[str, Stuff] = {}
    for name, slot in library.pipe("shop.main").inputs.items():
        content = example(library.shape(slot.concept))
        found[name] = Stuff(slot.concept, {"items": [content]} if slot.is_list else content, slot.is_list)
    return found


@pytest.mark.parametrize(
    "template",
    [
        "{{ any.foo.bar }} {{ data.key }} {{ data.json_obj.key }} {{ parts.x.y }} {{ bill.more.x.y }}",
        "{{ note.text.upper() }} {{ note.text }} {{ bill.kind.upper() }} {{ bill.more.items() }}",
        "{{ day.date.year }} {{ bill.lines[0].born.month }}",
        "{% for key, value in bill.more.items() %}{{ key }}{{ value.x }}{% endfor %}",
        "{% for key in bill.more %}{{ key.x }}{% endfor %}",
        "{% set ns = namespace(a=0) %}{% for b in bills %}{% set ns.a = ns.a + b.total %}{% endfor %}{{ ns.a }}",
        "{% macro m(x) %}{{ x.foo }}{% endmacro %}{{ m(bill) }}",
        "{% set x = bill %}{% if n > 3 %}{% set x = note %}{% endif %}{{ x.text }}",
        "{{ bills.items|length }} {{ bills[0].total }} {{ bill._stuff_name }} {{ bill[note] }}",
        "{{ bills|map(attribute='photo.url')|list }} {{ bills|sum(attribute='total') }} {{ bill.lines|map('upper') }}",
        "{% for kind, some in bills|groupby('kind') %}{% for b in some %}{{ b.anything }}{% endfor %}{% endfor %}",
        "{{ page.text_and_images.text.text }} {{ page.page_view.caption }} {{ pick.probabilities.a }}",
        "@?remark",
        "@?maybe",
        "{% if maybe %}{{ maybe }}{% endif %}{% if remark %}There is a remark.{% endif %}{% if count %}x{% endif %}",
        "{% if bill.late %}Late: {{ bill.late }}{% endif %}{% if bill.paid %}x{% endif %}",
        "{% if bills %}x{% endif %}{% if bill.lines %}x{% endif %}{% if bill %}x{% endif %}",
        "{% if flag.yes_no %}x{% endif %}{% if n.number %}x{% endif %}{% if note.text %}x{% endif %}",
        "{% if flag == true %}x{% endif %}{% if n > 0 %}x{% endif %}{{ note or 'none' }}",
        "US$ $n, $bill.total. micro$oft a$b $100 me@note.example",
    ],
)
def test_what_is_meant_so_is_not_warned_of(template: str) -> None:
    assert [fault.detail for fault in warnings(template)] == []


@pytest.mark.parametrize(
    ("template", "name", "instead"),
    [
        ("{% if flag %}x{% endif %}", "flag", "flag.yes_no"),
        ("{% if not flag %}x{% endif %}", "flag", "flag.yes_no"),
        ("{{ 'a' if flag else 'b' }}", "flag", "flag.yes_no"),
        ("{% if n > 1 and flag %}x{% endif %}", "flag", "flag.yes_no"),
        ("{% for b in bills if flag %}x{% endfor %}", "flag", "flag.yes_no"),
        ("{% if maybe %}It is urgent.{% endif %}", "maybe", "maybe.yes_no"),
        ("{% if bill.sure %}x{% endif %}", "bill.sure", "bill.sure.yes_no"),
        ("{% for b in bills %}{% if b.late %}x{% endif %}{% endfor %}", "b.late", "b.late.yes_no"),
        ("{% if n %}x{% endif %}", "n", "n.number"),
        ("{% if note %}{{ note }}{% endif %}", "note", "note.text"),
    ],
)
def test_the_truth_of_a_value_is_that_it_is_there(template: str, name: str, instead: str) -> None:
    (fault,) = warnings(template)
    assert (fault.code, fault.category, fault.suggestions) == ("method.template_invalid", "template_truth", (instead,))
    assert shown(fault, template) == name.partition(".")[0]
    assert fault.suggested_fix is not None
    (operation,) = fault.suggested_fix.ops
    fixed = str(operation["value"]).removeprefix(READS_ALL + "\n")
    assert instead in fixed
    assert warnings(fixed) == []


def test_a_no_is_there_and_zero_and_an_empty_text_are() -> None:
    library = compose("").library
    assert library is not None
    present = values(library) | {
        "flag": Stuff("native.YesNo", {"yes_no": False}),
        "n": Stuff("native.Number", {"number": 0}),
        "note": Stuff("native.Text", {"text": ""}),
    }
    asked = "{% if flag %}a{% endif %}{% if n %}b{% endif %}{% if note %}c{% endif %}"
    read = "{% if flag.yes_no %}a{% endif %}{% if n.number %}b{% endif %}{% if note.text %}c{% endif %}"
    assert render(asked, present, concepts=library).text == "abc"
    assert render(read, present, concepts=library).text == ""


@pytest.mark.parametrize(
    ("template", "column", "said", "fixed"),
    [
        ("v$n", 2, "it follows a letter or a digit", "v{{ n }}"),
        ("US$bill.total only", 3, "it follows a letter or a digit", "US{{ bill.total }} only"),
        ("$n (in euros)", 1, "the bracket or quote after it", "{{ n }} (in euros)"),
        ('$note "quoted"', 1, "the bracket or quote after it", '{{ note }} "quoted"'),
    ],
)
def test_a_sigil_that_is_text_is_told(template: str, column: int, said: str, fixed: str) -> None:
    (fault,) = warnings(template)
    assert (fault.code, fault.severity, fault.location.column) == ("method.template_invalid", "warning", column)
    assert said in fault.detail
    assert fault.suggested_fix is not None
    assert str(fault.suggested_fix.ops[0]["value"]).endswith("\n" + fixed)


@pytest.mark.parametrize(
    ("template", "said"),
    [("v$t", "'$t' after a letter"), ("a@t.example", "'@t' after a letter"), ("$t (x)", "'$t' before a bracket")],
)
def test_an_input_that_is_named_only_as_text_is_not_to_be_removed(template: str, said: str) -> None:
    text = f"""domain = "x"
[pipe.p]
type = "PipeLLM"
description = "x"
inputs = {{ t = "Text" }}
output = "Text"
prompt = "{template}"
"""
    (fault,) = load_library_files({"x.mthds": text}).verdict.errors
    assert (fault.code, fault.suggested_fix) == ("method.input_unused", None)
    assert said in fault.detail
    assert "remove" not in fault.detail


def condition(expression: str, outcomes: str) -> list[Fault]:
    pipe = f"""
[pipe.choose]
type = "PipeCondition"
description = "x"
inputs = {{ bill = "Bill", flag = "YesNo", n = "Number", maybe = "YesNo?", pick = "Choice" }}
output = "Text"
{expression}
outcomes = {{ {outcomes} }}
default_outcome = "tell"
[pipe.tell]
type = "PipeLLM"
description = "x"
inputs = {{ bill = "Bill", flag = "YesNo", n = "Number", maybe = "YesNo?", pick = "Choice" }}
output = "Text"
prompt = "$bill, $flag, $n, {{% if maybe %}}{{{{ maybe }}}}{{% endif %}} $pick"
"""
    verdict = compose("", pipe).verdict
    assert verdict.errors == ()
    return list(verdict.warnings)


@pytest.mark.parametrize(
    ("expression", "outcome", "near"),
    [
        ("expression = 'bill.kind'", "crd", "card"),
        ("expression = 'bill.kind'", "Cash", "cash"),
        ("expression = 'bill.kind|upper'", "cash", "CASH"),
        ("expression = 'flag'", "True", "yes"),
        ("expression = 'flag.yes_no'", "yes", "True"),
        ("expression = 'bill.paid'", "true", "True"),
        ("expression = 'n > 3'", "true", "True"),
        ("expression = \"'big' if n > 3 else 'small'\"", "bigg", "big"),
        ("expression = \"'x-' ~ bill.kind\"", "card", "x-card"),
        (
            "expression_template = '{% if n > 3 %}big{% elif n > 1 %}middle{% else %}small{% endif %}'",
            "midle",
            "middle",
        ),
        ("expression_template = ' {{ bill.kind }} '", "kash", "cash"),
        ("expression = \"maybe if maybe else 'none'\"", "Yes", "yes"),
        ("expression = 'bill.kind'", "nothing_like_it", None),
    ],
)
def test_an_outcome_that_nothing_chooses(expression: str, outcome: str, near: str | None) -> None:
    faults = [
        fault for fault in condition(expression, f"{outcome} = 'tell'") if fault.category == "outcome_unreachable"
    ]
    (fault,) = faults
    assert (fault.params["variable_path"], fault.suggestions) == (outcome, () if near is None else (near,))
    assert (fault.location.line, fault.location.field) == (faults[0].location.line, f"outcomes.{outcome}")


@pytest.mark.parametrize(
    ("expression", "outcomes"),
    [
        ("expression = 'bill.kind'", "cash = 'tell', card = 'tell'"),
        ("expression = 'bill.total'", "'3' = 'tell'"),
        ("expression = 'pick.choice'", "anything = 'tell'"),
        ("expression = 'flag'", "yes = 'tell', no = 'tell'"),
        ("expression = 'n > 3 and flag.yes_no'", "True = 'tell', False = 'tell'"),
        ("expression = \"bill.kind|replace('cash', 'coins')\"", "coins = 'tell'"),
        ("expression = \"bill.kind if n > 3 else 'none'\"", "none = 'tell', card = 'tell'"),
        ("expression_template = '{% for l in bill.lines %}{{ l.label }}{% endfor %}'", "x = 'tell'"),
        ("expression_template = '{% set x = bill.kind %}{{ x }}'", "x = 'tell'"),
        ("expression = 'bill.lines|length'", "'2' = 'tell'"),
    ],
)
def test_outcomes_that_may_come_are_left_alone(expression: str, outcomes: str) -> None:
    assert [fault.detail for fault in condition(expression, outcomes)] == []


JUDGED = """
[pipe.sort]
type = "PipeSequence"
description = "x"
inputs = { bill = "Bill" }
output = "Text"
steps = [
  { pipe = "judge", result = "verdict" },
  { from = "verdict.choice", result = "word" },
  { pipe = "choose" },
]
[pipe.judge]
type = "PipeJudge"
description = "x"
inputs = { bill = "Bill" }
output = "Choice"
prompt = "$bill"
question = "Which?"
options = { bug = "a fault", wish = "a wish" }
[pipe.choose]
type = "PipeCondition"
description = "x"
inputs = { verdict = "Choice", word = "Text", bill = "Bill" }
output = "Text"
expression = "EXPRESSION"
outcomes = { bug = "say", wsh = "say" }
default_outcome = "say"
[pipe.say]
type = "PipeLLM"
description = "x"
inputs = { bill = "Bill", verdict = "Choice", word = "Text" }
output = "Text"
prompt = "$bill, $verdict, $word"
"""


@pytest.mark.parametrize("expression", ["verdict.choice", "verdict", "word", "word.text|lower"])
def test_an_outcome_that_no_option_of_the_judge_chooses(expression: str) -> None:
    def found(text: str) -> list[str]:
        verdict = load_library_files({"shop.mthds": CONCEPTS + text}).verdict
        assert [fault.detail for fault in verdict.errors] == []
        return [f"{fault.params['variable_path']} {fault.suggestions}" for fault in verdict.warnings]

    text = JUDGED.replace("EXPRESSION", expression)
    expected = ["wsh ('wish',)"] if expression != "word.text|lower" else []
    assert found(text) == expected
    assert found(text.replace("wsh =", "wish =")) == []


def test_a_condition_that_others_may_run_is_left_alone() -> None:
    text = CONCEPTS.replace('domain = "shop"', 'domain = "shop"\nmain_pipe = "choose"') + JUDGED
    text = text.replace("EXPRESSION", "verdict.choice")
    assert load_library_files({"shop.mthds": text}).verdict.warnings == ()


@pytest.mark.parametrize(
    ("field", "said", "changes"),
    [
        ('type = "list", item_type = "Berth"', 'item_concept_ref = "Berth"', {"item_type": "concept"}),
        ('type = "list", item_type = "strng"', "did you mean 'text'?", {"item_type": "text"}),
        ('type = "list", item_type = "string"', "did you mean 'text'?", {"item_type": "text"}),
        ('type = "list", item_type = "Text"', "did you mean 'text'?", {"item_type": "text"}),
        ('type = "list", item_type = "zzz"', "write one of text, integer", {}),
        ('type = "dict", key_type = "text", value_type = "int"', "did you mean 'integer'?", {"value_type": "integer"}),
    ],
)
def test_a_type_that_names_nothing(field: str, said: str, changes: dict[str, str]) -> None:
    text = (
        f'domain = "x"\n[concept.A]\ndescription = "x"\n[concept.A.structure]\nf = {{ {field}, description = "x" }}\n'
    )
    verdict = load_library_files({"x.mthds": text}).verdict
    assert verdict.errors == ()
    (fault,) = verdict.warnings
    assert (fault.code, fault.location.line) == ("method.concept_invalid", 5)
    assert said in fault.detail
    operations: Any = fault.suggested_fix.ops if fault.suggested_fix is not None else ()
    written = {operation["key"]: operation["value"] for operation in operations}
    assert {key: written.get(key) for key in changes} == changes


@pytest.mark.parametrize(("name", "free"), [("copy", "copy_value"), ("schema", "schema_value"), ("_note", "note")])
def test_a_reserved_field_name_has_a_way_out(name: str, free: str) -> None:
    text = f'domain = "x"\n[concept.A]\ndescription = "x"\n[concept.A.structure]\n{name} = "x"\n'
    (fault,) = load_library_files({"x.mthds": text}).verdict.errors
    assert fault.suggestions == (free,)
    assert f"write '{free}'" in fault.detail


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        ("[pipe.a]\nx = 1\n[pipe.b]\n[pipe.a]\n", (4, 2), "table [pipe.a] is declared twice: the first is at line 1"),
        ("[pipe.a]\nx = 1\ny = 2\nx = 3\n", (4, 1), "key 'pipe.a.x' already has a value: the first is at line 2"),
        ("a = { b = 1 }\n[a]\n", (2, 2), "table [a] is declared twice: the first is at line 1"),
        ("[pipe.p]\ninputs = {\n  a = 'Text'\n}\n", (2, 10), "put it on one line, or write the table [pipe.p.inputs]"),
        ("[pipe.p]\ninputs = { a = 'Text',\n b = 'Text' }\n", (2, 10), "or write the table [pipe.p.inputs]"),
        ("[pipe.p]\nsteps = [\n { pipe = 'a',\n result = 'b' },\n]\n", (3, 2), "the table [[pipe.p.steps]]"),
        ("[pipe.p]\ninputs = { a = 'Text', }\n", (2, 22), "must not have a comma before its '}'"),
        ("[pipe.p]\ninputs = { a = 'Text'\n\n[pipe.q]\n", (2, 22), "not closed with '}'"),
    ],
)
def test_toml_that_is_none_says_what_to_write(text: str, place: tuple[int, int], said: str) -> None:
    (fault,) = load_library_files({"x.mthds": text}).verdict.errors
    assert (fault.code, fault.location.line, fault.location.column) == ("method.syntax", *place)
    assert said in fault.detail


@pytest.mark.parametrize(
    ("slot", "meant"),
    [
        ("str", "Text"),
        ("string[]", "Text[]"),
        ("int?", "Number?"),
        ("String", "Text"),
        ("Boolean", "YesNo"),
        ("text", "Text"),
    ],
)
def test_the_types_of_other_languages_are_understood(slot: str, meant: str) -> None:
    text = f'domain = "x"\n[pipe.p]\ndescription = "x"\ninputs = {{ a = "{slot}" }}\noutput = "Text"\n'
    (fault,) = load_library_files({"x.mthds": text}).verdict.errors
    assert fault.suggestions[0] == meant
    assert f"did you mean '{meant}'" in fault.detail


def test_what_a_file_beside_declares_is_told(tmp_path: Path) -> None:
    (tmp_path / "main.mthds").write_text(
        'domain = "main"\n[pipe.p]\ndescription = "x"\ninputs = { a = "git.GitDiff", b = "Own" }\noutput = "Text"\n'
        '[pipe.s]\ntype = "PipeSequence"\ndescription = "x"\noutput = "Text"\nsteps = [{ pipe = "git.read" }]\n'
    )
    (tmp_path / "git.mthds").write_text(
        'domain = "git"\n[concept]\nGitDiff = "x"\n[pipe.read]\ndescription = "x"\noutput = "Text"\n'
    )
    (tmp_path / "own.mthds").write_text('domain = "main"\n[concept]\nOwn = "x"\n')
    (tmp_path / "broken.mthds").write_text("domain = ")
    details = [fault.detail for fault in load_library([tmp_path / "main.mthds"]).verdict.errors]
    assert len(details) == 3
    for name, file in (("git.GitDiff", "git.mthds"), ("Own", "own.mthds"), ("git.read", "git.mthds")):
        assert any(
            f"'{name}' in this file: it is declared in '{file}' beside it; name the folder" in each for each in details
        )


def test_the_only_pipe_needs_no_naming() -> None:
    pipe = '[pipe.{}]\ntype = "PipeLLM"\ndescription = "x"\noutput = "Text"\nprompt = "Hi"\n'
    one = load_library_files({"x.mthds": 'domain = "x"\n' + pipe.format("a")})
    two = load_library_files({"x.mthds": 'domain = "x"\n' + pipe.format("a") + pipe.format("b")})
    assert (one.entry, one.pipe_ref(), two.entry) == ("x.a", "x.a", None)


@pytest.mark.parametrize(
    "template", ["{{ ns|sum(attribute='number') }}", "{{ ns|map(attribute='number')|sum }}", "{{ ns|sum }}"]
)
def test_numbers_of_a_list_are_added_by_their_member(template: str) -> None:
    library = compose("").library
    assert library is not None
    numbers = Stuff("native.Number", {"items": [{"number": 1}, {"number": 2.5}]}, is_list=True)
    assert render(template, {"ns": numbers}, concepts=library).text == "3.5"
