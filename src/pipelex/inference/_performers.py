from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from pipelex.inference._service import Inference


def performers(inference: Inference) -> Mapping[str, Callable[[Any], Awaitable[Any]]]:
    """Who performs each effect here: activity name → a coroutine function from its job to its result.

    An effect that is not listed cannot be performed by this release.
    """
    return {
        "act_llm_gen_text": inference.generate_text,
        "act_llm_gen_object": inference.generate_object,
        "act_llm_gen_object_list": inference.generate_object_list,
    }
