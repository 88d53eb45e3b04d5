"""What workflow code needs of the layers it may not import."""

from typing import Protocol

from pipelex.pipes.models import ModelChoice, ResolvedModel


class ModelResolver(Protocol):
    """Something that knows the model deck; `pipelex.inference.Inference` is one."""

    def resolve(self, choice: ModelChoice) -> ResolvedModel: ...
