import pytest

from pipelex.errors import PipelexError
from pipelex.language.templates import analyse_template, expand_sigils


@pytest.mark.parametrize(
    ("template", "expanded"),
    [
        ("$a", "{{ a|format() }}"),
        ("Hello $user.name.", "Hello {{ user.name|format() }}."),
        ("$a$b", "{{ a|format() }}$b"),
        ("$a,$b", "{{ a|format() }},{{ b|format() }}"),
        ("@a", '{{ a|tag("a") }}'),
        ("x\n \t@a.b  \ny", 'x\n \t{{ a.b|tag("a.b") }}  \ny'),
        ("@?a.b", '{% if a.b %}{{ a.b|tag("a.b") }}{% endif %}'),
        ("$100 and @2.0 and $.5", "$100 and @2.0 and $.5"),
        ("micro$oft a$b me@example.org é$x", "micro$oft a$b me@example.org é$x"),
        ("$$a @@b $$", "$a @b $"),
        ("$$$a", "${{ a|format() }}"),
        ("@@a", "@a"),
        ("${HOME} $(date)", "${HOME} $(date)"),
        ("$seed {{ other }}", "$seed {{ other }}"),
        ("$seed  (x) $seed \"x\" $seed\t'x'", "$seed  (x) $seed \"x\" $seed\t'x'"),
        ("$seed(x)", "{{ seed|format() }}(x)"),
        ("$seed, {x}", "{{ seed|format() }}, {x}"),
        ("say @a now", "say @a now"),
        ("@a.", "@a."),
        ("a\r\n@a\r\nb\rc", 'a\n{{ a|tag("a") }}\nb\nc'),
        ("", ""),
        ("\0@a", "\0@a"),
    ],
)
def test_expansion(template: str, expanded: str) -> None:
    assert expand_sigils(template) == expanded


def test_inline_sigil_of_a_declared_input_is_refused() -> None:
    with pytest.raises(PipelexError, match="must stand alone"):
        expand_sigils("say @note now", declared=["note"])
    assert expand_sigils("say @note now", declared=["other"]) == "say @note now"
    assert expand_sigils("@media (x) { }", declared=["note"]) == "@media (x) { }"


@pytest.mark.parametrize("template", ["x\n\u00a0@note\ny", "@note\u2003", "\u3000@other"])
def test_odd_space_beside_a_lone_sigil_is_refused(template: str) -> None:
    with pytest.raises(PipelexError, match="non-ASCII space"):
        expand_sigils(template, declared=["note"])


def test_offsets_of_faults_and_reads_are_those_of_the_original() -> None:
    template = "$$ $a\n@b\nsay @a {{ c.d }}\n$e"
    analysis = analyse_template(template, category="llm_prompt", sigils=True, declared=["a", "b", "c", "e"])
    assert [(read.root, template[read.offset :][:2]) for read in analysis.reads] == [
        ("a", "$a"),
        ("b", "@b"),
        ("c", "c."),
        ("e", "$e"),
    ]
    assert [(fault.kind, fault.offset) for fault in analysis.faults] == [("inline_sigil", template.index("@a"))]
