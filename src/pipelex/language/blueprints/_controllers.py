"""Controllers.

Source: MTHDS 8.0.0, section 7 of the language reference.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal, Self, cast

from pydantic import BeforeValidator, ConfigDict, Field, model_validator

from pipelex.language.blueprints._answers import CalledPipe
from pipelex.language.blueprints._base import (
    ALIASED,
    SPECIAL_OUTCOMES,
    Blueprint,
    DottedPath,
    PipeReference,
    PlainName,
    refuse,
)
from pipelex.language.blueprints._pipe import PipeBlueprint
from pipelex.language.references import Slot
from pipelex.language.templates import TemplateSite


class PipeStep(Blueprint):
    """A step or a branch that runs a pipe."""

    pipe: PipeReference
    """The pipe to run: its code, or its reference with a domain."""
    result: PlainName | None = None
    """The name under which the output is kept."""
    nb_output: int | None = Field(default=None, ge=1)
    """The number of outputs that the pipe is asked for; excludes `multiple_output`."""
    multiple_output: bool | None = None
    """Whether the pipe is asked for a list of any length. Instead of `nb_output`."""
    batch_over: DottedPath | None = None
    """The list, or the path to one, on each item of which the pipe runs. Goes with `batch_as`."""
    batch_as: PlainName | None = None
    """The name of the item for the pipe. Goes with `batch_over`."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.nb_output is not None and self.multiple_output is not None:
            raise refuse(
                "step_multiplicity", "'nb_output' and 'multiple_output' cannot be used together", "multiple_output"
            )
        if (self.batch_over is None) != (self.batch_as is None):
            raise refuse("step_batch", "'batch_over' and 'batch_as' must be set together", "batch_over", "batch_as")
        if self.batch_over is not None and self.batch_over == self.batch_as:
            raise refuse(
                "batch_item",
                f"'batch_as' must differ from the list's own name '{self.batch_over}'",
                "input_item_name",
                "batch_as",
            )
        return self

    @property
    def number(self) -> tuple[bool, int | None] | None:
        """The number of values that the step asks its pipe for: whether it is a list, and its length.

        `nb_output = 1` asks for a single value. None leaves the number to the pipe's declaration.
        """
        if self.nb_output is not None:
            return (True, self.nb_output) if self.nb_output > 1 else (False, None)
        return None if self.multiple_output is None else (self.multiple_output, None)

    def overridden(self, output: Slot) -> Slot:
        """The output slot of the step's pipe, with the number of values that the step asks for."""
        if self.number is None:
            return output
        is_list, count = self.number
        return Slot(output.concept, is_list, count, "plain" if is_list else output.presence)


class BindingStep(Blueprint):
    """A step that copies a value reached by a dotted path under a new name."""

    from_path: DottedPath = Field(alias="from")
    """The dotted path to the value: `invoice.lines`."""
    result: PlainName
    """The name under which the value is kept."""

    model_config: ClassVar[ConfigDict] = ALIASED


def parse_step(value: Any) -> Any:
    """Tell a pipe step from a binding step by its keys."""
    if not isinstance(value, dict):
        return value
    table = cast("dict[str, Any]", value)
    if "pipe" in table and "from" in table:
        raise refuse("binding_step", "a step either runs a 'pipe' or binds a value 'from' a path, not both")
    if "pipe" in table:
        return PipeStep.model_validate(table)
    if "from" in table:
        return BindingStep.model_validate(table)
    raise refuse("step_kind", "a step needs 'pipe', or 'from' to bind a value")


StepEntry = Annotated[PipeStep | BindingStep, BeforeValidator(parse_step)]


class PipeSequenceBlueprint(PipeBlueprint):
    """Pipes one after another."""

    is_controller = True
    has_fixed_output = True

    type: Literal["PipeSequence"]
    steps: tuple[StepEntry, ...] = Field(min_length=1, strict=False)
    """The steps in order: `{ pipe = "…", result = "…" }`, or `{ from = "…", result = "…" }`."""

    def called_pipes(self) -> Iterator[CalledPipe]:
        for index, step in enumerate(self.steps):
            if isinstance(step, PipeStep):
                yield CalledPipe(step.pipe, ("steps", index, "pipe"))

    def own_names(self) -> frozenset[str]:
        return frozenset(step.result for step in self.steps if step.result is not None)

    def run_in_place(self) -> Iterator[str]:
        for step in self.steps:
            if isinstance(step, PipeStep) and step.batch_over is None:
                yield step.pipe

    def given(self, output_of: Callable[[str], Slot | None]) -> Slot | None:
        last = self.steps[-1]
        output = output_of(last.pipe) if isinstance(last, PipeStep) else None
        if output is None or not isinstance(last, PipeStep):
            return None
        slot = last.overridden(output)
        return slot if last.batch_over is None else Slot(slot.concept, is_list=True)


def _parse_branch(value: Any) -> Any:
    if isinstance(value, dict) and "from" in value:
        raise refuse("binding_step", "a branch runs a pipe; a binding step ('from') belongs to a PipeSequence")
    return value  # type: ignore[reportUnknownVariableType]


BranchEntry = Annotated[PipeStep, BeforeValidator(_parse_branch)]


