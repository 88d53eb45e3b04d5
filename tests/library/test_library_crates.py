"""Crates, closures, shapes and names; large libraries in bounded time."""

import gc
import time
import tracemalloc

import pytest

from pipelex.content.inputs import UnresolvedConcept
from pipelex.content.structure import ListShape, ObjectShape
from pipelex.errors import PipelexError
from pipelex.library import Library, LibraryCrate, LinkedLibraries, load_library_files
from pipelex.library._cycles import pipe_cycles
from tests.support.methods import library_of
from tests.support.untyped import untyped

TEXT = """
domain = "harbour"
system_prompt = "Be brief."
[concept]
Unused = "Nobody needs this"
[concept.Berth]
description = "A berth"
hints = { intent = "label" }
[concept.Berth.structure]
code = { type = "text", description = "Code", required = true, hints = { intent = "label" } }
cranes = { type = "list", item_type = "concept", item_concept_ref = "Crane", description = "Cranes" }
[concept.Crane]
description = "A crane"
structure = { name = "Name" }
[concept.DeepBerth]
description = "A deep berth"
refines = "Berth"
[pipe.unused]
type = "PipeLLM"
description = "x"
output = "Unused"
prompt = "x"
[pipe.pick]
type = "PipeLLM"
description = "Pick a berth"
inputs = { notice = { concept = "Text", hints = { intent = "prose" } } }
output = "DeepBerth"
prompt = "$notice"
[pipe.greet]
type = "PipeLLM"
description = "Greet"
inputs = { notice = "Text" }
output = "Text"
prompt = "$notice"
system_prompt = "Be kind."
[pipe.main]
type = "PipeSequence"
description = "x"
inputs = { notice = "Text" }
output = "Text"
steps = [{ pipe = "pick", result = "berth" }, { pipe = "greet", result = "hello" }]
[pipe.outer]
type = "PipeSequence"
description = "x"
inputs = { notice = "Text" }
output = "Text"
steps = [{ pipe = "main" }, { pipe = "greet", result = "again" }]
"""


@pytest.fixture(scope="module")
def library() -> Library:
    return library_of(TEXT)


def test_a_closure_has_what_its_pipe_reaches_and_no_more(library: Library) -> None:
    crate = library.closure("harbour.main")
    assert set(crate.pipes) == {"harbour.main", "harbour.pick", "harbour.greet"}
    assert set(crate.concepts) == {"harbour.DeepBerth", "harbour.Berth", "harbour.Crane"}
    assert b"hints" not in crate.json_bytes


def test_the_crate_of_a_leaf_is_small(library: Library) -> None:
    crate = library.closure("harbour.greet")
    assert set(crate.pipes) == {"harbour.greet"}
    assert crate.concepts == {}
    assert len(crate.json_bytes) < 300
    assert len(library.closure("harbour.pick").json_bytes) < 1000


def test_a_bundle_s_system_prompt_is_folded_in(library: Library) -> None:
    crates = {code: library.closure(f"harbour.{code}").json_bytes for code in ("pick", "greet")}
    assert b"Be brief." in crates["pick"]
    assert b"Be kind." in crates["greet"]
    assert b"Be brief." not in crates["greet"]


def test_crates_come_back_from_bytes_the_same(library: Library) -> None:
    for ref in library.pipes:
        crate = library.closure(ref)
        back = LibraryCrate.from_json_bytes(crate.json_bytes)
        assert back == crate
        assert back.fingerprint == crate.fingerprint
        assert Library(back).closure(ref) == crate


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"pipes": {"a.b": {"type": "Nothing"}}}', b"[" * 100_000])
def test_bytes_that_are_no_crate_are_refused(data: bytes) -> None:
    with pytest.raises(PipelexError) as caught:
        LibraryCrate.from_json_bytes(data)
    assert caught.value.code == "method.package_invalid"


def test_a_crate_that_contains_itself_is_refused_not_followed() -> None:
    data = (
        b'{"concepts":{"d.A":{"description":"x","refines":"d.B"},"d.B":{"description":"x","refines":"d.A"}},"pipes":{}}'
    )
    with pytest.raises(PipelexError) as caught:
        Library(LibraryCrate.from_json_bytes(data)).shape("d.A")
    assert caught.value.code == "method.cycle"


def test_libraries_are_linked_once_and_the_oldest_is_dropped(library: Library) -> None:
    cache = LinkedLibraries(most=2)
    one, two, three = (library.closure(f"harbour.{code}").json_bytes for code in ("pick", "greet", "main"))
    first = cache.get(one)
    assert cache.get(one) is first
    cache.get(two)
    cache.get(three)
    assert cache.get(one) is not first


def test_large_libraries_leave_earlier_than_small_ones(library: Library) -> None:
    one, two, three = (library.closure(f"harbour.{code}").json_bytes for code in ("pick", "greet", "main"))
    cache = LinkedLibraries(most_bytes=len(one) + len(two))
    first, second = cache.get(one), cache.get(two)
    assert (cache.get(one), cache.get(two)) == (first, second)
    third = cache.get(three)
    assert cache.get(three) is third, "the library used last always stays"
    assert cache.get(one) is not first


def test_shapes_follow_refinement_and_nesting(library: Library) -> None:
    shape = library.shape("harbour.DeepBerth")
    assert isinstance(shape, ObjectShape)
    assert (shape.concept, shape.description) == ("harbour.DeepBerth", "A deep berth")
    cranes = shape.field("cranes")
    assert cranes is not None
    assert cranes.shape == ListShape(library.shape("harbour.Crane"))
    text = library.shape("harbour.Unused")
    assert isinstance(text, ObjectShape)
    assert (text.native, [field.name for field in text.fields]) == ("Text", ["text"])


