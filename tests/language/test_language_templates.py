import time

import pytest

from pipelex.language.templates import FILTERS_BY_CATEGORY, TemplateAnalysis, analyse_template


def analyse(template: str, *declared: str, category: str = "basic", sigils: bool = False) -> TemplateAnalysis:
    return analyse_template(template, category=category, sigils=sigils, declared=declared)


def paths(template: str) -> list[str]:
    return [".".join(read.path) for read in analyse(template).reads]


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("plain text", []),
        ("{{ a }} {{ a.b.c }}", ["a", "a.b.c"]),
        ("{{ a['b'].c }} {{ a[0].b }} {{ a[1:2] }}", ["a.b.c", "a.b", "a"]),
        ("{{ a[key].b }}", ["key", "a"]),
        ("{{ a.upper() }} {{ a.b.strip('x', c) }}", ["a", "a.b", "c"]),
        ("{% for n in notes %}{{ n.text }}{{ loop.index }}{% else %}{{ x }}{% endfor %}", ["notes", "notes.text", "x"]),
        ("{% for n in notes|sort(attribute='k') %}{{ n.text }}{% endfor %}", ["notes", "notes.k", "notes.text"]),
        ("{% for k, v in a.items() %}{{ k }}{{ v.x }}{% endfor %}", ["a"]),
        ("{% for n in notes if n.ok %}{{ n }}{% endfor %}", ["notes", "notes.ok", "notes"]),
        ("{% set b = a.c %}{{ b.d }}", ["a.c", "a.c.d"]),
        ("{% set a = a|trim %}{{ a }}", ["a"]),
        ("{% set x %}{{ a }}{% endset %}{{ x }}", ["a"]),
        ("{% set ns = namespace(n=0) %}{% set ns.n = a %}{{ ns.n }}", ["a"]),
        ("{% with x = a.b, y = 1 %}{{ x.c }}{{ y }}{% endwith %}{{ x }}", ["a.b", "a.b.c", "x"]),
        ("{% macro m(p, q=a) %}{{ p }}{{ q }}{{ varargs }}{% endmacro %}{{ m(b) }}", ["a", "b"]),
        ("{% macro m() %}{{ caller() }}{% endmacro %}{% call m() %}{{ a }}{% endcall %}", ["a"]),
        ("{% filter upper %}{{ a }}{% endfilter %}", ["a"]),
        ("{{ range(3) }}{{ dict(x=1) }}{{ cycler('a') }}{{ joiner() }}", []),
        ("{{ a ~ b + c if d else e }}", ["d", "a", "b", "c", "e"]),
        ("{{ [a, {'k': b}] }}", ["a", "b"]),
        ("{{ a == b and c in d }}", ["a", "b", "c", "d"]),
        ("{# a #}{% raw %}{{ a }}{% endraw %}", []),
        ("{{ preliminary_text }}{{ place_holder }}", []),
        ("{% for n in a %}{% endfor %}{{ n }}", ["a", "n"]),
    ],
)
def test_reads(template: str, expected: list[str]) -> None:
    assert paths(template) == expected
    assert analyse(template).faults == ()


def test_a_declared_name_shadows_a_global() -> None:
    assert [read.path for read in analyse("{{ range }}", "range").reads] == [("range",)]


@pytest.mark.parametrize(
    ("template", "guarded"),
    [
        ("{{ a }}", [False]),
        ("{% if a %}{{ a.b }}{% endif %}", [True, True]),
        ("{% if a.b %}{{ a }}{% endif %}{{ a }}", [True, True, False]),
        ("{{ a if a else 'x' }}", [True, True]),
        ("{% if a is defined %}{{ a }}{% else %}{{ a }}{% endif %}", [True, True, False]),
        ("{% if a is not defined %}x{% else %}{{ a }}{% endif %}", [True, True]),
        ("{% if a is undefined %}x{% elif b %}{{ a }}{% endif %}", [True, True, True]),
        ("{% if not a %}{{ a }}{% else %}{{ a }}{% endif %}", [True, False, True]),
        ("{% if a or b %}{{ a }}{% endif %}", [True, True, False]),
        ("{% if a and a.b %}{{ a }}{% endif %}", [True, True, True]),
        ("{{ a and a.b }}", [True, True]),
        ("{% if a|length %}{{ a }}{% endif %}", [False, False]),
        ("{% if a == 1 %}x{% endif %}", [False]),
        ("{% if a %}{% for n in a %}{{ n }}{% endfor %}{% endif %}", [True, True, True]),
        ("{{ a|default('x') }}", [False]),
        ("{% if a is not none %}{{ a }}{% endif %}{{ a }}", [True, True, False]),
        ("{% if a != none %}{{ a }}{% else %}{{ a }}{% endif %}", [True, True, False]),
        ("{{ 'no' if none == a else a.b }}", [True, True]),
        ("{% if a is none %}{{ a }}{% else %}{{ a }}{% endif %}", [True, False, True]),
        ("{{ a == 'none' }}", [False]),
    ],
)
def test_guards(template: str, guarded: list[bool]) -> None:
    assert [read.is_guarded for read in analyse(template).reads] == guarded


def test_the_optional_sigil_is_a_guard() -> None:
    assert all(read.is_guarded for read in analyse("@?a", "a", sigils=True).reads)
    assert not any(read.is_guarded for read in analyse("@a", "a", sigils=True).reads)


