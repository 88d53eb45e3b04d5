"""Every older form of public files (section 13 of the language reference): old text, new text, valid afterwards."""

from collections.abc import Sequence

import pytest

from pipelex.errors import Fault
from pipelex.library import ModelUse
from pipelex.tooling.fix import FixOptions, fix_bundle, functions_of_sources

HEAD = 'domain = "x"  # the domain\n\n'
"""What stands before each case."""


def llm(code: str, *, output: str = "Text", inputs: str = "") -> str:
    declared = f"inputs = {{ {inputs} }}\n" if inputs else ""
    prompt = " ".join(f"${part.split(' =')[0].strip()}" for part in inputs.split(",") if part)
    return f'\n[pipe.{code}]\ntype = "PipeLLM"\ndescription = "d"\n{declared}output = "{output}"\nprompt = "Say {prompt}"\n'


def pipe(type_name: str, rest: str, *, output: str = "Text") -> str:
    return f'# why it is here\n[pipe.p]\ntype = "{type_name}"\ndescription = "d"\noutput = "{output}"  # out\n{rest}'


IMAGE = 'inputs = { picture = "Image" }\n'

CASES: dict[str, tuple[str, str, Sequence[str]]] = {
    "definition of the header": (
        'definition = "d"  # about\n',
        'description = "d"  # about\n',
        ["rename-key"],
    ),
    "definition of a concept": (
        '[concept.A]  # a\ndefinition = "d"\n',
        '[concept.A]  # a\ndescription = "d"\n',
        ["rename-key"],
    ),
    "definition of a field": (
        '[concept.A]\ndescription = "d"\n[concept.A.structure]\nn = { type = "text", definition = "name" }  # n\n',
        '[concept.A]\ndescription = "d"\n[concept.A.structure]\nn = { type = "text", description = "name" }  # n\n',
        ["rename-key"],
    ),
    "definition of a pipe, aligned": (
        '[pipe.p]\ntype       = "PipeLLM"\ndefinition = "d"  # what\noutput     = "Text"\nprompt     = "x"\n',
        '[pipe.p]\ntype       = "PipeLLM"\ndescription = "d"  # what\noutput     = "Text"\nprompt     = "x"\n',
        ["rename-key"],
    ),
    "concept without description": (
        '[concept.TillReceipt]\nrefines = "Text"\n',
        '[concept.TillReceipt]\ndescription = "Till receipt"\nrefines = "Text"\n',
        ["add-description"],
    ),
    "pipe without description": (
        '[pipe.plan_day]\ntype = "PipeLLM"\noutput = "Text"\nprompt = "x"\n',
        '[pipe.plan_day]\ntype = "PipeLLM"\ndescription = "Plan day"\noutput = "Text"\nprompt = "x"\n',
        ["add-description"],
    ),
    "field without description": (
        '[concept.A]\ndescription = "d"\n[concept.A.structure]\nunit_price = { type = "number" }\n',
        '[concept.A]\ndescription = "d"\n[concept.A.structure]\n'
        'unit_price = { type = "number", description = "Unit price" }\n',
        ["add-description"],
    ),
    "refines a list": (
        '[concept.A]\ndescription = "d"\nrefines = ["Text", "Image"]  # both\n',
        '[concept.A]\ndescription = "d"\nrefines = "Text"  # both\n',
        ["single-refines"],
    ),
    "type as a key": (
        '[pipe.p]\nPipeLLM = "what it does"  # it does\noutput = "Text"\nprompt = "x"\n',
        '[pipe.p]\ntype = "PipeLLM"\ndescription = "what it does"  # it does\noutput = "Text"\nprompt = "x"\n',
        ["pipe-type-key"],
    ),
    "PipeOcr": (
        pipe("PipeOcr", 'inputs = { ocr_input = "PDF" }\nocr_model = "m"\npage_images = false\n', output="Page"),
        pipe(
            "PipeExtract",
            'inputs = { ocr_input = "Document" }\nmodel = "m"\nmax_page_images = 0\n',
            output="Page[]",
        ),
        ["retired-native", "new-pipe-type", "extract-output", "rename-key", "extract-keys"],
    ),
    "PipeOcr with ocr and all images": (
        pipe("PipeOcr", 'inputs = { ocr_input = "Image" }\nocr = "m"  # engine\npage_images = true\n', output="Page"),
        pipe("PipeExtract", 'inputs = { ocr_input = "Image" }\nmodel = "m"  # engine\n', output="Page[]"),
        ["new-pipe-type", "extract-output", "rename-key", "extract-keys"],
    ),
    "PDF with brackets": (
        pipe("PipeLLM", 'inputs = { files = "PDF[]" }\nprompt = "$files"\n'),
        pipe("PipeLLM", 'inputs = { files = "Document[]" }\nprompt = "$files"\n'),
        ["retired-native"],
    ),
    "concept refining PDF": (
        '[concept.Report]\ndescription = "d"\nrefines = "native.PDF"\n',
        '[concept.Report]\ndescription = "d"\nrefines = "Document"\n',
        ["retired-native"],
    ),
    "PipeJinja2": (
        pipe(
            "PipeJinja2",
            'inputs = { a = "Text" }\ntemplate_category = "markdown"  # cat\nprompting_style = { tag_style = "ticks" }\n'
            'jinja2 = """\n# Title \\"a\\"\n{{ a }}\n"""\n',
        ),
        pipe(
            "PipeCompose",
            'inputs = { a = "Text" }\n'
            'template = { template = """\n# Title \\"a\\"\n{{ a }}\n""", category = "markdown", '
            'templating_style = { tag_style = "ticks" } }\n',
        ),
        ["new-pipe-type", "rename-key", "template-table"],
    ),
    "PipeLLMPrompt": (
        pipe("PipeLLMPrompt", 'inputs = { a = "Text" }\nprompt_template = "Say $a"  # p\n', output="LlmPrompt"),
        pipe("PipeCompose", 'inputs = { a = "Text" }\ntemplate = "Say $a"  # p\n'),
        ["retired-native", "new-pipe-type", "rename-key"],
    ),
    "inputs as one string": (
        '[concept]\nDayPlan = "p"\n' + pipe("PipeLLM", 'inputs = "DayPlan"  # i\nprompt = "Say $day_plan"\n'),
        '[concept]\nDayPlan = "p"\n'
        + pipe("PipeLLM", 'inputs = { day_plan = "DayPlan" }  # i\nprompt = "Say $day_plan"\n'),
        ["inputs-table"],
    ),
    "description of a concept as 'Concept'": (
        '[concept.A]\nConcept = "d"  # c\n',
        '[concept.A]\ndescription = "d"  # c\n',
        ["rename-key"],
    ),
    "field types in other words": (
        '[concept.A]\ndescription = "d"\n[concept.A.structure]\nn = { type = "str", description = "n" }  # n\n'
        'm = { description = "m" }\n',
        '[concept.A]\ndescription = "d"\n[concept.A.structure]\nn = { type = "text", description = "n" }  # n\n'
        'm = { description = "m", type = "text" }\n',
        ["field-type", "field-type"],
    ),
    "imgg with a handle": (
        pipe("PipeImgGen", 'prompt_template = "x"\nimgg = { imgg_handle = "flux" }  # m\n', output="Image"),
        pipe("PipeImgGen", 'prompt = "x"\nmodel = { model = "flux" }  # m\n', output="Image"),
        ["rename-key", "rename-key", "rename-key"],
    ),
    "a batch that gives one": (
        llm("one", inputs='item = "Text"')
        + '[pipe.all]\ntype = "PipeBatch"\ndescription = "d"\ninputs = { items = "Text[]" }\noutput = "Text"  # o\n'
        'branch_pipe_code = "one"\ninput_list_name = "items"\ninput_item_name = "item"\n',
        llm("one", inputs='item = "Text"')
        + '[pipe.all]\ntype = "PipeBatch"\ndescription = "d"\ninputs = { items = "Text[]" }\noutput = "Text[]"  # o\n'
        'branch_pipe_code = "one"\ninput_list_name = "items"\ninput_item_name = "item"\n',
        ["list-output"],
    ),
    "prompt_template and system_prompt_template": (
        pipe("PipeLLM", "prompt_template = '''\nSay \\n'''\nsystem_prompt_template = \"You\"  # you\n"),
        pipe("PipeLLM", "prompt = '''\nSay \\n'''\nsystem_prompt = \"You\"  # you\n"),
        ["rename-key", "rename-key"],
    ),
    "llm and llm_to_structure": (
        pipe("PipeLLM", 'prompt = "x"\nllm = "m"\nllm_to_structure = { llm_handle = "m", temperature = 0.1 }\n'),
        pipe("PipeLLM", 'prompt = "x"\nmodel = "m"\nmodel_to_structure = { model = "m", temperature = 0.1 }\n'),
        ["rename-key", "rename-key", "rename-key"],
    ),
    "nb_output": (
        pipe("PipeLLM", 'prompt = "x"\nnb_output = 3\n'),
        pipe("PipeLLM", 'prompt = "x"\n', output="Text[3]"),
        ["output-brackets"],
    ),
    "nb_output of one": (
        pipe("PipeLLM", 'prompt = "x"\nnb_output = 1\n'),
        pipe("PipeLLM", 'prompt = "x"\n'),
        ["output-brackets"],
    ),
    "multiple_output of a qualified concept": (
        pipe("PipeLLM", 'multiple_output = true\nprompt = "x"\n', output="native.Text"),
        pipe("PipeLLM", 'prompt = "x"\n', output="native.Text[]"),
        ["output-brackets"],
    ),
    "images read already": (
        pipe("PipeLLM", IMAGE + 'images = ["picture"]\nprompt = "See $picture"\n'),
        pipe("PipeLLM", IMAGE + 'prompt = "See $picture"\n'),
        ["read-images"],
    ),
    "images not read": (
        pipe("PipeLLM", IMAGE + 'images = ["picture"]\nprompt = "Describe it"  # short\n'),
        pipe("PipeLLM", IMAGE + 'prompt = """\nDescribe it\n\n@picture\n"""  # short\n'),
        ["read-images"],
    ),
    "image declared, attached implicitly": (
        pipe("PipeLLM", 'inputs = { a = "Image", b = "Image?" }\nprompt = """\nTell \\"all\\".\n"""\n', output="Text"),
        pipe(
            "PipeLLM",
            'inputs = { a = "Image", b = "Image?" }\nprompt = """\nTell \\"all\\".\n\n@a\n@?b\n"""\n',
            output="Text",
        ),
        ["read-input"],
    ),
    "img_gen, nb_steps and nb_output": (
        pipe("PipeImgGen", 'prompt = "x"\nimg_gen = "m"  # fast\nnb_steps = 8\nnb_output = 2\n', output="Image"),
        pipe("PipeImgGen", 'prompt = "x"\nmodel = { model = "m", nb_steps = 8 }  # fast\n', output="Image[2]"),
        ["output-brackets", "model-table", "rename-key"],
    ),
    "img_gen table": (
        pipe("PipeImgGen", 'prompt = "x"\nimg_gen = { img_gen_handle = "m", quality = "low" }\n', output="Image"),
        pipe("PipeImgGen", 'prompt = "x"\nmodel = { model = "m", quality = "low" }\n', output="Image"),
        ["rename-key", "rename-key"],
    ),
    "ImgGenPrompt input and no prompt": (
        pipe("PipeImgGen", 'inputs = { idea = "ImgGenPrompt" }\n', output="Image"),
        pipe("PipeImgGen", 'inputs = { idea = "Text" }\nprompt = "$idea"\n', output="Image"),
        ["retired-native", "add-prompt"],
    ),
    "ImgGenPrompt output": (
        pipe("PipeLLM", 'prompt = "x"\n', output="ImgGenPrompt"),
        pipe("PipeLLM", 'prompt = "x"\n'),
        ["retired-native"],
    ),
    "input as one string": (
        '[concept]\nLongNote = "n"\n\n' + pipe("PipeLLM", 'input = "LongNote"  # in\nprompt = "Sum $long_note up"\n'),
        '[concept]\nLongNote = "n"\n\n'
        + pipe("PipeLLM", 'inputs = { long_note = "LongNote" }  # in\nprompt = "Sum $long_note up"\n'),
        ["inputs-table"],
    ),
    "input as one string, read by another name": (
        pipe("PipeLLM", 'input = "Text"\nprompt = "Sum $story up"\n'),
        pipe("PipeLLM", 'inputs = { story = "Text" }\nprompt = "Sum $story up"\n'),
        ["inputs-table"],
    ),
    "dotted input, read": (
        pipe("PipeLLM", 'inputs = { "page.page_view" = "Image" }  # view\nprompt = "See $page.page_view"\n'),
        pipe("PipeLLM", 'inputs = { page = "Page" }  # view\nprompt = "See $page.page_view"\n'),
        ["root-input"],
    ),
    "dotted input beside its root, not read": (
        pipe("PipeLLM", 'inputs = { page = "Page", "page.page_view" = "Image" }\nprompt = "Sum up $page"\n'),
        pipe("PipeLLM", 'inputs = { page = "Page" }\nprompt = """\nSum up $page\n\n@page.page_view\n"""\n'),
        ["root-input"],
    ),
    "dotted input without quotes": (
        pipe("PipeLLM", 'inputs = { page.page_view = "Image" }\nprompt = "See $page.page_view"\n'),
        pipe("PipeLLM", 'inputs = { page = "Page" }\nprompt = "See $page.page_view"\n'),
        ["root-input"],
    ),
    "dotted input of a structured concept": (
        '[concept.Doc]\ndescription = "d"\n[concept.Doc.structure]\ntitle = "t"\n\n'
        + pipe("PipeLLM", 'inputs = { "doc.title" = "Text" }\nprompt = "See $doc.title"\n'),
        '[concept.Doc]\ndescription = "d"\n[concept.Doc.structure]\ntitle = "t"\n\n'
        + pipe("PipeLLM", 'inputs = { doc = "Doc" }\nprompt = "See $doc.title"\n'),
        ["root-input"],
    ),
    "parallels": (
        pipe("PipeParallel", 'parallels = [{ pipe = "a", result = "r" }]  # side by side\n', output="Composite")
        + llm("a"),
        pipe("PipeParallel", 'branches = [{ pipe = "a", result = "r" }]  # side by side\n', output="Composite")
        + llm("a"),
        ["rename-key"],
    ),
    "combined_output": (
        pipe(
            "PipeParallel",
            'add_each_output = true\ncombined_output = "Both"\nbranches = [{ pipe = "a", result = "r" }]\n',
            output="Text",
        )
        + llm("a")
        + '\n[concept.Both]\ndescription = "d"\n[concept.Both.structure]\nr = "the text"\n',
        pipe("PipeParallel", 'add_each_output = true\nbranches = [{ pipe = "a", result = "r" }]\n', output="Both")
        + llm("a")
        + '\n[concept.Both]\ndescription = "d"\n[concept.Both.structure]\nr = "the text"\n',
        ["combined-output"],
    ),
    "pipe_map, default_pipe_code and expression_jinja2": (
        pipe(
            "PipeCondition",
            'inputs = { t = "Text" }\nexpression_jinja2 = "{{ t.text }}"\ndefault_pipe_code = "a"\n'
            '[pipe.p.pipe_map]  # ways\nx = "a"  # first\n',
        )
        + llm("a"),
        pipe(
            "PipeCondition",
            'inputs = { t = "Text" }\nexpression_template = "{{ t.text }}"\ndefault_outcome = "a"\n'
            '[pipe.p.outcomes]  # ways\nx = "a"  # first\n',
        )
        + llm("a"),
        ["rename-key", "rename-key", "rename-key"],
    ),
    "condition without a default": (
        pipe("PipeCondition", 'inputs = { t = "Text" }\nexpression = "t.text"\noutcomes = { x = "a" }\n') + llm("a"),
        pipe(
            "PipeCondition",
            'inputs = { t = "Text" }\nexpression = "t.text"\noutcomes = { x = "a" }\ndefault_outcome = "fail"\n',
        )
        + llm("a"),
        ["add-default-outcome"],
    ),
    "template_category": (
        pipe("PipeCompose", 'template_category = "html"\ntemplate = "<b>x</b>"\n', output="Html"),
        pipe("PipeCompose", 'template = { template = "<b>x</b>", category = "html" }\n', output="Html"),
        ["template-table"],
    ),
    "target_format nobody knows": (
        pipe("PipeCompose", 'target_format = "fancy"\ntemplate = "x"  # t\n'),
        pipe("PipeCompose", 'template = "x"  # t\n'),
        ["template-table"],
    ),
    "Page of a PipeExtract": (
        pipe("PipeExtract", 'inputs = { f = "Document" }\n', output="Page"),
        pipe("PipeExtract", 'inputs = { f = "Document" }\n', output="Page[]"),
        ["extract-output"],
    ),
    "prompting_target": (
        pipe("PipeLLM", 'prompt = "x"\nllm = { llm_handle = "m", temperature = 1, prompting_target = "o" }\n'),
        pipe("PipeLLM", 'prompt = "x"\nmodel = { model = "m", temperature = 1 }\n'),
        ["rename-key", "rename-key", "drop-old-key"],
    ),
    "inline sigils": (
        pipe(
            "PipeLLM",
            'inputs = { a = "Text", b = "Text" }\nprompt = """\nTake @a, then \\"@b.\\"\n@a\nwrite to me@b.org, @media\n"""\n',
        ),
        pipe(
            "PipeLLM",
            'inputs = { a = "Text", b = "Text" }\nprompt = """\nTake {{ a|tag(\'a\') }}, then \\"{{ b|tag(\'b\') }}.\\"\n@a\nwrite to me@b.org, @media\n"""\n',
        ),
        ["inline-sigil"],
    ),
    "inline sigils where a dollar would not do": (
        pipe("PipeLLM", 'inputs = { a = "Text", b = "Text?" }\nprompt = "Cost $@a, name @a (short), maybe @?b."\n'),
        pipe(
            "PipeLLM",
            'inputs = { a = "Text", b = "Text?" }\n'
            "prompt = \"Cost ${{ a|tag('a') }}, name {{ a|tag('a') }} (short),"
            " maybe {% if b %}{{ b|tag('b') }}{% endif %}.\"\n",
        ),
        ["inline-sigil"],
    ),
    "inputs nothing reads": (
        pipe("PipeLLM", 'inputs = { a = "Text", b = "Text" }  # two\nprompt = "$a"\n'),
        pipe("PipeLLM", 'inputs = { a = "Text" }  # two\nprompt = "$a"\n'),
        ["remove-input"],
    ),
    "a dollar that a bracket turns into text": (
        pipe("PipeLLM", 'inputs = { a = "Text", b = "Text" }\nprompt = "Say $a {{ b }} $$a (x)"\n'),
        pipe("PipeLLM", 'inputs = { a = "Text", b = "Text" }\nprompt = "Say {{ a }} {{ b }} $$a (x)"\n'),
        ["inline-sigil"],
    ),
    "a default and required": (
        '[concept.A]\ndescription = "d"\n[concept.A.structure]\n'
        'n = { type = "integer", description = "n", required = true, default_value = 1 }\n',
        '[concept.A]\ndescription = "d"\n[concept.A.structure]\n'
        'n = { type = "integer", description = "n", default_value = 1 }\n',
        ["drop-required"],
    ),
    "PipeSearch of a text": (
        pipe("PipeSearch", 'inputs = { q = "Text" }\nprompt = "$q"  # query\n'),
        '# why it is here\n[pipe.p_search]\ntype = "PipeSearch"\ndescription = "d"\noutput = "SearchResult"  # out\n'
        'inputs = { q = "Text" }\nprompt = "$q"  # query\n'
        '\n[pipe.p_answer]\ntype = "PipeCompose"\ndescription = "d (from the search result)"\n'
        'inputs = { search_result = "SearchResult" }\noutput = "Text"\ntemplate = "$search_result.answer"\n'
        '\n[pipe.p]\ntype = "PipeSequence"\ndescription = "d"\ninputs = { q = "Text" }\noutput = "Text"\n'
        'steps = [\n  { pipe = "p_search", result = "search_result" },\n  { pipe = "p_answer", result = "p_answer" },\n]\n',
        ["search-then-structure"],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_an_older_form_becomes_the_new_one(name: str) -> None:
    old, new, codes = CASES[name]
    result = fix_bundle(HEAD + old, path="old.mthds")
    assert result.text == HEAD + new
    assert sorted(rewrite.fix_code for rewrite in result.rewrites) == sorted(codes)
    assert not result.verdict_before.is_valid
    assert result.verdict_after.errors == ()
    assert fix_bundle(result.text, path="old.mthds").rewrites == ()


PARALLEL_OUTPUTS = {"native": "Text", "list": "Page[]"}


@pytest.mark.parametrize("output", PARALLEL_OUTPUTS.values(), ids=PARALLEL_OUTPUTS)
def test_parallel_outputs_that_combine_nothing_become_composites(output: str) -> None:
    branches = 'branches = [\n  { pipe = "a", result = "r" },  # first\n]\n'
    caller = (
        f'\n[pipe.main]\ntype = "PipeSequence"\ndescription = "d"\noutput = "{output}"\nsteps = [{{ pipe = "p" }}]\n'
    )
    result = fix_bundle(HEAD + pipe("PipeParallel", branches, output=output) + llm("a") + caller)
    assert result.text == HEAD + pipe("PipeParallel", branches, output="Composite") + llm("a") + caller.replace(
        f'"{output}"', '"Composite"'
    )
    assert [rewrite.fix_code for rewrite in result.rewrites] == ["composite-output", "given-output"]
    assert result.verdict_after.is_valid


def test_the_output_of_a_parallel_that_callers_start_is_safe_from_a_safe_fix() -> None:
    source = (
        'domain = "x"\nmain_pipe = "p"\n'
        + pipe("PipeParallel", 'branches = [{ pipe = "a", result = "r" }]\n', output="Text[]")
        + llm("a")
    )
    assert fix_bundle(source, options=FixOptions(is_safe_only=True)).text == source
    assert fix_bundle(source).text == source.replace("Text[]", "Composite")


def test_a_parallel_of_anything_becomes_a_composite() -> None:
    source = HEAD + pipe("PipeParallel", 'branches = [{ pipe = "a", result = "r" }]\n', output="Anything") + llm("a")
    result = fix_bundle(source)
    assert result.text == source.replace("Anything", "Composite")
    assert result.verdict_after.is_valid


def test_parallel_structure_that_lacks_a_branch_becomes_a_composite() -> None:
    concept = '[concept.Both]\ndescription = "d"\n[concept.Both.structure]\nr = "a text"\ns = "another"\n\n'
    branches = 'branches = [{ pipe = "a", result = "r" }]\n'
    result = fix_bundle(HEAD + concept + pipe("PipeParallel", branches, output="Both") + llm("a"))
    assert 'output = "Composite"  # out' in result.text
    assert result.verdict_after.is_valid


def test_a_combined_structure_that_no_branches_fill_becomes_a_composite() -> None:
    concept = '[concept.Both]\ndescription = "d"\n[concept.Both.structure]\nr = "a text"\ns = "another"\n\n'
    branches = 'combined_output = "Both"\nbranches = [{ pipe = "a", result = "r" }]\n'
    result = fix_bundle(HEAD + concept + pipe("PipeParallel", branches) + llm("a"))
    assert [(rewrite.fix_code, rewrite.safety) for rewrite in result.rewrites] == [
        ("combined-output", "safe"),
        ("composite-output", "unsafe"),
    ]
    assert result.verdict_after.is_valid


SEQUENCE = """
[pipe.main]
type = "PipeSequence"
description = "d"
inputs = { file = "Document" }
output = "Text"
steps = [
  { pipe = "read", result = "page" },
  { pipe = "tell", result = "told" },
]

[pipe.read]
type = "PipeExtract"
description = "d"
inputs = { file = "Document" }
output = "Page[]"
"""


def test_a_list_into_a_single_slot_is_declared_as_a_list() -> None:
    result = fix_bundle(HEAD + SEQUENCE + llm("tell", inputs='page = "Page"'))
    assert result.text == HEAD + SEQUENCE + llm("tell", inputs='page = "Page[]"')
    assert [rewrite.fix_code for rewrite in result.rewrites] == ["list-input"]
    assert result.verdict_after.is_valid


def test_a_single_slot_that_another_caller_fills_is_copied_for_the_list() -> None:
    each = """
[pipe.each]
type = "PipeSequence"
description = "d"
inputs = { pages = "Page[]" }
output = "Text[]"
steps = [{ pipe = "tell", batch_over = "pages", batch_as = "page", result = "told" }]
"""
    tell = llm("tell", inputs='page = "Page"').replace("Say $page", "\n# Say\n$page\n").replace('"\n#', '"""\n#')
    tell = tell.replace('$page\n"', '$page\n"""')
    result = fix_bundle(HEAD + SEQUENCE + each + tell)
    copy = tell.replace("[pipe.tell]", "[pipe.tell_on_list]").replace('"Page"', '"Page[]"')
    calling = SEQUENCE.replace('pipe = "tell"', 'pipe = "tell_on_list"')
    assert result.text == HEAD + calling + each + tell + copy
    assert [(rewrite.fix_code, rewrite.safety) for rewrite in result.rewrites] == [("list-twin", "unsafe")]
    assert result.verdict_after.is_valid


MAIL = """[concept.Mail]
description = "A mail"
[concept.Mail.structure]
attachment = { type = "concept", concept_ref = "Document", description = "A file", required = true }
"""


def test_an_extraction_of_a_field_becomes_a_sequence_that_binds_it() -> None:
    reader = '[pipe.read]  # reads\ntype = "PipeExtract"\ndescription = "Read it"\n'
    result = fix_bundle(
        HEAD + MAIL + reader + 'inputs = { "mail.attachment" = "Document" }\noutput = "Page[]"  # all\n'
    )
    assert result.text == HEAD + MAIL + reader.replace("read]", "read_attachment]") + (
        'inputs = { attachment = "Document" }\noutput = "Page[]"  # all\n\n[pipe.read]\ntype = "PipeSequence"\n'
        'description = "Read it"\ninputs = { mail = "Mail" }\noutput = "Page[]"\nsteps = [\n'
        '  { from = "mail.attachment", result = "attachment" },\n'
        '  { pipe = "read_attachment", result = "read_attachment_output" },\n]\n'
    )
    assert [rewrite.fix_code for rewrite in result.rewrites] == ["bind-field"]
    assert result.verdict_after.is_valid


FUNCTIONS = {
    "funcs/totals.py": "@pipe_func()\nasync def flat(working_memory): ...\n@x.pipe_func(name='other')\ndef f(w): ...\n",
    "notes.py": "def flat(text): ...\ndef twice(): ...\n",
    "more/__init__.py": "def twice(): ...\ndef plain(w): ...\n",
    "not-a-module.py": "def hidden(w): ...\n",
    "broken.py": "def (",
}


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("flat", "funcs.totals.flat"),
        ("other", "funcs.totals.f"),
        ("plain", "more.plain"),
        ("twice", None),
        ("hidden", None),
    ],
)
def test_a_flat_function_name_becomes_the_one_path_to_it(name: str, path: str | None) -> None:
    source = HEAD + pipe("PipeFunc", f'function_name = "{name}"  # f\n')
    result = fix_bundle(source, options=FixOptions(functions=functions_of_sources(FUNCTIONS)))
    assert result.text == source.replace(f'"{name}"', f'"{path or name}"')
    assert result.verdict_after.is_valid == (path is not None)


