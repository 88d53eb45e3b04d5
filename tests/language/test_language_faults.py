"""Every fault one file can show: section 11 of the language reference, and what only the file's own tables tell."""

import pytest

from pipelex.errors import CORE_CODES, Fault
from pipelex.language import parse_bundle
from pipelex.language.blueprints import PipeSignatureBlueprint

HEAD = 'domain = "x"\n'


def errors(source: str) -> list[Fault]:
    return [fault for fault in parse_bundle(HEAD + source, path="x.mthds").faults if fault.severity == "error"]


def pipe(pipe_type: str, *lines: str, output: str = "Text") -> str:
    return "\n".join(["[pipe.p]", f'type = "{pipe_type}"', 'description = "d"', f'output = "{output}"', *lines, ""])


def field(entry: str, name: str = "f") -> str:
    return f'[concept.C]\ndescription = "d"\n[concept.C.structure]\n{name} = {entry}\n'


SCHEMA = ("method.schema_violation", "blueprint_validation")
IDENTIFIER = "method.identifier_invalid"
CONFLICT = "method.name_conflict"
BINDING = ("method.binding_step_invalid", "binding_step_invalid")
MARKER = ("method.optional_marker_invalid", "optional_marker_invalid")
TYPE = "method.pipe_type_invalid"
CONCEPT = ("method.concept_invalid", "blueprint_validation")
BATCH = ["branch_pipe_code = 'b'", "input_list_name = 'l'"]
CONDITION = ["expression = 'x'", "outcomes = { a = 'b' }", "default_outcome = 'fail'", "inputs = { x = 'Text' }"]