class PipeParallelBlueprint(PipeBlueprint):
    """Pipes side by side, their results combined."""

    is_controller = True
    has_fixed_output = True

    type: Literal["PipeParallel"]
    branches: tuple[BranchEntry, ...] = Field(min_length=1, strict=False)
    """The branches: `{ pipe = "…", result = "…" }`."""
    add_each_output: bool = False
    """Whether each branch's result is kept under its own name as well. False by default."""

    @model_validator(mode="after")
    def _check_branches(self) -> Self:
        names = [branch.result for branch in self.branches]
        if any(name is None for name in names):
            raise refuse("branch_result", "every branch of a PipeParallel needs a 'result'", "branches")
        if len(set(names)) != len(names):
            raise refuse("branch_result", "the branches of a PipeParallel need different 'result' names", "branches")
        if any(branch.batch_over is not None and "." in branch.batch_over for branch in self.branches):
            raise refuse("branch_batch", "in a branch, 'batch_over' is a plain name", "branches")
        if self.output_slot.is_list:
            raise refuse(
                "parallel_output",
                "a PipeParallel returns one combined value: remove the brackets from its output",
                "output",
            )
        return self

    def called_pipes(self) -> Iterator[CalledPipe]:
        for index, branch in enumerate(self.branches):
            yield CalledPipe(branch.pipe, ("branches", index, "pipe"))

    def own_names(self) -> frozenset[str]:
        names = (branch.result for branch in self.branches)
        return frozenset(name for name in names if name is not None) if self.add_each_output else frozenset()


_OPENING = "{{ "


class PipeConditionBlueprint(PipeBlueprint):
    """Chooses a pipe by an expression's value."""

    is_controller = True

    type: Literal["PipeCondition"]
    expression: str | None = None
    """A Jinja2 expression, the text of which chooses the outcome. Instead of `expression_template`."""
    expression_template: str | None = None
    """A Jinja2 template, the text of which chooses the outcome. Instead of `expression`."""
    outcomes: dict[str, PipeReference] = Field(min_length=1)
    """Text → the pipe to run, or `fail` or `continue`."""
    default_outcome: PipeReference
    """The pipe for every other text, or `fail` or `continue`."""
    add_alias_from_expression_to: str | None = None
    """The name by which the value that the text names is known as well."""

    @model_validator(mode="after")
    def _check_expression(self) -> Self:
        if (self.expression is None) == (self.expression_template is None):
            raise refuse(
                "condition_expression",
                "write exactly one of 'expression' and 'expression_template'",
                "expression_template",
                "expression",
            )
        return self

    @classmethod
    def sites_in(cls, table: Mapping[str, Any]) -> Iterator[TemplateSite]:
        if isinstance(table.get("expression"), str):
            text = _OPENING + table["expression"] + " }}"
            yield TemplateSite(("expression",), text, "expression", has_sigils=False, prefix=len(_OPENING))
        if isinstance(table.get("expression_template"), str):
            text = table["expression_template"]
            yield TemplateSite(("expression_template",), text, "expression", has_sigils=False)

    def called_pipes(self) -> Iterator[CalledPipe]:
        for key, outcome in self.outcomes.items():
            if outcome not in SPECIAL_OUTCOMES:
                yield CalledPipe(outcome, ("outcomes", key))
        if self.default_outcome not in SPECIAL_OUTCOMES:
            yield CalledPipe(self.default_outcome, ("default_outcome",))

    def given(self, output_of: Callable[[str], Slot | None]) -> Slot | None:
        outputs = {output for called in self.called_pipes() if (output := output_of(called.ref)) is not None}
        return outputs.pop() if len(outputs) == 1 else None

    @property
    def template_text(self) -> str:
        """The condition as a template: `x` is `{{ x }}`."""
        if self.expression_template is not None:
            return self.expression_template
        return _OPENING + (self.expression or "") + " }}"

    @property
    def can_continue(self) -> bool:
        return "continue" in self.outcomes.values() or self.default_outcome == "continue"


class PipeBatchBlueprint(PipeBlueprint):
    """Runs one pipe on every item of a list."""

    is_controller = True
    has_fixed_output = True
    has_fixed_input = True

    type: Literal["PipeBatch"]
    branch_pipe_code: PipeReference
    """The pipe that runs on each item."""
    input_list_name: PlainName
    """The input that holds the list."""
    input_item_name: PlainName
    """The name of the item for the pipe."""

    @model_validator(mode="after")
    def _check_names(self) -> Self:
        if self.input_item_name == self.input_list_name or self.input_item_name in self.inputs:
            raise refuse(
                "batch_item",
                f"'{self.input_item_name}' names the item: it must differ from the list and from every input",
                "input_item_name",
                "batch_as",
            )
        if self.input_list_name not in self.inputs:
            raise refuse(
                "batch_list",
                f"'input_list_name' must be one of the inputs; '{self.input_list_name}' is not",
                "input_list_name",
            )
        if not self.input_slots[self.input_list_name].is_list:
            raise refuse("batch_list", f"input '{self.input_list_name}' must be a list: write '…[]'", "input_list_name")
        if not (self.output_slot.is_list or self.output_slot.takes_any_number):
            raise refuse("batch_output", "a PipeBatch returns a list: write '…[]' on its output", "output")
        return self

    def called_pipes(self) -> Iterator[CalledPipe]:
        yield CalledPipe(self.branch_pipe_code, ("branch_pipe_code",))

    def given(self, output_of: Callable[[str], Slot | None]) -> Slot | None:
        output = output_of(self.branch_pipe_code)
        return None if output is None else Slot(output.concept, True, self.output_slot.count)
