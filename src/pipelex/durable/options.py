"""Options that shape the sequence of a durable run's commands."""

from typing import Literal, Self

from pydantic import Field

from pipelex.pipes.calls import RunOptions

ChildPolicy = Literal["every_pipe", "controllers"]
"""The child pipes that are workflows of their own: all, or only those that run other pipes."""


class EngineOptions(RunOptions):
    """A run's options, and those of an engine that keeps a history: fixed when the run starts, and travel with it."""

    slice_size: int = Field(default=500, ge=1)
    """The most items of a batch that one workflow runs; a longer batch is cut into slices of this size."""
    child_workflows: ChildPolicy = "every_pipe"
    """The child pipes that are workflows of their own."""
    stored_above: int | None = 131_072
    """The size in bytes above which payloads are kept in a store by whatever carries them; None when all travel whole.
    The default is that of a store, so that the jobs of a run with one need not say it."""
    large_template_chars: int = Field(default=100_000, ge=0)
    """The number of characters above which the values of a template make it an activity."""

    @classmethod
    def of(
        cls, options: RunOptions, *, child_workflows: ChildPolicy = "every_pipe", stored_above: int | None = None
    ) -> Self:
        """A run's options as an engine is to carry them out.

        Args:
            options: the caller's; members of an engine among them stay.
            child_workflows: the child pipes that are workflows of their own.
            stored_above: bytes from which the engine keeps payloads in a store; None: it has none.
        """
        said = {name: getattr(options, name) for name in options.model_fields_set}
        if child_workflows != cls.model_fields["child_workflows"].default:
            said["child_workflows"] = child_workflows
        if stored_above != said.get("stored_above", cls.model_fields["stored_above"].default):
            said["stored_above"] = stored_above
        return cls.model_validate(said)
