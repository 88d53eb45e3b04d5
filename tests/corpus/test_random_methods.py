"""Random methods validate and run dry; whatever is done to them, there is a verdict and never another exception."""

import random
import sys
from collections.abc import Callable, Mapping
from types import FrameType
from typing import Any, TypeVar, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelex.config import load_settings
from pipelex.errors import CORE_CODES, PipelexError
from pipelex.library import LoadedLibrary, load_library_files
from pipelex.runner import Method, Pipelex
from tests.corpus.random_methods import RandomMethod, random_method, to_toml

T = TypeVar("T")

BRIEFLY = settings(
    deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Pipelex:
    """The packaged configuration, without any key."""
    home = tmp_path_factory.mktemp("home")
    return Pipelex(load_settings(cwd=home, environ={"HOME": str(home)}), orchestrator="direct")


def loaded(text: str | bytes) -> LoadedLibrary:
    return load_library_files({"a.mthds": text})


async def run_dry(app: Pipelex, library: LoadedLibrary, pipe: str) -> None:
    """Run a pipe on made-up values; its own refusals are welcome, other exceptions are not."""
    refusal = None
    try:
        await Method(app, library).run(pipe=pipe, dry_run=True, mock=True)
    except PipelexError as error:
        refusal = error.report
    assert refusal is None or (refusal.code in CORE_CODES and refusal.code != "runtime.unexpected"), refusal


def check_verdict(library: LoadedLibrary) -> None:
    """What holds for the verdict on any text."""
    verdict = library.verdict
    for fault in (*verdict.errors, *verdict.warnings):
        assert fault.code in CORE_CODES
        assert set(fault.params) <= set(CORE_CODES[fault.code].params)
        assert fault.detail
        assert fault.location.line is not None
    verdict.to_json()


# --- valid ones


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, 120, 20))
async def test_random_methods_validate_and_run_dry(first: int, app: Pipelex) -> None:
    for seed in range(first, first + 20):
        method = random_method(seed)
        library = loaded(method.text)
        assert library.verdict.errors == (), method.text
        for code in method.contracts:
            result = await Method(app, library).run(pipe=code, dry_run=True, mock=True)
            concept = method.contracts[code][1].removesuffix("[]")
            assert result.main_stuff.concept in (f"made.up.{concept}", f"native.{concept}")


def test_the_generator_writes_every_type_it_knows() -> None:
    types = {pipe["type"] for seed in range(40) for pipe in random_method(seed).document["pipe"].values()}
    assert types == {
        "PipeBatch",
        "PipeCompose",
        "PipeCondition",
        "PipeExtract",
        "PipeImgGen",
        "PipeJudge",
        "PipeLLM",
        "PipeParallel",
        "PipeSearch",
        "PipeSequence",
    }


# --- mutations


def tables_of(value: Any) -> list[Any]:
    """Every table and array of a document, itself included."""
    found: list[Any] = []
    waiting = [value]
    while waiting:
        current = waiting.pop()
        if isinstance(current, dict):
            found.append(current)
            waiting.extend(cast("dict[str, Any]", current).values())
        elif isinstance(current, list):
            found.append(current)
            waiting.extend(cast("list[Any]", current))
    return found


ODD_VALUES: tuple[Any, ...] = (
    0, -1, 1.5, True, "", " ", "Text", "Text[]", "Text[0]", "Text[]?", "a.b.c", "pipe_0", "continue", "$x", "@x",
    "{{ x }}", "{% if", "{{ text.__class__ }}", "é\u200b", [], [[]], ["a"], {}, {"a": {}}, {"from": "x"}, {"pipe": "pipe_1"},
    "PipeLLM", "PipeSequence", "made.up.C0", "a->b.C", "native.Image",
)  # fmt: skip


