"""A project's models, for all of which a script answers."""

from dataclasses import replace

from pipelex.inference import Backend, ModelDeck, ModelEntry
from pipelex.inference.deck.catalog import INTERNAL
from pipelex.testing._providers import SDK, keep
from pipelex.testing._script import ScriptedModel

_REAL_FAMILIES = ("text_extractor", "doc_gen")


def scripted_deck(deck: ModelDeck, model: ScriptedModel) -> ModelDeck:
    """A deck with the same handles, aliases, presets and capabilities, in which a script answers for all models.

    Every backend counts as ready, even if its key is missing here. The engines of this package stay real: text
    extraction from documents, and printing documents.
    """
    name = keep(model)
    backends = {id: _scripted(backend, name) for id, backend in deck.catalog.backends.items()}
    return replace(deck, catalog=replace(deck.catalog, backends=backends))


def _scripted(backend: Backend, script: str) -> Backend:
    table = backend.table.model_copy(update={"enabled": True, "api_key": None, "script": script})
    models = tuple(
        model if backend.id == INTERNAL and model.table.model_type in _REAL_FAMILIES else _answered(model)
        for model in backend.models
    )
    return replace(backend, table=table, models=models, missing=(), variables=())


def _answered(model: ModelEntry) -> ModelEntry:
    table = model.table.model_copy(update={"enabled": True, "sdk": SDK})
    return replace(model, table=table, missing=())
