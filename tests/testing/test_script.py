from typing import Any

import pytest
from pydantic import BaseModel

from pipelex.testing import Asked, ScriptedModel, in_order


def asked(pipe: str | None = None, prompt: str = "What?", **more: Any) -> Asked:
    return Asked("llm", "some-model", pipe, prompt, **more)


def test_answers_are_given_in_order() -> None:
    model = ScriptedModel("one", {"two": 2})
    assert [model.answer(asked()), model.answer(asked())] == ["one", {"two": 2}]
    with pytest.raises(AssertionError, match=r"no answer left; greet asked some-model: 'Hello'"):
        model.answer(asked("greet", "Hello"))


def test_a_pipes_answer_is_given_every_time_or_in_order() -> None:
    model = ScriptedModel("rest", pipes={"a": "always", "b": in_order("first", "second")})
    assert [model.answer(asked("a")) for _ in range(3)] == ["always"] * 3
    assert [model.answer(asked("b")) for _ in range(3)] == ["first", "second", "rest"]


def test_a_list_of_a_pipe_is_one_answer() -> None:
    model = ScriptedModel(pipes={"a": ["x", "y"]})
    assert model.answer(asked("a")) == ["x", "y"] == model.answer(asked("a"))


def test_a_function_answers_before_the_answers_in_order() -> None:
    model = ScriptedModel("never", pipes={"a": "of the pipe"}, respond=lambda one: one.prompt.upper())
    assert [model.answer(asked("a")), model.answer(asked("b", "loud"))] == ["of the pipe", "LOUD"]


def test_a_script_is_not_shared_by_models() -> None:
    script = {"a": in_order("x")}
    for _ in range(2):
        assert ScriptedModel(pipes=script).answer(asked("a")) == "x"


def test_what_was_asked_can_be_asserted() -> None:
    model = ScriptedModel(respond=lambda _: "yes")
    for pipe, prompt in (("a", "apples"), ("a", "pears"), ("b", "apples")):
        model.answer(asked(pipe, prompt, system="Be brief."))

    assert len(model.assert_asked(containing="apples")) == 2
    assert model.assert_asked(1, pipe="a", containing="apples") == [model.asked[0]]
    assert model.assert_asked(3, containing="Be brief")
    assert model.assert_asked(0, pipe="c") == []
    with pytest.raises(AssertionError, match=r"(?s)expected 1 request of pipe 'a' with '', found 2:.*pears"):
        model.assert_asked(1, pipe="a")
    with pytest.raises(AssertionError, match=r"at least one request with 'plums', found 0"):
        model.assert_asked(containing="plums")
    with pytest.raises(AssertionError, match="nothing was asked"):
        ScriptedModel().assert_asked()


def test_what_is_left_can_be_asserted() -> None:
    class Dish(BaseModel):
        name: str

    model = ScriptedModel("one", Dish(name="Soup"), pipes={"a": "always", "b": in_order("x", "y")})
    model.answer(asked("b"))
    with pytest.raises(AssertionError, match=r"3 answers .*'one', Dish\(name='Soup'\), 'y'"):
        model.assert_used_up()
    for pipe in ("b", "c", "c"):
        model.answer(asked(pipe))
    model.assert_used_up()
