"""Older forms of public files (section 13 of the language reference): refused with the form of today."""

from typing import Any

import pytest

from pipelex.language import parse_bundle

HEAD = 'domain = "x"\n'
PIPE = "[pipe.p]\ndescription = 'd'\noutput = 'Text'\n"


def rename(key: str, new_key: str, *table: str) -> dict[str, Any]:
    return {"op": "rename_table_key", "table": list(table or ("pipe", "p")), "key": key, "new_key": new_key}


CASES: list[tuple[str, int, str, list[dict[str, Any]] | None]] = [
    ("definition = 'd'", 2, "write 'description'", [{**rename("definition", "description"), "table": []}]),
    ("[concept.A]\ndefinition = 'd'", 3, "write 'description'", [rename("definition", "description", "concept", "A")]),
    (
        "[pipe.p]\ntype = 'PipeLLM'\noutput = 'Text'\nprompt = 'x'\ndefinition = 'd'",
        6,
        "write 'description'",
        [rename("definition", "description")],
    ),
    ("[concept.A]\ndescription = 'd'\nrefines = ['B', 'C']", 4, "refines one other", None),
    (
        "[concept.A]\ndescription = 'd'\nrefines = ['B']",
        4,
        "refines one other",
        [{"op": "set_key", "table": ["concept", "A"], "key": "refines", "value": "B"}],
    ),
    (
        PIPE + "type = 'PipeOcr'",
        5,
        "write 'PipeExtract'",
        [{"op": "set_key", "table": ["pipe", "p"], "key": "type", "value": "PipeExtract"}],
    ),
    (
        PIPE + "type = 'PipeJinja2'\njinja2 = 'x'",
        5,
        "write 'PipeCompose'",
        [{"op": "set_key", "table": ["pipe", "p"], "key": "type", "value": "PipeCompose"}],
    ),
    (PIPE + "type = 'PipeLLM'\nprompt_template = 'x'", 6, "write 'prompt'", [rename("prompt_template", "prompt")]),
    (
        PIPE + "type = 'PipeLLM'\nprompt = 'x'\nsystem_prompt_template = 'x'",
        7,
        "write 'system_prompt'",
        [rename("system_prompt_template", "system_prompt")],
    ),
    (PIPE + "type = 'PipeLLM'\nprompt = 'x'\nllm = 'm'", 7, "write 'model'", [rename("llm", "model")]),
    (
        PIPE + "type = 'PipeLLM'\nprompt = 'x'\nllm_to_structure = 'm'",
        7,
        "write 'model_to_structure'",
        [rename("llm_to_structure", "model_to_structure")],
    ),
    (
        PIPE + "type = 'PipeLLM'\nprompt = 'x'\nnb_output = 3",
        7,
        'output = "Text[3]"',
        [
            {"op": "delete_key", "table": ["pipe", "p"], "key": "nb_output"},
            {"op": "set_key", "table": ["pipe", "p"], "key": "output", "value": "Text[3]"},
        ],
    ),
    (
        PIPE + "type = 'PipeLLM'\nprompt = 'x'\nmultiple_output = true",
        7,
        'output = "Text[]"',
        [
            {"op": "delete_key", "table": ["pipe", "p"], "key": "multiple_output"},
            {"op": "set_key", "table": ["pipe", "p"], "key": "output", "value": "Text[]"},
        ],
    ),
    (PIPE + "type = 'PipeLLM'\nprompt = 'x'\nimages = ['a']", 7, "read the image in the prompt", None),
    (PIPE + "type = 'PipeLLM'\nprompt = 'x'\ninput = 'Text'", 7, "inputs = {", None),
    (
        PIPE + "type = 'PipeLLM'\nprompt = '$page.view'\ninputs = { \"page.view\" = 'Image', page = 'Page' }",
        7,
        "declare 'page' with its own concept",
        None,
    ),
    (
        PIPE.replace("Text", "Image") + "type = 'PipeImgGen'\nprompt = 'x'\nimg_gen = 'm'",
        7,
        "write 'model'",
        [rename("img_gen", "model")],
    ),
    (PIPE.replace("Text", "Image") + "type = 'PipeImgGen'\nprompt = 'x'\nnb_steps = 8", 7, "model's table", None),
    (
        PIPE.replace("Text", "Image") + "type = 'PipeImgGen'\nprompt = 'x'\nnb_output = 2",
        7,
        "Image[2]",
        [
            {"op": "delete_key", "table": ["pipe", "p"], "key": "nb_output"},
            {"op": "set_key", "table": ["pipe", "p"], "key": "output", "value": "Image[2]"},
        ],
    ),
    (
        PIPE.replace("Text", "Page[]") + "type = 'PipeExtract'\ninputs = { a = 'Document' }\nocr_model = 'm'",
        7,
        "write 'model'",
        [rename("ocr_model", "model")],
    ),
    (
        PIPE.replace("Text", "Page[]") + "type = 'PipeExtract'\ninputs = { a = 'Document' }\npage_images = true",
        7,
        "max_page_images",
        None,
    ),
    (
        PIPE.replace("Text", "Composite") + "type = 'PipeParallel'\nparallels = [{ pipe = 'a', result = 'r' }]",
        6,
        "write 'branches'",
        [rename("parallels", "branches")],
    ),
    (
        PIPE.replace("Text", "Composite")
        + "type = 'PipeParallel'\nbranches = [{ pipe = 'a', result = 'r' }]\ncombined_output = 'X'",
        7,
        "in 'output'",
        None,
    ),
    (
        PIPE + "type = 'PipeCondition'\nexpression = '1'\ndefault_outcome = 'fail'\npipe_map = { a = 'b' }",
        8,
        "write 'outcomes'",
        [rename("pipe_map", "outcomes")],
    ),
    (
        PIPE + "type = 'PipeCondition'\nexpression = '1'\ndefault_pipe_code = 'b'\noutcomes = { a = 'b' }",
        7,
        "write 'default_outcome'",
        [rename("default_pipe_code", "default_outcome")],
    ),
    (
        PIPE + "type = 'PipeCondition'\nexpression_jinja2 = '1'\ndefault_outcome = 'b'\noutcomes = { a = 'b' }",
        6,
        "write 'expression_template'",
        [rename("expression_jinja2", "expression_template")],
    ),
    (
        PIPE + "type = 'PipeCompose'\ntemplate = 'x'\ntemplate_category = 'html'",
        7,
        "template = {",
        [
            {"op": "delete_key", "table": ["pipe", "p"], "key": "template_category"},
            {
                "op": "set_key",
                "table": ["pipe", "p"],
                "key": "template",
                "value": {"template": "x", "category": "html"},
            },
        ],
    ),
    (PIPE + "type = 'PipeCompose'\ntemplate = 'x'\ntarget_format = 'html'", 7, "template = {", None),
    (PIPE + "type = 'PipeCompose'\njinja2 = 'x'", 6, "write 'template'", [rename("jinja2", "template")]),
    (
        PIPE.replace("Text", "Page") + "type = 'PipeExtract'\ninputs = { a = 'Document' }",
        4,
        "'Page[]'",
        [{"op": "set_key", "table": ["pipe", "p"], "key": "output", "value": "Page[]"}],
    ),
    (PIPE + "type = 'PipeFunc'\nfunction_name = 'flat'", 6, "at least one dot", None),
    (
        PIPE + "type = 'PipeLLM'\nprompt = 'x'\nmodel = { llm_handle = 'm', temperature = 1 }",
        7,
        "write 'model'",
        [rename("llm_handle", "model", "pipe", "p", "model")],
    ),
    (
        PIPE + "type = 'PipeLLM'\nprompt = 'x'\nmodel = { model = 'm', temperature = 1, prompting_target = 'x' }",
        7,
        "remove it",
        [{"op": "delete_key", "table": ["pipe", "p", "model"], "key": "prompting_target"}],
    ),
    (
        PIPE + "type = 'PipeLLM'\nprompt = 'Say @a now'\ninputs = { a = 'Text' }",
        6,
        "write '$a'",
        [{"op": "set_key", "table": ["pipe", "p"], "key": "prompt", "value": "Say $a now"}],
    ),
]


