import ast
import gc
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelex.library import MethodTree, load_library, load_library_files

BUNDLE = """
domain = "shop"
main_pipe = "total"

[pipe.total]
type = "PipeFunc"
description = "Add up"
inputs = { amounts = "Number[]" }
output = "Number"
function_name = "sums.total"
"""


class ParsesAtItsEnd:
    """Garbage whose finalizer parses, deeper in the stack, as the printing of a traceback does."""

    def __init__(self) -> None:
        self.me = self

    def __del__(self) -> None:
        parse_below(20)


def parse_below(depth: int) -> None:
    if depth:
        parse_below(depth - 1)
    else:
        ast.parse("f(a.b.c(d))")


@pytest.fixture
def eager_collector() -> Iterator[None]:
    usual = gc.get_threshold()
    gc.set_threshold(5)
    yield
    gc.set_threshold(*usual)


@pytest.mark.usefixtures("eager_collector")
def test_a_module_is_read_though_a_finalizer_parses_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "method.mthds").write_text(BUNDLE, encoding="utf-8")
    filler = "\n".join(f"def other_{rank}():\n    return [1, {{'a': f(2, 3)}}]" for rank in range(50))
    (tmp_path / "sums.py").write_text(f"{filler}\n\ndef total(amounts):\n    return 0\n", encoding="utf-8")
    read = MethodTree.read

    def read_with_garbage_left(tree: MethodTree, path: str) -> bytes | None:
        found = read(tree, path)
        for _ in range(3):
            ParsesAtItsEnd()
        return found

    monkeypatch.setattr(MethodTree, "read", read_with_garbage_left)
    for _ in range(5):
        assert load_library([tmp_path / "method.mthds"]).verdict.errors == ()


SOURCES = {
    "def total(amounts): ...": None,
    "async def total(amounts, *, digits=2): ...": None,
    "def total(inputs): ...": None,
    "def total(**inputs): ...": None,
    "def total(amounts, digits=2, **rest): ...": None,
    "def total(): ...": None,
    "import functools\n@functools.wraps(print)\ndef total(whatever): ...": None,
    "def total(amount): ...": "its parameter 'amount' is not an input of the pipe; did you mean 'amounts'?",
    "def total(amounts, rate): ...": "its parameter 'rate' is not an input of the pipe; the inputs are: amounts",
    "def total(amounts, *, rate): ...": "its parameter 'rate' is not an input of the pipe",
    "def total(amounts, /): ...": "its parameter 'amounts' cannot be passed by name",
    "def total(*amounts): ...": "its parameter 'amounts' cannot be passed by name",
    "def total(inputs, rate): ...": "its parameter 'inputs' is not an input of the pipe",
    "def total(working_memory): ...": "write 'def total(amounts)': inputs are passed by name",
    "from pipelex.tools.registry import pipe_func\n@pipe_func()\nasync def total(working_memory): ...": (
        "write 'async def total(amounts)' without '@pipe_func' and its import"
    ),
    "from pipelex import pipe_func\n@pipe_func\ndef total(amounts): ...": "its module imports 'pipe_func'",
}


@pytest.mark.parametrize("source", SOURCES)
def test_what_a_function_takes_is_read_in_its_source(source: str) -> None:
    says = SOURCES[source]
    faults = load_library_files({"method.mthds": BUNDLE, "sums.py": source}).verdict.errors
    if says is None:
        assert faults == ()
        return
    (fault,) = faults
    assert (fault.code, fault.category) == ("method.function_invalid", "pipe_func_function_refused")
    assert says in fault.detail
    assert fault.location.field == "function_name"
