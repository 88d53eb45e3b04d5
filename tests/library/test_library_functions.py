import ast
import gc
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelex.library import MethodTree, load_library

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
