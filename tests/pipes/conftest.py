import pytest

from pipelex.library import Library
from tests.support.methods import library_of

BERTHS = """
domain = "harbour"

[concept.Crane]
description = "A crane"
structure = { name = "Name", load = { type = "number", description = "Tonnes" } }

[concept.Berth]
description = "A berth"
[concept.Berth.structure]
code = "Code"
notes = "Notes"
opened = { type = "concept", concept_ref = "Date", description = "Opened" }
depth = { type = "concept", concept_ref = "Number", description = "Depth" }
is_free = { type = "concept", concept_ref = "YesNo", description = "Free" }
checks = { type = "list", item_type = "boolean", description = "Checks" }
tags = { type = "list", item_type = "text", description = "Tags" }
cranes = { type = "list", item_type = "concept", item_concept_ref = "Crane", description = "Cranes" }
photos = { type = "list", item_type = "concept", item_concept_ref = "Image", description = "Photos" }
odds = { type = "list", description = "Anything" }
extra = { type = "dict", key_type = "text", value_type = "Any", description = "More" }

[pipe.describe]
type = "PipeLLM"
description = "Describe a berth"
inputs = { berth = "Berth" }
output = "Text"
prompt = "$berth"
"""


@pytest.fixture(scope="session")
def berths() -> Library:
    """A library with concepts whose fields have every shape."""
    return library_of(BERTHS)
