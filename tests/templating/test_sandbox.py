import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelex.errors import PipelexError
from pipelex.templating import Limits, render
from tests.support.template_values import Concepts, values
from tests.support.untyped import untyped

VALUES = values()
REFUSED = "security.template_refused"
EXCEEDED = "pipe.template_budget_exceeded"
FAILED = "pipe.template_render_failed"
INVALID = "method.template_invalid"


def code_of(template: str, category: str = "llm_prompt", **options: Any) -> str:
    with pytest.raises(PipelexError) as caught:
        render(template, VALUES, concepts=Concepts(), category=category, sigils=False, **options)
    return caught.value.code


@pytest.mark.parametrize(
    "template",
    [
        "{{ seed.__class__.__mro__ }}",
        "{{ ().__class__ }}",
        "{{ ''['__class__'] }}",
        "{{ seed['__class__'] }}",
        "{{ seed.template_content.__class__ }}",
        "{{ seed|attr('__class__') }}",
        "{{ seed|attr('_' ~ '_class__') }}",
        "{{ [seed]|map(attribute='__class__')|list }}",
        "{{ [seed]|map('attr', '__class__')|list }}",
        "{{ [[1]]|selectattr('__class__')|list }}",
        "{{ [1]|groupby('__class__')|list }}",
        "{{ [1]|sort(attribute='__class__') }}",
        "{{ '{0.__class__}'.format(seed) }}",
        "{{ '{0[__class__]}'.format(seed) }}",
        "{{ '{x.__class__}'.format_map({'x': 1}) }}",
        "{{ ''|attr('format')|attr('__self__') }}",
        "{{ cycler.__init__.__globals__ }}",
        "{{ range.mro }}",
        "{{ dict.fromkeys([1]) }}",
        "{{ self.__init__ }}",
        "{{ self._TemplateReference__context }}",
        "{{ loop.__class__ }}",
        "{% macro f() %}{% endmacro %}{{ f.__call__ }}",
        "{% macro f() %}{% endmacro %}{{ f['__globals__'] }}",
        "{% for x in [1] %}{{ loop._iterator }}{% endfor %}",
        "{{ [].append(1) }}",
        "{{ {}.update({}) }}",
        "{{ data.json_obj.clear() }}",
        "{{ (1).to_bytes(4, 'big') }}",
        "{{ 'a'.encode() }}",
        "{{ 'a'.translate({97: 'b'}) }}",
        "{{ (1).real }}",
        "{{ seed.upper() }}",
        "{{ berth.to_json() }}",
        "{{ data._own }}",
        "{{ _private }}",
        "{% set _x = 1 %}",
        "{% include 'x' %}",
        "{% import 'x' as y %}",
        "{% from 'x' import y %}",
        "{% extends 'x' %}",
        "{% if false %}{{ seed.__class__ }}{% endif %}",
    ],
)
def test_refused(template: str) -> None:
    assert code_of(template) == REFUSED