def test_with_images_is_noted() -> None:
    reads = analyse("{{ page|with_images }} {{ page }}", category="llm_prompt").reads
    assert [read.is_with_images for read in reads] == [True, False]


@pytest.mark.parametrize(
    ("template", "kind", "name"),
    [
        ("{{ a", "syntax", ""),
        ("{% if a %}", "syntax", ""),
        ("{% nonsense %}", "syntax", ""),
        ("{{ a b }}", "syntax", ""),
        ("{{ a|uper }}", "unknown_filter", "uper"),
        ("{% filter nope %}{% endfilter %}", "unknown_filter", "nope"),
        ("{{ a is evenn }}", "unknown_test", "evenn"),
        ("{{ a|random }}", "refused", "random"),
        ("{{ lipsum() }}", "refused", "lipsum"),
        ("{% include 'x' %}", "refused", "include"),
        ("{% import 'x' as y %}", "refused", "import"),
        ("{% from 'x' import y %}", "refused", "from … import"),
        ("{% extends 'x' %}", "refused", "extends"),
        ("{{ _x }}", "private_name", "_x"),
        ("{{ a.__class__ }}", "private_name", "__class__"),
        ("{{ a.b._c.d }}", "private_name", "_c"),
        ("{{ a|attr('__class__') }}", "private_name", "__class__"),
        ("{{ a|map(attribute='x._y')|join }}", "private_name", "_y"),
        ("{{ ''.__class__ }}", "private_name", "__class__"),
        ("{{ a.__init__() }}", "private_name", "__init__"),
        ("{{ _stuff_name }}", "private_name", "_stuff_name"),
    ],
)
def test_faults(template: str, kind: str, name: str) -> None:
    faults = analyse(template).faults
    assert [(fault.kind, fault.name) for fault in faults] == [(kind, name)]


def test_metadata_names_and_keys_of_mappings_may_start_with_an_underscore() -> None:
    assert analyse("{{ a._stuff_name }}{{ a._content_class }}{{ a['_key'] }}").faults == ()


def test_unknown_filters_get_near_names() -> None:
    (fault,) = analyse("{{ a|uper }}").faults
    assert "upper" in fault.suggestions
    assert "did you mean" in fault.message


@pytest.mark.parametrize(
    ("category", "allowed", "refused"),
    [
        ("basic", ["format", "tag"], ["with_images", "markdown", "escape_script_tag"]),
        ("expression", ["upper"], ["tag", "with_images"]),
        ("html", ["format", "tag", "escape_script_tag", "markdown"], ["with_images"]),
        ("markdown", ["tag", "escape_script_tag"], ["markdown", "with_images"]),
        ("mermaid", ["upper"], ["tag"]),
        ("llm_prompt", ["tag", "with_images"], ["markdown"]),
        ("img_gen_prompt", ["tag", "with_images"], ["escape_script_tag"]),
    ],
)
def test_filters_by_category(category: str, allowed: list[str], refused: list[str]) -> None:
    for name in allowed:
        assert analyse(f"{{{{ a|{name} }}}}", category=category).faults == ()
    for name in refused:
        assert [found.kind for found in analyse(f"{{{{ a|{name} }}}}", category=category).faults] == ["unknown_filter"]


def test_jinja_has_every_plain_filter_that_is_listed() -> None:
    from jinja2.filters import FILTERS as DEFAULT_FILTERS
    from jinja2.tests import TESTS as DEFAULT_TESTS

    from pipelex.language.templates import TESTS

    assert FILTERS_BY_CATEGORY["expression"] <= DEFAULT_FILTERS.keys()
    assert DEFAULT_FILTERS.keys() - FILTERS_BY_CATEGORY["expression"] == {"random"}
    assert DEFAULT_TESTS.keys() == TESTS


@pytest.mark.matrix(fast=12)
@pytest.mark.parametrize(
    "template",
    [
        "x" * 1_000_000,
        "{{" * 10_000,
        "{{ " + "(" * 10_000 + " }}",
        "{{ " + "[" * 10_000,
        "{{ " + "{" * 10_000,
        "{{ " + "not " * 20_000 + "a }}",
        "{{ " + "-" * 20_000 + "a }}",
        "{{ a" + ".b" * 50_000 + " }}",
        "{{ a" + "[a" * 10_000 + " }}",
        "{{ a" + "+a" * 20_000 + " }}",
        "{{ a" + "|upper" * 10_000 + " }}",
        "{{ a" + "()" * 20_000 + " }}",
        "{{ " + "a if a else " * 10_000 + "a }}",
        "{% if a %}" * 10_000,
        "{% if a %}" + "{% elif a %}" * 10_000 + "{% endif %}",
        "$a " * 85_000,
        "{#" * 100_000,
        "{%" + " " * 250_000,
    ],
    ids=lambda template: template[:12],
)
def test_hostile_templates_give_a_fault_in_bounded_time(template: str) -> None:
    start = time.perf_counter()
    analysis = analyse(template, "a", sigils=True)
    assert {fault.kind for fault in analysis.faults} <= {"syntax", "too_large"}
    assert len(analysis.faults) == 1
    assert not analysis.is_parsed
    assert time.perf_counter() - start < 20
