"""The JSON of an answer."""

import json
import re

from pipelex.content.stuff import Json


def read_json(text: str) -> Json:
    """The JSON of an answer, in a Markdown fence or bare.

    Raises:
        ValueError: there is none.
    """
    stripped = text.strip()
    fenced = re.search(r"```(?:json)?\s*\n(.*?)\n?```", stripped, re.DOTALL)
    return json.loads(fenced.group(1) if fenced else stripped)
