"""Options that shape the sequence of a durable run's commands."""

from typing import Literal, Self

from pydantic import Field

from pipelex.pipes.calls import RunOptions

ChildPolicy = Literal["every_pipe", "controllers"]
"""The child pipes that run as workflows of their own: all of them, or only those that run other pipes."""


class EngineOptions(RunOptions):
    """The options of a run on an engine that keeps a history. They are fixed at the run's start, and travel with it."""

    slice_size: int = Field(default=500, ge=1)
    """The most items of a batch that one workflow runs; a longer batch is cut into slices of this size."""
    child_workflows: ChildPolicy = "every_pipe"
    """The child pipes that run as workflows of their own."""
    stored_above: int | None = 131_072
    """The size in bytes above which payloads are kept in a store; None if all payloads travel whole. The default is
    also that of a store, so the jobs of a run with a store usually leave it out."""
    large_template_chars: int = Field(default=100_000, ge=0)
    """The number of characters of its values above which a template is rendered in an activity."""

    @classmethod
    def of(
        cls, options: RunOptions, *, child_workflows: ChildPolicy = "every_pipe", stored_above: int | None = None
    ) -> Self:
        """The options of a run, with those of the engine added.

        Args:
            options: the caller's options; any engine options among them are kept.
            child_workflows: the child pipes that run as workflows of their own.
            stored_above: the size in bytes above which the engine keeps payloads in a store; None if it has no store.
        """
        said = {name: getattr(options, name) for name in options.model_fields_set}
        if child_workflows != cls.model_fields["child_workflows"].default:
            said["child_workflows"] = child_workflows
        if stored_above != said.get("stored_above", cls.model_fields["stored_above"].default):
            said["stored_above"] = stored_above
        return cls.model_validate(said)
