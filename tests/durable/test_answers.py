"""What a worker remembers of its latest results."""

from pipelex.durable.attempts import MOST, LatestAnswers
from pipelex.pipes.effects.jobs import TemplateResult


def text(length: int) -> TemplateResult:
    return TemplateResult(text="a" * length)


def test_an_answer_is_found_under_its_call() -> None:
    answers = LatestAnswers()
    answers.keep("monday:1", text(3))
    assert answers.find("monday:1", TemplateResult) == text(3)
    assert answers.find("monday:2", TemplateResult) is None


def test_old_answers_make_room() -> None:
    answers = LatestAnswers(room=1_000)
    for number in range(10):
        answers.keep(str(number), text(200))
    assert answers.find("0", TemplateResult) is None
    assert answers.find("9", TemplateResult) == text(200)
    answers.keep("large", text(2_000))
    assert answers.find("large", TemplateResult) is None
    assert answers.find("9", TemplateResult) == text(200)


def test_no_more_answers_than_calls_can_be_at_risk() -> None:
    answers = LatestAnswers()
    for number in range(MOST + 1):
        answers.keep(str(number), text(1))
    assert answers.find("0", TemplateResult) is None
    assert answers.find("1", TemplateResult) == text(1)