@pytest.mark.parametrize(("source", "line", "words", "ops"), CASES, ids=[case[2] for case in CASES])
def test_old_forms_say_the_new_one(source: str, line: int, words: str, ops: list[dict[str, Any]] | None) -> None:
    (fault,) = parse_bundle(HEAD + source).faults
    assert words in fault.detail
    assert fault.location.line == line
    assert (None if fault.suggested_fix is None else list(fault.suggested_fix.ops)) == ops


def test_forms_that_are_still_accepted() -> None:
    source = """
[concept.A]
description = "d"
structure = "PyClass"

[concept.B]
description = "d"
[concept.B.structure]
kind = { type = "text", choices = ["a"], description = "d" }

[pipe.p]
type = "PipeParallel"
description = "d"
output = "Composite"
add_each_output = true
branches = [{ pipe = "q", result = "r" }]
"""
    assert parse_bundle(HEAD + source).faults == ()


def test_templates_of_older_keys_are_checked_where_they_stand() -> None:
    faults = parse_bundle(HEAD + PIPE + "type = 'PipeLLM'\nprompt_template = 'x $a'").faults
    assert [(fault.code, fault.location.line, fault.location.column) for fault in faults] == [
        ("method.schema_violation", 6, 1),
        ("method.input_undeclared", 6, 22),
    ]
