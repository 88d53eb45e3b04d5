"""Announces that the tiny local model stands in for a model that cannot be called, and fetches its file in advance."""

from typing import TYPE_CHECKING

from pipelex.cli._shared.console import paint_err, say

if TYPE_CHECKING:
    from pipelex.library import Pipe
    from pipelex.runner import Method, Pipelex


def prepare_stand_in(app: "Pipelex", method: "Method", pipe: "Pipe") -> None:
    """Say that the tiny local model stands in, and fetch its file with a progress bar before the run is shown.

    Raises:
        PipelexError: the file cannot be fetched.
    """
    backend = method.stand_in(pipe.ref)
    if backend is None:
        return
    from pipelex.inference.chat.completions.llama_cpp import fetch_weights
    from pipelex.inference.local.server import has_engine
    from pipelex.inference.local.weights import ANNOUNCED

    for each in app.deck.catalog.backends.values():
        if each.awaited:
            exports = " ".join(f"{name}=…" for name in each.awaited)
            say(f"{paint_err()('note:', 'cyan')} your endpoint {each.id!r} is not used. Type: export {exports}")
    if not has_engine():  # the call that needs the engine says how to install it
        return
    say(
        f"{paint_err()('note:', 'cyan')} no other model can be called, so a tiny local one (SmolLM2-135M) answers: fine for "
        "a trial, not for real work. Set a provider's key, or type: pipelex init"
    )
    fetch_weights(app.deck.catalog.backends[backend], lambda: say(f"{ANNOUNCED}…"))
