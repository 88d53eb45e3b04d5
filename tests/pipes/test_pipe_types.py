"""The table of pipe types, and that everything registered beside it is complete."""

from typing import Any, get_args

import pytest

from pipelex.inference.deck.schema import PRESETS, DeckTables
from pipelex.inference.families import FAMILIES
from pipelex.language.blueprints import (
    CONTROLLERS,
    PIPE_TYPES,
    ModelFamily,
    PipeBatchBlueprint,
    PipeBlueprint,
    PipeConditionBlueprint,
    PipeLLMBlueprint,
    PipeParallelBlueprint,
    PipeSequenceBlueprint,
    PipeSignatureBlueprint,
)
from pipelex.language.references import Slot
from pipelex.library._validate._rules import RULES
from pipelex.pipes.effects.kinds import EFFECTS
from pipelex.pipes.semantics import SEMANTICS
from pipelex.temporal.config.catalog import WORKFLOWS
from pipelex.temporal.worker.workflow_types import WORKFLOWS as DEFINITIONS
from pipelex.tooling.graph._build import DRAWINGS

ALL = {*PIPE_TYPES, PipeSignatureBlueprint.type_name()}

HEAD: dict[str, Any] = {"description": "d", "inputs": {"items": "Text[]", "name": "Text"}, "output": "Text"}
SEQUENCE = PipeSequenceBlueprint.model_validate(
    HEAD
    | {
        "type": "PipeSequence",
        "steps": [
            {"pipe": "one", "result": "first"},
            {"from": "first", "result": "copy"},
            {"pipe": "two", "batch_over": "items", "batch_as": "item", "result": "second"},
            {"pipe": "one", "nb_output": 2},
        ],
    }
)
PARALLEL = PipeParallelBlueprint.model_validate(
    HEAD
    | {
        "type": "PipeParallel",
        "add_each_output": True,
        "branches": [{"pipe": "one", "result": "a"}, {"pipe": "two", "result": "b"}],
    }
)
CONDITION = PipeConditionBlueprint.model_validate(
    HEAD
    | {
        "type": "PipeCondition",
        "expression": "name",
        "outcomes": {"x": "one", "y": "fail", "z.w": "two"},
        "default_outcome": "continue",
    }
)
BATCH = PipeBatchBlueprint.model_validate(
    HEAD
    | {
        "type": "PipeBatch",
        "output": "Text[]",
        "branch_pipe_code": "one",
        "input_list_name": "items",
        "input_item_name": "item",
    }
)


def test_every_type_has_one_entry_wherever_types_are_registered() -> None:
    assert SEMANTICS.keys() == RULES.keys() == ALL
    assert DRAWINGS.keys() == CONTROLLERS
    assert {name for name, rules in RULES.items() if rules.flow is not None} == CONTROLLERS
    assert tuple(DEFINITIONS) == WORKFLOWS == tuple(PIPE_TYPES)
    for name, definition in DEFINITIONS.items():
        assert definition.__name__ == f"{name}Workflow"


def test_every_family_of_models_is_asked_for_by_a_type_and_performed_by_an_effect() -> None:
    assert set(FAMILIES) == set(PRESETS) == set(DeckTables.model_fields) == set(get_args(ModelFamily))
    assert {kind.family for kind in EFFECTS if kind.family is not None} == set(FAMILIES)


@pytest.mark.parametrize(
    ("blueprint", "called"),
    [
        (SEQUENCE, [("one", ("steps", 0, "pipe")), ("two", ("steps", 2, "pipe")), ("one", ("steps", 3, "pipe"))]),
        (PARALLEL, [("one", ("branches", 0, "pipe")), ("two", ("branches", 1, "pipe"))]),
        (CONDITION, [("one", ("outcomes", "x")), ("two", ("outcomes", "z.w"))]),
        (BATCH, [("one", ("branch_pipe_code",))]),
        (PipeLLMBlueprint.model_validate(HEAD | {"type": "PipeLLM", "prompt": "$name @items"}), []),
    ],
)
def test_a_blueprint_knows_the_pipes_it_runs_and_can_run_others(
    blueprint: PipeBlueprint, called: list[tuple[str, tuple[str | int, ...]]]
) -> None:
    assert list(blueprint.called_pipes()) == called
    other = blueprint.with_callees(lambda pipe: f"d.{pipe.ref}")
    assert list(other.called_pipes()) == [(f"d.{ref}", keys) for ref, keys in called]
    assert type(other) is type(blueprint)
    back = other.with_callees(lambda pipe: pipe.ref.removeprefix("d."))
    assert back == blueprint


def test_the_names_a_pipe_leaves_in_its_callers_memory() -> None:
    assert SEQUENCE.own_names() == {"first", "copy", "second"}
    assert list(SEQUENCE.run_in_place()) == ["one", "one"]
    assert PARALLEL.own_names() == {"a", "b"}
    assert PARALLEL.model_copy(update={"add_each_output": False}).own_names() == frozenset()
    assert CONDITION.own_names() == BATCH.own_names() == frozenset()


def test_what_the_pipes_it_runs_make_a_controller_give() -> None:
    outputs = {"one": Slot("d.One"), "two": Slot("d.Two")}
    assert SEQUENCE.given(outputs.get) == Slot("d.One", is_list=True, count=2)
    assert BATCH.given(outputs.get) == Slot("d.One", is_list=True)
    assert PARALLEL.given(outputs.get) is None
    assert CONDITION.given(outputs.get) is None
    assert CONDITION.given({"one": Slot("d.One"), "two": Slot("d.One")}.get) == Slot("d.One")


@pytest.mark.parametrize(
    ("keys", "is_text", "asked"),
    [
        ({}, True, [("model", "text", "templates")]),
        ({}, False, [("model", "object", "templates")]),
        ({"model": "a", "model_to_structure": "b"}, True, [("model", "text", "templates")]),
        (
            {"model": "a", "model_to_structure": "b"},
            False,
            [("model", "text", "text"), ("model_to_structure", "object", "templates")],
        ),
        (
            {"structuring_method": "preliminary_text"},
            False,
            [("model", "text", "templates"), ("model", "object", "text")],
        ),
    ],
)
def test_a_blueprint_knows_the_models_it_asks_for(
    keys: dict[str, str], is_text: bool, asked: list[tuple[str, str, str]]
) -> None:
    blueprint = PipeLLMBlueprint.model_validate(HEAD | {"type": "PipeLLM", "prompt": "$name @items"} | keys)
    found = list(blueprint.asked_models(is_text=is_text))
    assert [(model.key, model.purpose, model.handed) for model in found] == asked
    assert {model.family for model in found} == {"llm"}