def mutated(method: RandomMethod, chance: random.Random) -> str:
    """The method after a few changes of its tables."""
    document = method.document
    for _ in range(chance.randint(1, 4)):
        table = chance.choice([found for found in tables_of(document) if found] or [document])
        if isinstance(table, list):
            items = cast("list[Any]", table)
            position = chance.randrange(len(items))
            items[position] = chance.choice([*ODD_VALUES, *items])
            continue
        key = chance.choice(list(table))
        others = [cast("dict[str, Any]", found) for found in tables_of(document) if isinstance(found, dict) and found]
        donor = chance.choice(others) if others else {"x": 1}
        taken = chance.choice(list(donor.values()))
        match chance.randrange(5):
            case 0:
                del table[key]
            case 1:
                table[key] = chance.choice(ODD_VALUES)
            case 2:
                table[chance.choice([key + "s", key.upper(), "_" + key, "type", "output", "inputs", "x"])] = table[key]
            case 3 if not contains(taken, table):
                table[key] = taken
            case _:
                table[chance.choice(["type", "output", "result", "prompt", "steps"])] = chance.choice(ODD_VALUES)
    return to_toml(document)


def contains(value: Any, table: Any) -> bool:
    return any(found is table for found in tables_of(value))


@pytest.mark.parametrize("first", range(0, 400, 50))
async def test_changed_methods_get_a_verdict(first: int, app: Pipelex) -> None:
    for seed in range(first, first + 50):
        chance = random.Random(f"mutation {seed}")
        library = loaded(mutated(random_method(seed % 40, pipes=9), chance))
        check_verdict(library)
        if library.verdict.is_valid and library.library is not None:
            for ref in library.library.pipes:
                await run_dry(app, library, ref)


@given(st.integers(0, 20), st.binary(min_size=1, max_size=12), st.integers(0, 10_000), st.integers(0, 60))
@settings(BRIEFLY, max_examples=150)
def test_injected_bytes_get_a_verdict(seed: int, junk: bytes, place: int, removed: int) -> None:
    source = random_method(seed, pipes=5).text.encode()
    place %= len(source)
    check_verdict(loaded(source[:place] + junk + source[place + removed :]))


@given(st.integers(0, 20), st.integers(0, 10_000))
@settings(BRIEFLY, max_examples=60)
def test_cut_off_files_get_a_verdict(seed: int, length: int) -> None:
    check_verdict(loaded(random_method(seed, pipes=5).text.encode()[:length]))


@pytest.mark.slow
@given(template=st.text(alphabet="{}%#$@[]().|'\"x a1_\n\\-+*~,:=", max_size=60))
@settings(BRIEFLY, max_examples=250)
async def test_random_templates_get_a_verdict(template: str, app: Pipelex) -> None:
    await judge_and_run(template, app)


WORDS = (
    "{{", "}}", "{%", "%}", "{#", "#}", "x", "ys", "if", "for", "in", "endif", "endfor", "set", "macro", "endmacro", "call",
    "|", "upper", "join", "format", "tag", "(", ")", "[", "]", ".", "text", "items", "loop", "is", "not", "defined", "and",
    "'a'", "1", "9", "==", "+", "*", "**", "~", "//", "%", ":", ",", "=", "$x", "@x", "\n@x\n", "\n@?ys\n", "else", "range",
    "namespace", "none", "filter", "raw", "endraw", "with", "block", "recursive", "-",
)  # fmt: skip


@pytest.mark.slow
@given(words=st.lists(st.sampled_from(WORDS), max_size=25))
@settings(BRIEFLY, max_examples=300)
async def test_templates_of_random_words_get_a_verdict(words: list[str], app: Pipelex) -> None:
    await judge_and_run("{{ x }}{{ ys }}" + " ".join(words), app)