# snippet, (code, category), line (the header is line 1), words of the message
CASES: list[tuple[str, tuple[str, str | None], int, str]] = [
    ("foo = 1", SCHEMA, 2, "unknown key 'foo' in the bundle"),
    ("main_pip = 'a'", SCHEMA, 2, "did you mean 'main_pipe'?"),
    ("language_version = '1'", SCHEMA, 2, "METHODS.toml"),
    ("description = 3", SCHEMA, 2, "must be a string, not an integer"),
    ("main_pipe = 'nope'", ("method.pipe_unresolved", "unresolved_pipe_dependency"), 2, "not a pipe of this bundle"),
    ("main_pipe = 'a.b'", (IDENTIFIER, "invalid_pipe_code_syntax"), 2, "bare and snake_case"),
    ("concept = 1", SCHEMA, 2, "'concept' must be a table"),
    ("system_prompt = '{{ a'", ("method.template_invalid", "template_invalid"), 2, "template syntax"),
    # concepts
    ("[concept]\nmy_thing = 'd'", CONCEPT, 3, "did you mean 'MyThing'?"),
    ("[concept]\nText = 'd'", (CONFLICT, "native_concept_redeclaration"), 3, "native"),
    ("[concept.Image]\ndescription = 'd'", (CONFLICT, "native_concept_redeclaration"), 2, "native"),
    ("[concept]\nA = 1", SCHEMA, 3, "must be a string or a table"),
    ("[concept.A]\nrefines = 'Text'", SCHEMA, 2, "needs 'description'"),
    ("[concept.A]\ndescription = 'd'\nstruct = {}", SCHEMA, 4, "did you mean 'structure'?"),
    ("[concept.A]\ndescription = 'd'\nrefines = 'Text'\nstructure = { a = 'd' }", SCHEMA, 5, "cannot be used together"),
    ("[concept.A]\ndescription = 'd'\nrefines = 'text'", SCHEMA, 4, "did you mean 'Text'?"),
    ("[concept.A]\ndescription = 'd'\nrefines = 'Text?'", SCHEMA, 4, "no brackets"),
    (field("{ type = 'text', description = 'd' }", "_f"), CONCEPT, 5, "reserved"),
    (field("'d'", "model_dump"), CONCEPT, 5, "reserved"),
    (field("'d'", '"a b"'), CONCEPT, 5, "not an identifier"),
    (field("{ type = 'text' }"), SCHEMA, 5, "needs 'description'"),
    (field("{ description = 'd' }"), SCHEMA, 5, "needs 'type'"),
    (field("{ type = 'texte', description = 'd' }"), SCHEMA, 5, "did you mean 'text'"),
    (field("{ type = 'Invoice', description = 'd' }"), SCHEMA, 5, 'concept_ref = "Invoice"'),
    (field("{ type = 'text', description = 'd', minimum = 3 }"), SCHEMA, 5, "unknown key 'minimum'"),
    (field("{ type = 'text', description = 'd', required = 'yes' }"), SCHEMA, 5, "must be a boolean"),
    (field("{ type = 'text', description = 'd', required = true, default_value = 'a' }"), SCHEMA, 5, "never required"),
    (field("{ type = 'integer', description = 'd', default_value = 'a' }"), SCHEMA, 5, "does not match type 'integer'"),
    (field("{ type = 'number', description = 'd', default_value = true }"), SCHEMA, 5, "does not match"),
    (field("{ choices = ['a'], description = 'd', default_value = 'b' }"), SCHEMA, 5, "not among the choices"),
    (field("{ choices = [], description = 'd' }"), SCHEMA, 5, "at least one word"),
    (field("{ choices = ['a'], type = 'integer', description = 'd' }"), SCHEMA, 5, "text enumeration"),
    (field("{ type = 'dict', description = 'd' }"), SCHEMA, 5, "'key_type' and 'value_type'"),
    (field("{ type = 'concept', description = 'd' }"), SCHEMA, 5, "'concept_ref' is required"),
    (field("{ type = 'text', concept_ref = 'A', description = 'd' }"), SCHEMA, 5, "and only there"),
    (field("{ type = 'list', item_type = 'concept', description = 'd' }"), SCHEMA, 5, "'item_concept_ref'"),
    (field("{ type = 'concept', concept_ref = 'A[]', description = 'd' }"), SCHEMA, 5, "did you mean 'A'?"),
    (field("3"), SCHEMA, 5, "must be a string or a table, not an integer"),
    # names and types of pipes
    (
        "[pipe.MyPipe]\ntype = 'PipeLLM'\ndescription = 'd'\noutput = 'Text'\nprompt = 'x'",
        (IDENTIFIER, "invalid_pipe_code_syntax"),
        2,
        "did you mean 'my_pipe'?",
    ),
    (pipe("PipeLLM", "prompt = '$Big'", "inputs = { Big = 'Text' }"), (IDENTIFIER, "invalid_input_name"), 7, "'big'"),
    (
        pipe("PipeSequence", "steps = [{ pipe = 'a', result = '_bound_x' }]"),
        (IDENTIFIER, "invalid_input_name"),
        6,
        "'_bound_x'",
    ),
    (pipe("PipeSequence", "steps = [{ pipe = 'a', result = 'R' }]"), (IDENTIFIER, "invalid_input_name"), 6, "'R'"),
    ("[pipe.p]\ntype = 'PipeLMM'", (TYPE, "unknown_pipe_type"), 3, "did you mean 'PipeLLM'?"),
    ("[pipe.p]\ntype = 3", (TYPE, "unknown_pipe_type"), 3, "unknown type"),
    ("[pipe.p]\ntype = 'PipeSignature'", (TYPE, "unknown_pipe_type"), 3, "has no 'type' at all"),
    ("[pipe.p]\nprompt = 'x'", (TYPE, "missing_pipe_type"), 2, "no 'type'"),
    ("[pipe.p]\ndescription = 'd'", SCHEMA, 2, "needs 'output'"),
    ("[pipe.p]\ndescription = 'd'\noutput = 'Text'\nsignature_for = 'PipeX'", SCHEMA, 5, "must be one of"),
    ("[pipe.p]\ndescription = 'd'\noutput = 'Text'\nsignature_for = 'PipeLLM'\nprompt = 'x'", SCHEMA, 6, "unknown key"),
    ("[pipe]\np = 3", SCHEMA, 3, "must be a table"),
    # keys and slots
    (pipe("PipeLLM", "prompt = 'x'", "foo = 1"), SCHEMA, 7, "unknown key 'foo' in pipe 'p'"),
    (pipe("PipeLLM", "promt = 'x'"), SCHEMA, 6, "did you mean 'prompt'?"),
    ("[pipe.p]\ntype = 'PipeLLM'\noutput = 'Text'\nprompt = 'x'", SCHEMA, 2, "needs 'description'"),
    (pipe("PipeLLM", "prompt = 3"), SCHEMA, 6, "must be a string, not an integer"),
    (pipe("PipeLLM", "prompt = 'x'", "model = 3"), SCHEMA, 7, "must be a string or a table"),
    (pipe("PipeLLM", "prompt = 'x'", "model = { model = 'm' }"), SCHEMA, 7, "needs 'temperature'"),
    (pipe("PipeLLM", "prompt = 'x'", "model = { model = 'm', temperature = 3 }"), SCHEMA, 7, "must be 1 or less"),
    (pipe("PipeLLM", "prompt = 'x'", "structuring_method = 'dirct'"), SCHEMA, 7, "did you mean 'direct'?"),
    (pipe("PipeLLM", "prompt = 'x'", output="Text[0]"), SCHEMA, 5, "must be 1 or more"),
    (pipe("PipeLLM", "prompt = 'x'", output="text"), SCHEMA, 5, "PascalCase"),
    (pipe("PipeLLM", "prompt = 'x'", output="Text[]?"), MARKER, 5, "never combines"),
    (pipe("PipeLLM", "prompt = 'x'", output="Text!"), MARKER, 5, "'!' is for inputs"),
    (pipe("PipeLLM", "prompt = '$a'", "inputs = { a = 'Text[]!' }"), MARKER, 7, "never combines"),
    (
        pipe("PipeLLM", "prompt = '$a'", "inputs = { a = { concept = 'Text', foo = 1 } }"),
        SCHEMA,
        7,
        "unknown key 'foo'",
    ),
    (pipe("PipeLLM", "prompt = '$a'", "inputs = { a = 3 }"), SCHEMA, 7, "must be a string or a table"),
    # templates
    (
        pipe("PipeLLM", 'prompt = """', "Hello", "$a", '"""'),
        ("method.input_undeclared", "missing_input_variable"),
        8,
        "'a'",
    ),
    (
        pipe("PipeLLM", "prompt = '$noet'", "inputs = { note = 'Text' }"),
        ("method.input_undeclared", "missing_input_variable"),
        6,
        "did you mean 'note'?",
    ),
    (
        pipe("PipeLLM", "prompt = 'x'", "inputs = {", "a = 'Text' }".replace("\n", "")).replace("{\na", "{ a"),
        ("method.input_unused", "extraneous_input_variable"),
        7,
        "never read",
    ),
    (pipe("PipeLLM", 'prompt = """', "", "say @a now", '"""', "inputs = { a = 'Text' }"), SCHEMA, 8, "write '$a'"),
    (
        pipe("PipeLLM", "prompt = '$a'", "inputs = { a = 'Text?' }"),
        ("method.optional_unhandled", "optional_input_unguarded"),
        6,
        "may be absent",
    ),
    (
        pipe("PipeLLM", "prompt = '{{ a|uper }}'", "inputs = { a = 'Text' }"),
        ("method.template_invalid", "template_invalid"),
        6,
        "did you mean 'upper'",
    ),
    (
        pipe("PipeLLM", "prompt = '{% if a %}'", "inputs = { a = 'Text' }"),
        ("method.template_invalid", "template_invalid"),
        6,
        "template syntax",
    ),
    (
        pipe("PipeLLM", "prompt = '{{ a._x }}'", "inputs = { a = 'Text' }"),
        ("method.template_private_name", "template_private_name"),
        6,
        "'_x'",
    ),
    (
        pipe("PipeLLM", "prompt = \"{% include 'x' %}\""),
        ("security.template_refused", "template_refused"),
        6,
        "include",
    ),
    (
        pipe("PipeCondition", *CONDITION[1:3], "expression = 'x.y'", "inputs = { z = 'Text' }"),
        ("method.input_undeclared", "missing_input_variable"),
        8,
        "'x'",
    ),
    (
        pipe("PipeCondition", *CONDITION[:3], "inputs = { x = 'Text?' }"),
        ("method.optional_unhandled", "optional_input_unguarded"),
        6,
        "may be absent",
    ),
    (
        pipe("PipeCondition", *CONDITION[1:], "expression = 'x|tag'"),
        ("method.template_invalid", "template_invalid"),
        9,
        "tag",
    ),
    (
        pipe("PipeCompose", "construct = { t = { from = 'a.b' } }"),
        ("method.input_undeclared", "missing_input_variable"),
        6,
        "'a'",
    ),
    (
        pipe("PipeCompose", "construct = { t = { u = { template = '$a' } } }"),
        ("method.input_undeclared", "missing_input_variable"),
        6,
        "'a'",
    ),
    # operators
    (pipe("PipeLLM", "inputs = { a = 'Text' }"), SCHEMA, 2, "needs a 'prompt'"),
    (pipe("PipeStructure", output="Foo"), SCHEMA, 2, "exactly one input"),
    (pipe("PipeExtract", "inputs = { a = 'Document', b = 'Image' }", output="Page[]"), SCHEMA, 6, "exactly one input"),
    (pipe("PipeExtract", "inputs = { a = 'Document' }", output="Page"), SCHEMA, 5, "'Page[]'"),
    (
        pipe("PipeExtract", "inputs = { a = 'Document' }", "max_page_images = -1", output="Page[]"),
        SCHEMA,
        7,
        "0 or more",
    ),
    (pipe("PipeImgGen", output="Image"), SCHEMA, 2, "needs 'prompt'"),
    (pipe("PipeImgGen", "prompt = 'x'", "size = '3k'", output="Image"), SCHEMA, 7, "not a size"),
    (pipe("PipeImgGen", "prompt = 'x'", "seed = 'x'", output="Image"), SCHEMA, 7, "an integer or 'auto'"),
    (pipe("PipeImgGen", "prompt = 'x'", "aspect_ratio = 'squar'", output="Image"), SCHEMA, 7, "did you mean 'square'?"),
    (pipe("PipeSearch", "prompt = 'x'", "from_date = '1/2/2024'", output="SearchResult"), SCHEMA, 7, "YYYY-MM-DD"),
    (pipe("PipeJudge", "prompt = 'x'", output="YesNo"), SCHEMA, 2, "exactly one of 'question' and 'questions'"),
    (
        pipe("PipeJudge", "prompt = 'x'", "question = 'q'", "options = { a = '' }", output="Choice"),
        SCHEMA,
        8,
        "at least two",
    ),
    (
        pipe("PipeJudge", "prompt = 'x'", "question = 'q'", "levels = ['a', { label = 'b' }]", output="Rating"),
        SCHEMA,
        8,
        "every level",
    ),
    (pipe("PipeJudge", "prompt = 'x'", "question = 'q'", "threshold = 1", output="YesNo"), SCHEMA, 8, "less than 1"),
    (pipe("PipeJudge", "prompt = 'x'", "question = 'q'", output="YesNo[]"), SCHEMA, 5, "no brackets"),
    (pipe("PipeCompose"), SCHEMA, 2, "exactly one of 'template' and 'construct'"),
    (pipe("PipeCompose", "template = 'x'", output="Text[]"), SCHEMA, 5, "remove the brackets"),
    (pipe("PipeCompose", "construct = {}"), SCHEMA, 6, "at least one field"),
    (pipe("PipeCompose", "construct = { a = { template = 'x', b = 1 } }"), SCHEMA, 6, "stands alone"),
    (pipe("PipeCompose", "template = { template = 'x' }"), SCHEMA, 6, "needs 'category'"),
    (pipe("PipeFunc", "function_name = 'flat'"), SCHEMA, 6, "import path"),
    (pipe("PipeDocGen", "format = 'pdff'", output="Document"), SCHEMA, 6, "did you mean 'pdf'?"),
    (pipe("PipeDocGen", "format = 'pptx'", output="Document"), SCHEMA, 6, "template_file"),
    # controllers
    (pipe("PipeSequence", "steps = []"), SCHEMA, 6, "at least one entry"),
    (
        pipe("PipeSequence", "steps = [", "{ pipe = 'a' },", "{ pipe = 'b', from = 'c', result = 'd' }]"),
        BINDING,
        8,
        "not both",
    ),
    (pipe("PipeSequence", "steps = [{ from = 'a.b' }]"), BINDING, 6, "needs 'result'"),
    (pipe("PipeSequence", "steps = [{ from = 'a[0]', result = 'r' }]"), BINDING, 6, "dotted path"),
    (pipe("PipeSequence", "steps = [{ from = 'a', result = 'R' }]"), BINDING, 6, "lower-case"),
    (pipe("PipeSequence", "steps = [{ from = 'a', result = 'r', x = 1 }]"), BINDING, 6, "unknown key 'x'"),
    (pipe("PipeSequence", "steps = [{}]"), SCHEMA, 6, "needs 'pipe', or 'from'"),
    (pipe("PipeSequence", "steps = [{ pipe = 'a', reslt = 'b' }]"), SCHEMA, 6, "did you mean 'result'?"),
    (pipe("PipeSequence", "steps = [{ pipe = 'a', batch_over = 'b' }]"), SCHEMA, 6, "must be set together"),
    (
        pipe("PipeSequence", "steps = [{ pipe = 'a', batch_over = 'b', batch_as = 'b' }]"),
        (CONFLICT, "batch_item_name_collision"),
        6,
        "must differ",
    ),
    (pipe("PipeParallel", "branches = [{ pipe = 'a' }]", output="Composite"), SCHEMA, 6, "needs a 'result'"),
    (
        pipe(
            "PipeParallel",
            "branches = [{ pipe = 'a', result = 'r' }, { pipe = 'b', result = 'r' }]",
            output="Composite",
        ),
        SCHEMA,
        6,
        "different 'result'",
    ),
    (pipe("PipeParallel", "branches = [{ from = 'a', result = 'r' }]", output="Composite"), BINDING, 6, "PipeSequence"),
    (
        pipe("PipeParallel", "branches = [{ pipe = 'a', result = 'r' }]", output="Text[]"),
        SCHEMA,
        5,
        "remove the brackets",
    ),
    (pipe("PipeCondition", CONDITION[0], CONDITION[1], CONDITION[3]), SCHEMA, 2, "needs 'default_outcome'"),
    (pipe("PipeCondition", *CONDITION, "expression_template = '{{ x }}'"), SCHEMA, 10, "exactly one of"),
    (pipe("PipeCondition", CONDITION[0], "outcomes = {}", *CONDITION[2:]), SCHEMA, 7, "at least one entry"),
    (
        pipe("PipeBatch", *BATCH, "input_item_name = 'l'", "inputs = { l = 'Text[]' }", output="Text[]"),
        (CONFLICT, "batch_item_name_collision"),
        8,
        "must differ",
    ),
    (
        pipe("PipeBatch", *BATCH, "input_item_name = 'o'", "inputs = { l = 'Text[]', o = 'Text' }", output="Text[]"),
        (CONFLICT, "batch_item_name_collision"),
        8,
        "must differ",
    ),
    (
        pipe("PipeBatch", *BATCH, "input_item_name = 'i'", "inputs = { l = 'Text' }", output="Text[]"),
        SCHEMA,
        7,
        "must be a list",
    ),
]