def test_names_left_by_nested_pipes(library: Library) -> None:
    assert library.inner_names("harbour.main") == {"berth", "hello"}
    assert library.inner_names("harbour.outer") == {"berth", "hello", "again"}
    assert library.inner_names("harbour.pick") == frozenset()


def test_concepts_are_resolved_as_inputs_name_them(library: Library) -> None:
    assert library.resolve("Berth") == "harbour.Berth"
    assert library.resolve("harbour.Berth") == "harbour.Berth"
    assert library.resolve("Text") == "native.Text"
    with pytest.raises(UnresolvedConcept) as caught:
        library.resolve("Berht")
    assert "Berth" in caught.value.suggestions


# --- size -------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("length", [1, 2, 1000])
def test_cycles_of_any_length_are_found(length: int) -> None:
    concepts = [
        f'[concept.C{number}]\ndescription = "x"\nrefines = "C{(number + 1) % length}"\n' for number in range(length)
    ]
    nested = [
        f'[concept.N{number}]\ndescription = "x"\n[concept.N{number}.structure]\n'
        f'inner = {{ type = "concept", concept_ref = "N{(number + 1) % length}", description = "x" }}\n'
        for number in range(length)
    ]
    pipes = [
        f'[pipe.p{number}]\ntype = "PipeSequence"\ndescription = "x"\noutput = "Text"\n'
        f'steps = [{{ pipe = "p{(number + 1) % length}" }}]\n'
        for number in range(length)
    ]
    text = 'domain = "d"\n' + "".join((*concepts, *nested, *pipes))
    found = load_library_files({"a.mthds": text}).verdict.errors
    assert [(fault.code, fault.params["kind"], len(untyped(fault.params["cycle"]))) for fault in found] == [
        ("method.cycle", "refines", length + 1),
        ("method.cycle", "structure", length + 1),
        ("method.cycle", "pipe", length + 1),
    ]
    assert all(len(fault.detail) < 300 for fault in found)


@pytest.mark.slow
def test_a_long_chain_is_no_cycle() -> None:
    length = 1500
    concepts = [f'[concept.C{number}]\ndescription = "x"\nrefines = "C{number + 1}"\n' for number in range(length)]
    pipes = [
        f'[pipe.p{number}]\ntype = "PipeSequence"\ndescription = "x"\noutput = "C0"\n'
        f'steps = [{{ pipe = "p{number + 1}", result = "r{number}" }}]\n'
        for number in range(length)
    ]
    end = f'[concept]\nC{length} = "x"\n' + LEAF.format(code=f"p{length}", output="C0")
    loaded = load_library_files({"a.mthds": 'domain = "d"\n' + "".join((*concepts, end, *pipes))})
    assert loaded.verdict.errors == ()
    assert loaded.library is not None
    assert not list(pipe_cycles(loaded.library.crate.pipes))
    assert len(loaded.library.inner_names("d.p0")) == length
    assert len(loaded.library.closure("d.p0").pipes) == length + 1


LEAF = '[pipe.{code}]\ntype = "PipeLLM"\ndescription = "x"\noutput = "{output}"\nprompt = "x"\n'


def large(pipes: int, *, step: str) -> str:
    parts = ['domain = "large"\n[concept.Note]\ndescription = "x"\nstructure = { title = "Title" }\n']
    for number in range(0, pipes, 10):
        steps = ", ".join(f'{{ pipe = "{step}{number}_{index}", result = "r{index}" }}' for index in range(9))
        parts.append(
            f'[pipe.s{number}]\ntype = "PipeSequence"\ndescription = "x"\ninputs = {{ n = "Text" }}\noutput = "Note"\n'
            f"steps = [{steps}]\n"
        )
        parts += [
            f'[pipe.p{number}_{index}]\ntype = "PipeLLM"\ndescription = "x"\ninputs = {{ n = "Text" }}\n'
            f'output = "Note"\nprompt = "$n"\n'
            for index in range(9)
        ]
    return "".join(parts)


@pytest.mark.slow
@pytest.mark.parametrize(("pipes", "seconds"), [(500, 2), (10_000, 30)])
def test_large_libraries_take_bounded_time(pipes: int, seconds: float) -> None:
    text = large(pipes, step="p")
    start = time.perf_counter()
    loaded = load_library_files({"a.mthds": text})
    assert time.perf_counter() - start < seconds
    assert loaded.verdict.errors == ()
    assert len(loaded.linked.crate.pipes) == pipes


@pytest.mark.slow
def test_thousands_of_faults_take_bounded_time() -> None:
    text = large(2000, step="q")
    start = time.perf_counter()
    errors = load_library_files({"a.mthds": text}).verdict.errors
    assert time.perf_counter() - start < 20
    assert len(errors) == 1800
    assert {fault.code for fault in errors} == {"method.pipe_unresolved"}


@pytest.mark.slow
def test_what_linked_libraries_hold_is_bounded_by_their_bytes() -> None:
    """Eight crates of 1.9 MB: what the cache keeps of them takes about twenty times the bytes of those that stay."""
    most = 4_000_000
    cache, sizes = LinkedLibraries(most_bytes=most), list[int]()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for number in range(8):
            text = "x" * 60
            members = ",".join(
                f'"d{number}.p{pipe}":{{"type":"PipeLLM","description":"{text}","output":"native.Text","prompt":"{text}"}}'
                for pipe in range(9_500)
            )
            data = f'{{"concepts":{{}},"pipes":{{{members}}}}}'.encode()
            sizes.append(len(data))
            cache.get(data)
            del data, members
        gc.collect()
        held = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert all(1_700_000 < size < 2_100_000 for size in sizes), sizes
    assert held < 25 * most