HOSTILE = (
    "{{ 'x' * 10**9 }}",
    "{{ 9**9**9 }}",
    "{{ 10**10**6 }}",
    "{{ [1] * 10**9 }}",
    "{{ 'a'|center(10**9) }}",
    "{{ '%1000000000d' % 1 }}",
    "{{ ('%' ~ '1000000000d') % 1 }}",
    "{{ '{:1000000000}'.format(1) }}",
    "{{ 'a'.ljust(10**9) }}",
    "{{ 'a,'.join(range(10**8)) }}",
    "{{ range(10**12)|sum }}",
    "{{ range(10**9)|list|length }}",
    "{% for a in range(10**9) %}{{ a }}{% endfor %}",
    "{% for a in range(30000) %}{% for b in range(30000) %}{% endfor %}{% endfor %}",
    "{% macro f(n) %}{{ f(n) }}{{ f(n) }}{% endmacro %}{{ f(1) }}",
    "{% set ns = namespace(v='a') %}{% for i in range(60) %}{% set ns.v = ns.v ~ ns.v %}{% endfor %}{{ ns.v }}",
    "{% set ns = namespace(v=[1]) %}{% for i in range(60) %}{% set ns.v = ns.v + ns.v %}{% endfor %}{{ ns.v }}",
    "{% set ns = namespace(v=2) %}{% for i in range(60) %}{% set ns.v = ns.v * ns.v %}{% endfor %}{{ ns.v }}",
    "{{ ''.__class__.__mro__ }}",
    "{{ x|attr('__class__') }}",
    "{{ x|map(attribute='__class__')|list }}",
    "{{ x['__class__'] }}",
    "{{ x['_' ~ '_class__'] }}",
    "{{ x.model_dump() }}",
    "{{ cycler.__init__.__globals__ }}",
    "{{ namespace.__init__ }}",
    "{{ lipsum(10**6) }}",
    "{% include '/etc/passwd' %}",
    "{% import 'os' as os %}",
    "{{ self.__init__ }}",
    "{{ loop }}",
    "{{ caller() }}",
    "{{ 'a'|replace('', 'b' * 1000)|replace('', 'b' * 1000)|replace('', 'b' * 1000) }}",
    "{{ ('a' * 1000)|indent(10**7) }}",
    "{{ ('a ' * 100000)|wordwrap(1) }}",
    "{{ 'a'|batch(10**9)|list }}",
    "{{ [1]|slice(10**9)|list }}",
    "{{ [1]|batch(10**9, 0)|list }}",
    "{{ ('a' * 200000)|urlize }}",
    "{{ ('<' * 100000)|striptags }}",
    "{{ (1).to_bytes(10**9, 'big') }}",
    "{{ 'a'.encode('idna') }}",
    "{{ 'a'.zfill(10**9) }}",
    "{{ 'a'.expandtabs(10**9) }}",
    "{{ {}|tojson(indent=10**9) }}",
    "{{ 1|round(10**9) }}",
    "{{ 1.0|filesizeformat }}{{ '9' * 5000 }}{{ ('9' * 5000)|int }}",
    "{{ " + "(" * 500 + "x" + ")" * 500 + " }}",
    "{{ " + "-" * 5000 + "1 }}",
    "{{ " + "not " * 5000 + "x }}",
    "{{ x" + ".a" * 5000 + " }}",
    "{{ x" + "|upper" * 5000 + " }}",
    "{{ 1" + " + 1" * 5000 + " }}",
    "{{ 'a'" + " ~ 'a'" * 5000 + " }}",
    "{{ x if x else " * 500 + "x" + " }}" * 1,
    "{% if x %}" * 500 + "{% endif %}" * 500,
    "{% if x %}{% elif x %}" * 5000,
    "{% for a in x %}" * 100 + "{% endfor %}" * 100,
    "{{" * 50_000,
    "{%" * 50_000,
    "{#" * 50_000,
    "{{ x }}" * 50_000,
    "$" * 100_000,
    "$x" * 100_000,
    "$x." * 100_000,
    "@x." * 100_000,
    "@" * 100_000,
    "\n@x" * 50_000,
    "@x " * 100_000,
    " " * 200_000 + "@x",
    ("\u00a0" * 1000 + "@x\n") * 50,
    "$x" + " " * 200_000 + "(",
    "$x" + ".a" * 100_000,
    "a$x " * 60_000,
    "$x (" * 60_000,
    "@x. " * 60_000,
    "\u00a0@x\n" * 60_000,
)


@pytest.mark.matrix(fast=11)
@pytest.mark.parametrize("template", HOSTILE, ids=[f"{index}" for index in range(len(HOSTILE))])
@pytest.mark.timeout(20)
async def test_hostile_templates_are_held(template: str, app: Pipelex) -> None:
    await judge_and_run("{{ x }}{{ ys }}" + template, app)


async def judge_and_run(template: str, app: Pipelex) -> None:
    pipe = {
        "type": "PipeCompose",
        "description": "x",
        "inputs": {"x": "Text", "ys": "Text[]"},
        "output": "Text",
        "template": template,
    }
    library = loaded(to_toml({"domain": "d", "pipe": {"a": pipe}}))
    check_verdict(library)
    if library.verdict.is_valid:
        await run_dry(app, library, "a")