@pytest.mark.parametrize(
    ("source", "kind", "line", "words"), CASES, ids=[f"{index}-{case[3]}" for index, case in enumerate(CASES)]
)
def test_one_fault(source: str, kind: tuple[str, str | None], line: int, words: str) -> None:
    (fault,) = errors(source)
    assert (fault.code, fault.category) == kind
    assert words in fault.detail
    assert fault.location.line == line
    assert fault.location.file == "x.mthds"
    assert "Input should" not in fault.detail
    facts = CORE_CODES[fault.code]
    assert fault.params.keys() <= set(facts.params)


@pytest.mark.parametrize(
    ("domain", "kind", "words"),
    [
        ("Harbour", SCHEMA, "did you mean 'harbour'?"),
        ("a..b", SCHEMA, "snake_case"),
        ("", SCHEMA, "snake_case"),
        ("native", (CONFLICT, "reserved_domain"), "reserved"),
        ("mthds.x", (CONFLICT, "reserved_domain"), "reserved"),
        ("pipelex.x", (CONFLICT, "reserved_domain"), "reserved"),
    ],
)
def test_domains(domain: str, kind: tuple[str, str], words: str) -> None:
    bundle = parse_bundle(f'domain = "{domain}"')
    (fault,) = bundle.faults
    assert (fault.code, fault.category) == kind
    assert words in fault.detail
    assert bundle.blueprint is None


