import pytest

import pipelex.content
import pipelex.templating
from pipelex.language.templates import FILTERS_BY_CATEGORY, GLOBALS, REFUSED_FILTERS, TESTS
from pipelex.templating._environment import SandboxEnvironment


@pytest.mark.parametrize("category", FILTERS_BY_CATEGORY)
def test_the_renderer_offers_what_the_language_allows(category: str) -> None:
    environment = SandboxEnvironment(category, strict=False)
    offered = {name for name in environment.filters if name.isidentifier()}
    assert offered == FILTERS_BY_CATEGORY[category]
    assert offered.isdisjoint(REFUSED_FILTERS)
    assert set(environment.tests) >= TESTS
    assert set(environment.globals) == GLOBALS


def test_public_names() -> None:
    assert pipelex.templating.__all__ == [
        "Attachments",
        "Budget",
        "Limits",
        "Rendered",
        "ShapeTable",
        "ShapeView",
        "Style",
        "TagStyle",
        "TextFormat",
        "render",
    ]
    for module in (pipelex.content, pipelex.templating):
        assert all(hasattr(module, name) for name in module.__all__)