def test_a_byte_order_mark_is_dropped() -> None:
    source = HEAD + pipe("PipeLLM", 'prompt = "x"\n')
    result = fix_bundle("\ufeff" + source)
    assert result.text == source
    assert [rewrite.fix_code for rewrite in result.rewrites] == ["byte-order-mark"]


@pytest.mark.parametrize("text", ["Say {a} of $b", "Say $$a of $b", "Mail @@a, $b"])
def test_an_input_that_a_text_mentions_in_its_own_way_is_left(text: str) -> None:
    source = HEAD + pipe("PipeLLM", f'inputs = {{ a = "Text", b = "Text" }}\nprompt = "{text}"\n')
    result = fix_bundle(source)
    assert result.text == source
    assert [fault.code for fault in result.remaining] == ["method.input_unused"]


def test_an_input_that_the_bundles_system_prompt_reads_is_left() -> None:
    source = HEAD + 'system_prompt = "You are {{ a }}"\n' + pipe("PipeLLM", 'inputs = { a = "Text" }\nprompt = "x"\n')
    assert fix_bundle(source).text == source


def test_a_flat_function_name_is_left_and_told() -> None:
    result = fix_bundle(HEAD + pipe("PipeFunc", 'function_name = "flat"\n'))
    assert result.rewrites == ()
    assert "import path" in result.remaining[0].detail