def test_a_bundle_needs_a_domain() -> None:
    (fault,) = parse_bundle("").faults
    assert (fault.code, fault.category) == SCHEMA
    assert fault.location.line == 1


def test_a_bundle_with_a_domain_only_is_valid() -> None:
    assert parse_bundle(HEAD).faults == ()


def test_signatures_are_valid() -> None:
    bundle = parse_bundle(HEAD + "[pipe.p]\ndescription = 'd'\noutput = 'Text'\nsignature_for = 'PipeLLM'")
    assert bundle.faults == ()
    assert bundle.blueprint is not None
    signature = bundle.blueprint.pipes["p"]
    assert isinstance(signature, PipeSignatureBlueprint)
    assert signature.signature_for == "PipeLLM"


@pytest.mark.parametrize(
    ("hints", "reason", "hint"),
    [
        ("{ tone = 'x' }", "unknown_key", "tone"),
        ("{ intent = 'prosa' }", "unknown_intent", "prosa"),
        ("{ intent = 'rating' }", "inapplicable_intent", "rating"),
    ],
)
def test_hints_are_warnings(hints: str, reason: str, hint: str) -> None:
    for source in (
        f"[concept.C]\ndescription = 'd'\nhints = {hints}",
        field(f"{{ type = 'text', description = 'd', hints = {hints} }}"),
        pipe("PipeLLM", "prompt = '$a'", f"inputs = {{ a = {{ concept = 'Text', hints = {hints} }} }}"),
    ):
        bundle = parse_bundle(HEAD + source)
        (fault,) = bundle.faults
        assert (fault.code, fault.severity) == ("method.hint_invalid", "warning")
        assert fault.params == {"reason": reason, "hint": hint}
        assert not bundle.has_errors
        assert bundle.broken_pipes | bundle.broken_concepts == frozenset()


