"""The viewer with the data of a run in it."""

import html
import json
from collections.abc import Mapping
from importlib.resources import files

from pipelex.errors.json import Json, as_object


def run_page(document: Mapping[str, Json]) -> str:
    """The self-contained page of a run.

    Args:
        document: the document that `run_document` returned.

    Returns:
        HTML. Its policy only allows the viewer's own script, and no loading from elsewhere.
    """
    page = files("pipelex.tooling.viewer").joinpath("viewer.html").read_text(encoding="utf-8")
    data = json.dumps(document, ensure_ascii=False, separators=(",", ":"), default=str)
    before, _, after = page.partition("{{RUN}}")
    before = before.replace("{{TITLE}}", html.escape(str(as_object(document["run"])["pipe"])), 1)
    # Inside a script element, only `<` can end the element or change how the text is parsed.
    return before + data.replace("<", "\\u003c") + after