def test_a_class_without_source_is_left_and_told() -> None:
    result = fix_bundle(HEAD + '[concept.A]\ndescription = "d"\nstructure = "PyClass"\n')
    assert result.rewrites == ()
    assert "PyClass" in result.remaining[0].detail


def test_choices_beside_a_type_are_no_old_form() -> None:
    source = (
        HEAD + '[concept.A]\ndescription = "d"\n[concept.A.structure]\n'
        'k = { type = "text", choices = ["a"], description = "k" }\n'
    )
    assert fix_bundle(source).text == source


def check_model(use: ModelUse) -> Sequence[Fault]:
    known = {"general": "$general", "best": "@best"}
    choice = use.choice if isinstance(use.choice, str) else None if use.choice is None else use.choice["model"]
    if choice is None or choice in ("$general", "@best", "@default", "gpt"):
        return []
    bare = str(choice).lstrip("$@")
    near = (known[bare],) if bare in known else ("$generals",)
    params = {"model": choice, "model_type": use.family, "suggestions": list(near)}
    return [Fault("model.unknown", f"'{choice}' is unknown", params=params, suggestions=near)]


MODELS = {
    '"general"': '"$general"',
    '"$best"': '"@best"',
    '"llm_to_engineer"': '"@default"',
    '"$synthesizing-data"': '"@default"',
    '{ model = "llm_for_facts", temperature = 0.1 }': '{ model = "@default", temperature = 0.1 }',
}


