"""Agreement with the standard's own linter: what its JSON Schema refuses, this package refuses too."""

import pipelex_tools
import pytest

from pipelex.language import parse_bundle

H = 'domain="x"\n'
L = '[pipe.p]\ntype="PipeLLM"\ndescription="d"\noutput="Text"\nprompt="hi"\n'

FIELDS = [
    '"d"',
    "3",
    '{type="text"}',
    '{type="text",description="d"}',
    '{type="txt",description="d"}',
    '{description="d",choices=["a"]}',
    '{description="d",type="text",choices=["a"]}',
    '{description="d",type="text",minimum=2}',
    '{description="d",type="dict",key_type="text",value_type="text"}',
    '{description="d",type="concept",concept_ref="A"}',
    '{description="d",type="list"}',
    '{description="d",type="list",item_type="concept",item_concept_ref="A"}',
    '{description="d",type="date",default_value=2024-01-01}',
    '{description="d",type="text",required="yes"}',
    '{description="d",type="text",hints={intent="prose"}}',
    '{description="d",type="text",hints={a=1}}',
]
SLOTS = ["Text", "Text[]", "Text[2]", "Text[1]", "a.Text", "a.b.Text", "a->b.Text", "a/b->c.Text"]
LLM_KEYS = [
    "",
    "foo=1",
    'model="x"',
    "model=3",
    'model={model="x"}',
    'model={model="x",temperature=0.5}',
    'model={model="x",temperature=0.5,foo=1}',
    'model={model="x",temperature=2}',
    'model={model="x",temperature=0.5,max_tokens="auto"}',
    'model={model="x",temperature=0.5,max_tokens="foo"}',
    'structuring_method="direct"',
    'structuring_method="x"',
    'templating_style="xml"',
    'templating_style="x"',
    'templating_style={tag_style="xml"}',
    'templating_style={tag_style="xml",text_format="html"}',
    "nb_output=3",
    'llm="x"',
    'system_prompt="x"',
    "inputs={}",
    'inputs={A="Text"}',
    'inputs={"a.b"="Text"}',
    "inputs=3",
]
TYPES = {
    "PipeStructure": ('inputs={a="Text"}\noutput="Foo"\n', ["", 'model="x"', "foo=1"]),
    "PipeExtract": (
        'inputs={a="Document"}\noutput="Page[]"\n',
        [
            "",
            "max_page_images=0",
            "page_views=true",
            'page_views="a"',
            'model={model="x",max_nb_images=1}',
            'model={model="x",max_nb_images=-1}',
            'ocr="a"',
            "render_js=true",
            "page_image_captions=true",
        ],
    ),
    "PipeImgGen": (
        'output="Image"\nprompt="x"\n',
        [
            "",
            'size="1k"',
            'size="3k"',
            'size="10x20"',
            'size="010x20"',
            "size={width=1,height=2}",
            "size={width=0,height=2}",
            "size={width=1}",
            "seed=1",
            'seed="auto"',
            'seed="x"',
            'aspect_ratio="square"',
            'aspect_ratio="x"',
            'background="auto"',
            'output_format="gif"',
            'model={model="x",quality="low"}',
            'model={model="x",safety_tolerance=7}',
            'model={model="x",guidance_scale=0}',
            "is_raw=true",
        ],
    ),
    "PipeSearch": (
        'output="SearchResult"\nprompt="x"\n',
        [
            "",
            'from_date="2024-01-01"',
            "max_results=3",
            'include_domains=["a"]',
            'include_domains="a"',
            'model={model="x",max_results=1}',
            "include_images=true",
        ],
    ),
    "PipeJudge": (
        'output="YesNo"\nprompt="x"\n',
        [
            "",
            'question="q"',
            'question="q"\nquestions={a={question="q"}}',
            'questions={a={question="q"}}',
            "questions={}",
            'question="q"\noptions={a="",b=""}',
            'question="q"\nlevels=["a","b"]',
            'question="q"\nlevels=[{label="a",description="x"},"b"]',
            'question="q"\ncriteria={yes="a",no="b"}',
            'question="q"\ncriteria={yes="a"}',
            'question="q"\nthreshold=0.5',
            'questions={a={question="q"}}\nthreshold=0.5',
            'question="q"\nmodel={model="x"}',
            'question="q"\nmodel={model="x",temperature=1}',
            'questions={A={question="q"}}',
        ],
    ),
    "PipeCompose": (
        'output="Text"\n',
        [
            'template="x"',
            "construct={}",
            'construct={a={from="b"}}\ninputs={b="Text"}',
            "construct={a={b={c=1}}}",
            "construct={a={}}",
            'template={template="x"}',
            'template={template="x",category="html"}',
            'template={template="x",category="foo"}',
            'template={template="x",category="html",extra_context={a=1}}',
            'template={template="x",category="html",foo=1}',
            'template="x"\ncategory="html"',
            "construct={a=[1,2]}",
            'construct={a={from="b",list_to_dict_keyed_by="k"}}\ninputs={b="Text"}',
        ],
    ),
    "PipeFunc": (
        'output="Text"\n',
        ["", 'function_name="a"', 'function_name="a.b"', 'function_name="a..b"', 'function_name=".a"'],
    ),
    "PipeDocGen": (
        'output="Document"\n',
        [
            "",
            'format="pdf"',
            'format="x"',
            'format="pptx"\ntemplate_file="a.pptx"',
            'format="pdf"\ntemplate="x"',
            'format="pdf"\nfilename="x"\nmodel="m"',
            'format="pdf"\nmodel={model="x",description="d"}',
        ],
    ),
    "PipeSequence": (
        'output="Text"\n',
        [
            "",
            'steps=[{pipe="a"}]',
            'steps=[{pipe="a.b.c"}]',
            'steps=[{pipe="a->b.c"}]',
            "steps=[{}]",
            'steps=[{pipe="a",from="b",result="c"}]',
            'steps=[{from="b",result="c"}]',
            'steps=[{from="b"}]',
            'steps=[{from="b.c.d",result="c"}]',
            'steps=[{from="b[0]",result="c"}]',
            'steps=[{from="_b",result="c"}]',
            'steps=[{from="B",result="c"}]',
            'steps=[{from="b",result="C"}]',
            'steps=[{pipe="a",result="C"}]',
            'steps=[{pipe="a",result="_bound_x"}]',
            'steps=[{pipe="a",nb_output=1}]',
            'steps=[{pipe="a",batch_over="x",batch_as="y"}]',
            'steps=[{pipe="a",batch_over="x.y",batch_as="z"}]',
            'steps=[{pipe="a",foo=1}]',
            'steps=["a"]',
            'steps="a"',
        ],
    ),
    "PipeParallel": (
        'output="Composite"\n',
        [
            "",
            'branches=[{pipe="a",result="r"}]',
            'branches=[{from="a",result="r"}]',
            'branches=[{pipe="a",result="r",batch_over="x.y",batch_as="z"}]',
            'branches=[{pipe="a",result="r"}]\nadd_each_output=true',
            "parallels=[]",
            'branches=[{pipe="a",result="r"}]\ncombined_output="X"',
        ],
    ),
    "PipeCondition": (
        'output="Text"\ninputs={x="Text"}\n',
        [
            "",
            'expression="x"\noutcomes={a="b"}\ndefault_outcome="fail"',
            'expression="x"\noutcomes={a="b"}',
            'expression="x"\npipe_map={a="b"}\ndefault_outcome="fail"',
            'expression="x"\noutcomes={a="b"}\ndefault_outcome="fail"\nadd_alias_from_expression_to="z"',
        ],
    ),
    "PipeBatch": (
        "",
        [
            "",
            'output="Text[]"\nbranch_pipe_code="b"\ninput_list_name="l"\ninput_item_name="i"\ninputs={l="Text[]"}',
            'output="Text[]"\nbranch_pipe_code="b"\ninput_list_name="L"\ninput_item_name="i"\ninputs={l="Text[]"}',
        ],
    ),
}
OTHERS = [
    "",
    H,
    'domain="a.b"\n',
    H + "language_version='1'",
    H + "description=3",
    H + '[concept]\nFoo="x"',
    H + "[concept]\nFoo=3",
    H + "[concept.Foo]",
    H + '[concept.Foo]\ndescription="d"\nrefines="Text"',
    H + '[concept.Foo]\ndescription="d"\nfoo=1',
    H + '[concept.Foo]\ndescription="d"\nstructure="Foo"',
    H + '[pipe.p]\ntype="PipeLLM"\noutput="Text"\nprompt="hi"',
    H + '[pipe.p]\ntype="PipeLLM"\ndescription="d"\nprompt="hi"',
    H + '[pipe.p]\ndescription="d"\noutput="Text"',
    H + '[pipe.p]\ntype="PipeSignature"\ndescription="d"\noutput="Text"',
    H + '[pipe.p]\ntype="PipeX"',
    H + '[pipe.p]\ndescription="d"\noutput="Text"\nsignature_for="PipeLLM"',
    H + '[pipe.p]\ndescription="d"\noutput="Text"\nsignature_for="PipeX"',
    H + '[pipe.p]\ndescription="d"\noutput="Text"\nprompt="a"',
    "domain = ",
    "\ufeff" + H,
]
CASES = [
    *OTHERS,
    *(H + f'[concept.Foo]\ndescription="d"\n[concept.Foo.structure]\na={entry}\n' for entry in FIELDS),
    *(H + f'[pipe.p]\ntype="PipeLLM"\ndescription="d"\noutput="{slot}"\nprompt="hi"\n' for slot in SLOTS),
    *(
        H + f'[pipe.p]\ntype="PipeLLM"\ndescription="d"\noutput="Text"\nprompt="$a"\ninputs={{a="{slot}"}}\n'
        for slot in SLOTS
    ),
    *(H + L + key for key in LLM_KEYS),
    *(
        H + f'[pipe.p]\ntype="{name}"\ndescription="d"\n{base}{keys}'
        for name, (base, lines) in TYPES.items()
        for keys in lines
    ),
]
"""Cases the schema alone decides; this package's own rules, which go further, are tested elsewhere."""


@pytest.mark.parametrize("source", CASES)
def test_same_verdict(source: str) -> None:
    diagnostics = pipelex_tools.lint_mthds(source)["diagnostics"]
    bundle = parse_bundle(source)
    assert bundle.has_errors == bool(diagnostics), (diagnostics, bundle.faults)


@pytest.mark.slow
def test_the_cases_hold_both_verdicts() -> None:
    refused = sum(bool(pipelex_tools.lint_mthds(source)["diagnostics"]) for source in CASES)
    assert 60 < refused < len(CASES) - 60
