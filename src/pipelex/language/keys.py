"""The keys and words that the tables of a bundle may have, told from the blueprints."""

from pydantic import BaseModel

from pipelex.language._sentences import allowed_keys, allowed_words, annotations_at
from pipelex.language.blueprints import Keys

__all__ = ["allowed_keys", "allowed_words", "models_at"]


def models_at(model: type[BaseModel], path: Keys) -> list[type[BaseModel]]:
    """The models that a table at a path inside of a model may be."""
    found = annotations_at(model, path)
    return [each for each in found if isinstance(each, type) and issubclass(each, BaseModel)]