@pytest.mark.parametrize("old", MODELS)
def test_models_of_older_decks(old: str) -> None:
    options = FixOptions(check_model=check_model, default_model=lambda use: "@default")
    source = HEAD + pipe("PipeLLM", 'prompt = "x"\nmodel = {}  # m\n')
    result = fix_bundle(source.replace("{}", old), options=options)
    assert result.text == source.replace("{}", MODELS[old])
    assert result.verdict_after.is_valid
    (rewrite,) = result.rewrites
    assert (rewrite.fix_code == "known-model-name") == (rewrite.safety == "safe")


@pytest.mark.parametrize("name", ["claude-2", "mistralai/mistral:7b", "handle:nobody", "aya", "preset:aya", "gpt-4o.x"])
def test_the_name_of_a_model_is_never_replaced(name: str) -> None:
    options = FixOptions(check_model=check_model, default_model=lambda use: "@default", provider_models={"aya"})
    source = HEAD + pipe("PipeLLM", f'prompt = "x"\nmodel = "{name}"\n')
    result = fix_bundle(source, options=options)
    assert result.text == source
    assert not result.verdict_after.is_valid


def test_a_model_without_a_default_is_removed() -> None:
    options = FixOptions(check_model=check_model)
    result = fix_bundle(HEAD + pipe("PipeLLM", 'model = "old"\nprompt = "x"\n'), options=options)
    assert result.text == HEAD + pipe("PipeLLM", 'prompt = "x"\n')
    assert [rewrite.safety for rewrite in result.rewrites] == ["unsafe"]