def test_a_hint_that_is_no_string_is_an_error() -> None:
    (fault,) = errors(field("{ type = 'text', description = 'd', hints = { intent = 3 } }"))
    assert (fault.code, fault.category) == SCHEMA


def test_one_broken_table_does_not_hide_the_others() -> None:
    source = pipe("PipeLLM", "promt = 'x'") + pipe("PipeLLM", "prompt = 'x'").replace("pipe.p", "pipe.q")
    bundle = parse_bundle(HEAD + "[concept]\nGood = 'd'\nbad = 'd'\n" + source)
    assert bundle.blueprint is not None
    assert list(bundle.blueprint.pipes) == ["q"]
    assert list(bundle.blueprint.concepts) == ["Good"]
    assert bundle.broken_pipes == {"p"}
    assert bundle.broken_concepts == {"bad"}


def test_every_fault_of_one_pipe_is_collected_in_file_order() -> None:
    found = errors(
        "[pipe.p]\ntype = 'PipeBatch'\nfoo = 1\noutput = 'Text[]'\ndescription = 3\n"
        "branch_pipe_code = 'b'\ninput_list_name = 'l'\ninput_item_name = 'i'\ninputs = { l = 'Text[0]', B = 'Text' }"
    )
    assert [(fault.location.line, fault.code) for fault in found] == [
        (4, "method.schema_violation"),
        (6, "method.schema_violation"),
        (10, "method.schema_violation"),
        (10, "method.identifier_invalid"),
    ]


