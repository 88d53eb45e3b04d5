"""What of a run comes before a pipe, as its tree tells it."""

import pytest

from pipelex.pipes.trace import EffectTrace, PipeTrace, pipes_of
from pipelex.pipes.traces.steps import Step, step_of, without_later, without_slices


@pytest.mark.parametrize(
    ("id_", "step"),
    [
        ("run/2-analyze[17]", Step(2, "analyze", 17)),
        ("run/x/1-summarize", Step(1, "summarize", None)),
        ("run/analyze[0]", Step(None, "analyze", 0)),
        ("run/long_text", Step(None, "long_text", None)),
        ("run", Step(None, "run", None)),
        ("run/[3]", Step(None, "", 3)),
    ],
)
def test_steps(id_: str, step: Step) -> None:
    assert step_of(id_) == step


def tree(id_: str, type_: str, *children: PipeTrace) -> PipeTrace:
    code = step_of(id_).name
    trace = PipeTrace(id_, f"harbour.{code}", type_, children=list(children))
    if not children:
        trace.effects = [EffectTrace("act_llm_gen_text", f"LLM text · pipe={code} · model=m")]
    return trace


def left(root: PipeTrace, pipe: str) -> list[str]:
    found = without_later(root, pipe)
    return [] if found is None else [each.id for each in pipes_of(found) if each.effects]


def test_what_comes_before_a_pipe() -> None:
    inner = tree(
        "r/2-inner", "PipeSequence", tree("r/2-inner/1-a", "PipeLLM"), tree("r/2-inner/2-b", "PipeLLM"), tree("r/2-inner/3-c", "PipeLLM")
    )  # fmt: skip
    both = tree("r/3-both", "PipeParallel", tree("r/3-both/d", "PipeLLM"), tree("r/3-both/e", "PipeLLM"))
    items = tree("r/4-all", "PipeBatch", *(tree(f"r/4-all/f[{n}]", "PipeLLM") for n in range(2)))
    root = tree("r", "PipeSequence", tree("r/1-first", "PipeLLM"), inner, both, items)
    assert left(root, "harbour.first") == []
    assert left(root, "b") == ["r/1-first", "r/2-inner/1-a"]
    assert left(root, "d") == ["r/1-first", "r/2-inner/1-a", "r/2-inner/2-b", "r/2-inner/3-c", "r/3-both/e"]
    assert left(root, "harbour.f") == left(root, "f") == left(root, "all")
    assert len(left(root, "f")) == 6
    assert without_later(root, "other.b") is without_later(root, "unknown") is root
    assert without_later(root, "r") is None


def test_parts_of_a_batch_are_no_pipes() -> None:
    inner = tree("r/4-all[4-5]", "PipeBatchSlice", tree("r/4-all[4]", "PipeLLM"), tree("r/4-all[5]", "PipeLLM"))
    outer = tree("r/4-all[0-5]", "PipeBatchSlice", tree("r/4-all[0]", "PipeLLM"), inner)
    outer.effects = [EffectTrace("act_llm_gen_text", "LLM text · pipe=all[1]")]
    root = tree("r", "PipeSequence", tree("r/1-first", "PipeLLM"), outer)
    flat = without_slices(root)
    assert [each.id for each in pipes_of(flat)] == ["r", "r/1-first", "r/4-all[0]", "r/4-all[4]", "r/4-all[5]"]
    assert flat.effects == outer.effects
    plain = tree("r", "PipeSequence", tree("r/1-first", "PipeLLM"))
    assert without_slices(plain) is plain


def test_pipes_that_ran_inside_anothers_workflow() -> None:
    root = PipeTrace("r", "main", "PipeSequence")
    root.effects = [EffectTrace("act_llm_gen_text", f"LLM text · pipe={code} · model=m") for code in "abab"]
    assert [effect.summary for effect in (without_later(root, "x.b") or root).effects] == [root.effects[0].summary]
    assert without_later(root, "c") is root
    root.effects = [
        EffectTrace("act_llm_gen_text", f"LLM text · pipe={code} · model=m") for code in ("a", "b[0]", "b[1]")
    ]
    assert (without_later(root, "x.b") or root).effects == root.effects[:1]