@pytest.mark.matrix(fast=6)
@pytest.mark.parametrize(
    ("template", "operation"),
    [
        ("{{ 'a' * 10**9 }}", "repetition"),
        ("{{ [1] * 10**9 }}", "repetition"),
        ("{% for i in range(100000) %}{% for j in range(100000) %}x{% endfor %}{% endfor %}", "loop turns"),
        ("{% for i in range(100000) if false %}{% endfor %}" * 6, "loop turns"),
        ("{% for i in range(999999999) %}{% endfor %}", "range"),
        ("{{ range(400000)|sum + range(400000)|sum }}", "loop turns"),
        ("{{ range(400000)|map('string')|list|length }}", "'string'"),
        ("{{ '%999999999d' % 1 }}", "padding"),
        ("{{ '%.999999999f' % 1 }}", "padding"),
        ("{{ '%*d' % (999999999, 1) }}", "padding"),
        ("{{ ('%(a)s' * 100000) % {'a': 'x' * 100000} }}", "'%'"),
        ("{{ '{:999999999d}'.format(1) }}", "padding"),
        ("{{ '{:{w}d}'.format(1, w=999999999) }}", "padding"),
        ("{{ ('{0}' * 100000).format('x' * 100000) }}", "'format'"),
        ("{{ 9**9999**3 }}", "a power"),
        ("{% set ns = namespace(n=9) %}{% for i in range(99) %}{% set ns.n = ns.n * ns.n %}{% endfor %}", "multiplication"),
        ("{{ 'a'|center(10**9) }}", "padding"),
        ("{{ 'a'.ljust(10**9) }}", "padding"),
        ("{{ 'a'.zfill(10**9) }}", "padding"),
        ("{{ ('\t' * 9999).expandtabs(9999) }}", "'expandtabs'"),
        ("{{ ('a' * 1000)|replace('a', 'b' * 100000) }}", "'replace'"),
        ("{{ ('a' * 1000).replace('', 'b' * 100000) }}", "'replace'"),
        ("{{ range(1000)|join('x' * 100000) }}", "'join'"),
        ("{{ ('x' * 100000).join(range(1000)|map('string')) }}", "'join'"),
        ("{{ ('a\n' * 9999)|indent(9999) }}", "'indent'"),
        ("{{ ('a ' * 9999)|wordwrap(1, wrapstring='x' * 9999) }}", "'wordwrap'"),
        ("{{ 'x'|batch(10**9, 'y')|list }}", "padding"),
        ("{{ [1]|slice(10**9)|list }}", "padding"),
        ("{{ 5|round(-10**9) }}", "the precision of 'round'"),
        ("{{ 5|round(10**9, 'floor') }}", "the precision of 'round'"),
        ("{{ ('<!--' * 100000)|striptags }}", "'striptags'"),
        ("{{ ('a.' * 100000)|urlize }}", "the length of a word for 'urlize'"),
        ("{% macro f(x) %}{{ f(x) }}{% endmacro %}{{ f(1) }}", "the nesting of macros"),
        ("{% block a %}{{ self.a() }}{% endblock %}", "the nesting of macros"),
        ("{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}", "the nesting of recursive loops"),
        ("{% set n = namespace(s='ab') %}{% for i in range(99) %}{% set n.s = n.s ~ n.s %}{% endfor %}", "joining strings"),
        ("{% set n = namespace(s='ab') %}{% for i in range(99) %}{% set n.s = n.s + n.s %}{% endfor %}", "joining strings"),
        ("{% set n = namespace(s=[1]) %}{% for i in range(99) %}{% set n.s = [n.s, n.s] %}{% endfor %}", "the size of a list"),
        ("{% set n = namespace(s=[1]) %}{% for i in range(99) %}{% set n.s = (n.s, n.s) %}{% endfor %}", "the size of a list"),
        ("{% set n = namespace(s=[1]) %}{% for i in range(99) %}{% set n.s = {1: n.s, 2: n.s} %}{% endfor %}", "the size of a list"),
        ("{% set n = namespace(s=[1]) %}{% for i in range(99) %}{% set n.s = dict(a=n.s, b=n.s) %}{% endfor %}", "the size of a list"),
        ("{% set n = namespace(s=[1]) %}{% for i in range(99) %}{% set n.s = [n.s]|batch(2, n.s)|list %}{% endfor %}", None),
        ("{% set n = namespace(s=[1]) %}{% for i in range(99) %}{% set n.s = n.s + n.s %}{% endfor %}", None),
        ("{% set t %}" + "x" * 100_000 + "{% endset %}{% for i in range(1000) %}{{ t }}{% endfor %}", "writing text"),
        ("{% macro f() %}{% for i in range(9999) %}" + "x" * 9999 + "{% endfor %}{% endmacro %}{{ f() }}", "writing text"),
        ("{% set t = 'x' * 5000000 %}{% for i in range(99999) %}{{ 'y' in t }}{% endfor %}", "looking through values"),
        ("{% set t = 'x' * 5000000 %}{% for i in range(99999) %}{% set u = t[1:] %}{% endfor %}", "looking through values"),
        ("{% set t = 'x' * 5000000 %}{% for i in range(99999) %}{% set u = t.find('y') %}{% endfor %}", "work on strings"),
        ("{% set t = range(99999)|list %}{% for i in range(99999) %}{{ -1 in t }}{% endfor %}", None),
    ],
)  # fmt: skip
def test_budget(template: str, operation: str | None) -> None:
    started = time.process_time()
    with pytest.raises(PipelexError) as caught:
        render(template, VALUES, concepts=Concepts(), category="llm_prompt", sigils=False)
    assert caught.value.code == EXCEEDED
    assert untyped(caught.value.report.params["limit"]) > 0
    if operation is not None:
        assert caught.value.report.params["operation"] == operation
    # Generous for a busy machine; without a budget each of these runs for minutes or takes all memory.
    assert time.process_time() - started < 10