def test_rules_of_the_model_are_checked_beside_an_unknown_key() -> None:
    found = errors(pipe("PipeExtract", "foo = 1", "inputs = { a = 'Document' }", output="Page"))
    assert [fault.location.line for fault in found] == [5, 6]


def test_a_pipe_whose_template_is_wrong_keeps_its_blueprint() -> None:
    bundle = parse_bundle(HEAD + pipe("PipeLLM", "prompt = '$a'"))
    assert bundle.blueprint is not None
    assert "p" in bundle.blueprint.pipes
    assert bundle.has_errors
    assert bundle.broken_pipes == frozenset()


def test_template_faults_point_at_the_character() -> None:
    (fault,) = errors(pipe("PipeLLM", 'prompt = """', "one \\", "  é\\u00e9 $a.", '"""'))
    assert (fault.location.line, fault.location.column) == (8, 11)


def test_the_fix_of_an_unguarded_optional_guards_the_sigil() -> None:
    (fault,) = errors(pipe("PipeLLM", 'prompt = """', "@note", '"""', "inputs = { note = 'Text?' }"))
    assert fault.suggested_fix is not None
    assert fault.suggested_fix.file == "x.mthds"
    (operation,) = fault.suggested_fix.ops
    assert operation == {"op": "set_key", "table": ["pipe", "p"], "key": "prompt", "value": "@?note\n"}


