"""The capabilities that a call needs from its model.

They are checked when a method is validated, and again before anything is sent.
"""

from collections.abc import Iterable

from pipelex.inference.deck.catalog import ModelEntry

STRUCTURE, IMAGES, DOCUMENTS, REFERENCES = "structured output", "images", "documents", "reference images"


def lacking(entry: ModelEntry, wanted: Iterable[str]) -> str | None:
    """The first wanted capability that the model lacks, by its entry in the backend's file; None when it has all."""
    table = entry.table
    images = "image" if table.model_type == "text_extractor" else "images"
    has = {
        STRUCTURE: "structured" in table.outputs,
        IMAGES: images in table.inputs,
        DOCUMENTS: "pdf" in table.inputs,
        REFERENCES: "images" in table.inputs and table.rules.input_images != "none",
    }
    return next((what for what in wanted if not has.get(what, True)), None)