@pytest.mark.parametrize(
    "template",
    [
        "{{ 1 / 0 }}",
        "{{ -'a' }}",
        "{{ missing() }}",
        "{{ 'a' + 1 }}",
        "{{ joiner }}",
        "{{ 'a'.upper }}",
        "{{ namespace(a=1) }}",
        "{{ '%d' % 'a' }}",
        "{{ '{!r}'.format(seed) }}",
        "{% for x in seed %}{% endfor %}",
        "{{ (-1) ** 0.5 }}",
        "{{ berth.opened.strftime('%s') }}",
        "{{ [1, 'a']|sort }}",
        "{{ ['a']|sum }}",
        "{{ 2.0 ** 9999 }}",
    ],
)
def test_failures_at_run_time(template: str) -> None:
    assert code_of(template) == FAILED


@pytest.mark.parametrize(
    "template",
    [
        "{{ x|nothing }}",
        "{{ x is nothing }}",
        "{{ x",
        "{% if %}",
        "{{ " + "(" * 5_000 + "1" + ")" * 5_000 + " }}",
        "{{ " + "[" * 300 + "]" * 300 + " }}",
        "{{ 1" + "+1" * 30_000 + " }}",
        "{% if a %}" * 500 + "{% endif %}" * 500,
        "{% for a in b %}" * 50 + "{% endfor %}" * 50,
        "{" * 300_000,
        "{{" * 300_000,
        "{%" * 300_000,
        "{#" * 300_000,
        "x" * 3_000_000,
        "{{ " + "9" * 5_000 + " }}",
    ],
)
def test_invalid(template: str) -> None:
    assert code_of(template) == INVALID


def test_limits_are_the_callers() -> None:
    assert code_of("{% for i in range(11) %}{% endfor %}", limits=Limits(turns=10)) == EXCEEDED
    assert code_of("{{ 'a' * 11 }}", limits=Limits(chars=10)) == EXCEEDED


def test_ordinary_large_work_is_within_the_budget() -> None:
    template = (
        "{% set n = namespace(s=[]) %}{% for i in range(5000) %}{% set n.s = n.s + [i] %}{% endfor %}{{ n.s|length }}"
    )
    assert render(template, {}, concepts=Concepts()).text == "5000"
    long_text = "word " * 200_000
    assert render("{{ x|upper }}", {}, concepts=Concepts(), extra_context={"x": long_text}).text == long_text.upper()


PIECES = st.sampled_from(
    [
        "seed",
        "berth",
        "notes",
        "data",
        "photo",
        "page",
        "count",
        "day",
        "missing",
        "loop",
        "x",
        "1",
        "2.5",
        "'a'",
        "'%s'",
        "[1]",
        "{}",
        "()",
        "none",
        "true",
        "range(3)",
        ".",
        "[",
        "]",
        "(",
        ")",
        "|",
        "+",
        "-",
        "*",
        "/",
        "//",
        "%",
        "**",
        "~",
        "==",
        "<",
        "in",
        "not",
        "and",
        "or",
        "if",
        "else",
        "tag",
        "format",
        "with_images",
        "join",
        "list",
        "map",
        "sort",
        "length",
        "upper",
        "attr",
        "text",
        "items",
        "code",
        "photo",
        "tags",
        "__class__",
        "_stuff_name",
        "first",
        "last",
        "{{",
        "}}",
        "{%",
        "%}",
        "for",
        "endfor",
        "set",
        "endset",
        "macro",
        "endmacro",
    ]
)
EXPRESSIONS = st.lists(PIECES, min_size=1, max_size=9).map(" ".join)
TEMPLATES = EXPRESSIONS.map(lambda code: "{{ " + code + " }}") | st.lists(PIECES, max_size=14).map(" ".join) | st.text()


@pytest.mark.slow
@given(TEMPLATES, st.sampled_from(["basic", "expression", "html", "llm_prompt"]), st.booleans())
@settings(deadline=None, derandomize=True, max_examples=300)
def test_nothing_but_our_errors(template: str, category: str, sigils: bool) -> None:
    try:
        first = render(template, VALUES, concepts=Concepts(), category=category, sigils=sigils)
    except PipelexError:
        return
    again = render(template, VALUES, concepts=Concepts(), category=category, sigils=sigils)
    assert again == first
    assert "0x" not in first.text or "0x" in template