def test_braces_in_a_message_are_shown_once() -> None:
    (fault,) = errors(pipe("PipeLLM", "prompt = 'x'", output="{x}"))
    assert "'{x}'" in fault.detail


def test_extra_context_and_metadata_are_no_inputs() -> None:
    source = pipe(
        "PipeCompose",
        "inputs = { a = 'Text' }",
        "template = { template = '$x $a {{ a._stuff_name }}', category = 'html', extra_context = { x = 1 } }",
    )
    assert errors(source) == []


def test_a_message_shows_what_is_written_as_it_is() -> None:
    (fault,) = errors(pipe("PipeImgGen", "prompt = 'x'", "size = '{keys} {message}'", output="Image"))
    assert "'{keys} {message}' is not a size" in fault.detail


@pytest.mark.parametrize("is_reversed", [False, True])
def test_a_rule_points_at_the_first_of_its_keys_that_is_written(is_reversed: bool) -> None:
    both = ["expression = 'x'", "expression_template = '{{ x }}'"]
    lines = [*(reversed(both) if is_reversed else both), *CONDITION[1:]]
    (fault,) = errors(pipe("PipeCondition", *lines) + pipe("PipeLLM", "prompt = 'x'").replace("pipe.p", "pipe.b"))
    assert fault.params["field_path"] == "pipe.p.expression_template", "the rule's own order counts, not the file's"
