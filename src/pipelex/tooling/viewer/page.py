"""The viewer with the data of a run in it."""

import html
import json
from collections.abc import Mapping
from importlib.resources import files

from pipelex.errors.json import Json, as_object


def run_page(document: Mapping[str, Json]) -> str:
    """A run's page, whole in itself.

    Args:
        document: the document that `run_document` gives.

    Returns:
        HTML. Its policy lets only the viewer's own script run, and nothing load from elsewhere.
    """
    page = files("pipelex.tooling.viewer").joinpath("viewer.html").read_text(encoding="utf-8")
    data = json.dumps(document, ensure_ascii=False, separators=(",", ":"), default=str)
    before, _, after = page.partition("{{RUN}}")
    before = before.replace("{{TITLE}}", html.escape(str(as_object(document["run"])["pipe"])), 1)
    # Inside a script element, only `<` can end or change what the text is.
    return before + data.replace("<", "\\u003c") + after