ONE = '[pipe.one]\ntype = "PipeLLM"\ndescription = "d"\ninputs = { x = "Text" }\noutput = "Text"\nprompt = "$x"\n'


def sequence(inputs: str, output: str, *, head: str = "") -> str:
    return (
        f'domain = "d"\n{head}\n[pipe.p]\ntype = "PipeSequence"\ndescription = "d"\ninputs = {{ {inputs} }}\n'
        f'output = "{output}"\nsteps = [{{ pipe = "one", result = "ys" }}]\n{ONE}'
    )


def test_a_step_that_should_run_over_a_list_does() -> None:
    result = fix_bundle(sequence('xs = "Text[]"', "Text[]", head='main_pipe = "p"'))
    assert 'steps = [{ pipe = "one", result = "ys", batch_over = "xs", batch_as = "x" }]' in result.text
    assert [(rewrite.fix_code, rewrite.safety) for rewrite in result.rewrites] == [("batch-over", "unsafe")]
    assert result.verdict_after.is_valid


CONTRACTS = {
    "an input under another name": ('xs = "Text"', "Text"),
    "an input nobody reads": ('x = "Text", y = "Text"', "Text"),
    "an input that is missing": ("", "Text"),
    "another output": ('x = "Text"', "Number"),
    "a list as output": ('x = "Text"', "Text[]"),
}


