"""What the templates of one pipe run may take together, and what a rendering gives back."""

import pytest

from pipelex.content import Stuff
from pipelex.errors import PipelexError
from pipelex.library import Library
from pipelex.pipes.effects.jobs import TemplateResult
from pipelex.pipes.effects.requests import TemplateRequest
from pipelex.pipes.rendering import TemplateUse
from pipelex.pipes.templates import render_request
from pipelex.templating import Limits


@pytest.mark.parametrize(
    ("result", "says"),
    [
        (TemplateResult(text="", turns=Limits().turns // 2 + 1, chars=0), "loop turns"),
        (TemplateResult(text="", turns=0, chars=Limits().chars // 2 + 1), "characters"),
    ],
)
def test_all_templates_of_a_run_share_one_budget(result: TemplateResult, says: str) -> None:
    use = TemplateUse()
    use.count(result, {})
    with pytest.raises(PipelexError, match=says) as exceeded:
        use.count(result, {})
    assert exceeded.value.code == "pipe.template_budget_exceeded"


def test_large_values_may_be_written_as_often_as_in_one_template() -> None:
    use = TemplateUse()
    large = {"text": Stuff("native.Text", {"text": "x" * Limits().chars})}
    for _ in range(3):
        use.count(TemplateResult(text="", turns=0, chars=Limits().chars), large)


def test_attachments_keep_the_numbers_that_they_have(berths: Library) -> None:
    request = TemplateRequest(
        template="{{ plan }} {{ photo }}",
        category="llm_prompt",
        inputs={
            "plan": Stuff("native.Document", {"url": "plan.pdf"}),
            "photo": Stuff("native.Image", {"url": "photo.png"}),
        },
        images=({"url": "first.png"},),
        documents=({"url": "first.pdf"}, {"url": "second.pdf"}),
    )
    rendered = render_request(berths, request)
    assert rendered.text == "[Document 3] [Image 2]"
    assert [image["url"] for image in rendered.images] == ["first.png", "photo.png"]
    assert [document["url"] for document in rendered.documents] == ["first.pdf", "second.pdf", "plan.pdf"]