# --- size


def writer(code: str, output: str = "Text") -> dict[str, Any]:
    return {
        "type": "PipeLLM",
        "description": "x",
        "inputs": {"text": "Text"},
        "output": output,
        "prompt": f"{code} $text",
    }


def step_to(code: str) -> dict[str, Any]:
    return {
        "type": "PipeSequence",
        "description": "x",
        "inputs": {"text": "Text"},
        "output": "Text",
        "steps": [{"pipe": code, "result": "text"}],
    }


def many(count: int) -> str:
    """Pipes in families of five: two writers, two sequences and a concept's maker."""
    pipes: dict[str, Any] = {}
    concepts: dict[str, Any] = {}
    for index in range(count // 5):
        concepts[f"C{index}"] = {"description": "x", "structure": {"title": "Title", "note": "Note"}}
        pipes[f"a{index}"] = writer(f"a{index}")
        pipes[f"b{index}"] = writer(f"b{index}")
        pipes[f"c{index}"] = step_to(f"a{index}")
        pipes[f"d{index}"] = step_to(f"c{index}")
        pipes[f"e{index}"] = writer(f"e{index}", f"C{index}")
    return to_toml({"domain": "d", "concept": concepts, "pipe": pipes})


def calls_of(work: Callable[[], T]) -> tuple[int, T]:
    """How many Python functions some work calls in this thread."""
    count = 0

    def note(frame: FrameType, event: str, argument: object) -> None:
        nonlocal count
        del frame, argument
        count += event == "call"

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        result = work()
    finally:
        sys.setprofile(before)
    return count, result


@pytest.mark.slow
def test_ten_thousand_pipes_get_a_verdict() -> None:
    library = loaded(many(10_000))
    assert library.verdict.errors == ()
    assert library.library is not None
    assert len(library.library.pipes) == 10_000


@pytest.mark.slow
def test_many_broken_pipes_get_a_verdict() -> None:
    library = loaded(many(2000).replace('pipe = "', 'pipe = "absent_'))
    check_verdict(library)
    assert len(library.verdict.errors) == 800


def test_validation_grows_with_the_method_and_no_faster() -> None:
    loaded(many(5))  # what is made once for a process is made now
    small, _ = calls_of(lambda: loaded(many(100)))
    large, library = calls_of(lambda: loaded(many(500)))
    assert library.verdict.errors == ()
    assert large < 6 * small


async def test_a_pipe_runs_dry_as_fast_in_a_large_method_as_in_a_small_one(app: Pipelex) -> None:
    import asyncio

    def work(count: int) -> int:
        method = Method(app, loaded(many(count)))

        def once() -> object:
            return asyncio.run(method.run(pipe="d3", dry_run=True, mock=True))

        once()  # what is made once for a process, or for a library, is made now
        return calls_of(once)[0]

    small = await asyncio.to_thread(work, 50)
    large = await asyncio.to_thread(work, 500)
    assert large <= 1.1 * small + 50


async def test_nesting_has_a_limit_and_says_so(app: Pipelex) -> None:
    pipes: Mapping[str, Any] = {"p0": writer("p0")} | {f"p{index}": step_to(f"p{index - 1}") for index in range(1, 600)}
    library = loaded(to_toml({"domain": "d", "pipe": pipes}))
    assert library.verdict.errors == ()
    with pytest.raises(PipelexError) as raised:
        await Method(app, library).run(pipe="p599", dry_run=True, mock=True)
    assert raised.value.report.code == "pipe.stack_overflow"


@pytest.mark.slow
def test_a_long_chain_of_concepts_gets_a_verdict() -> None:
    chain: dict[str, Any] = {"C0": {"description": "x", "structure": {"title": "x"}}}
    for index in range(1, 2000):
        inner = {"type": "concept", "concept_ref": f"C{index - 1}", "description": "x"}
        chain[f"C{index}"] = {"description": "x", "structure": {"inner": inner}}
    pipes = {"a": writer("a", "C1999")}
    check_verdict(loaded(to_toml({"domain": "d", "concept": chain, "pipe": pipes})))