@pytest.mark.parametrize("name", CONTRACTS)
def test_the_contract_of_an_entry_pipe_is_left(name: str) -> None:
    source = sequence(*CONTRACTS[name], head='main_pipe = "p"')
    result = fix_bundle(source)
    assert result.text == source
    assert not result.verdict_after.is_valid


def test_an_input_under_another_name_is_left_to_the_author() -> None:
    source = sequence('xs = "Text"', "Text")
    assert fix_bundle(source).text == source


FIELD_KEYS = {
    'type = "list", items = "text"': 'type = "list", item_type = "text"',
    'type = "list", items = "str"': 'type = "list", item_type = "text"',
    'type = "list", items = { type = "integer" }': 'type = "list", item_type = "integer"',
    'type = "list", items = "B"': 'type = "list", item_concept_ref = "B", item_type = "concept"',
    'enum = ["a"]': 'choices = ["a"]',
    'type = "text", default = "a"': 'type = "text", default_value = "a"',
}


@pytest.mark.parametrize("old", FIELD_KEYS)
def test_keys_of_fields_in_other_words(old: str) -> None:
    source = (
        HEAD
        + '[concept]\nB = "b"\n[concept.A]\ndescription = "d"\n[concept.A.structure]\nn = { {}, description = "n" }\n'
    )
    result = fix_bundle(source.replace("{}", old))
    (rewrite,) = result.rewrites
    assert (rewrite.fix_code, rewrite.safety) == ("rename-key", "safe")
    assert result.verdict_after.errors == ()
    entry, wanted = (
        "".join(sorted(text.replace(" ", ""))) for text in (result.text, source.replace("{}", FIELD_KEYS[old]))
    )
    assert entry == wanted


WRAPPED = (
    '[pipe.wrapped]\ntype = "PipeSequence"\ndescription = "d"\ninputs = { x = "Text" }\noutput = "Text"\n'
    'steps = [{ pipe = "both" }]\n'
)


@pytest.mark.parametrize("inner", ["both", "wrapped"], ids=["at once", "at the end of a sequence"])
def test_a_branch_behind_a_step_of_its_name_is_kept_for_the_steps_behind(inner: str) -> None:
    source = (
        HEAD + f'[pipe.main]\ntype = "PipeSequence"\ndescription = "d"\ninputs = {{ x = "Text" }}\noutput = "Text"\n'
        f'steps = [{{ pipe = "{inner}", result = "r" }}, {{ pipe = "use", result = "u" }}]\n'
        + (WRAPPED if inner == "wrapped" else "")
        + '[pipe.both]\ntype = "PipeParallel"\ndescription = "d"\ninputs = { x = "Text" }\noutput = "Text"\n'
        'branches = [{ pipe = "one", result = "r" }, { pipe = "one", result = "s" }]\n'
        + ONE
        + ONE.replace("one", "use").replace("x =", "r =").replace("$x", "$r")
    )
    result = fix_bundle(source, options=FixOptions(is_safe_only=inner == "both"))
    assert result.verdict_after.errors == ()
    assert f'steps = [{{ pipe = "{inner}" }}, {{ pipe = "use", result = "u" }}]' in result.text
    assert "add_each_output = true" in result.text
