"""An example method for each family of models; a page fills in its own model."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from pipelex.language.blueprints import ModelFamily


class Example(NamedTuple):
    """A method that asks a model of one family."""

    file: str
    text: str
    arguments: str
    """The arguments of `pipelex run` that give its inputs."""


def _pipe(kind: str, description: str, slots: str, rest: str) -> str:
    return (
        f'domain    = "try_it"\nmain_pipe = "try_it"\n\n[pipe.try_it]\ntype        = "{kind}"\n'
        f'description = "{description}"\n{slots}{rest}model       = "MODEL"\n'
    )


EXAMPLES: Final[Mapping[ModelFamily, Example]] = {
    "llm": Example(
        "ask.mthds",
        _pipe(
            "PipeLLM",
            "Explain a word",
            'inputs      = { word = "Text" }\noutput      = "Text"\n',
            'prompt      = "Explain in one sentence: $word"\n',
        ),
        "-i word=ebb",
    ),
    "extract": Example(
        "read.mthds",
        _pipe("PipeExtract", "Read a document", 'inputs      = { scan = "Document" }\noutput      = "Page[]"\n', ""),
        "-i scan=scan.pdf",
    ),
    "img_gen": Example(
        "draw.mthds",
        _pipe(
            "PipeImgGen",
            "Draw a scene",
            'inputs      = { scene = "Text" }\noutput      = "Image"\n',
            'prompt      = "A woodcut: $scene"\n',
        ),
        '-i scene="a harbour at dawn"',
    ),
    "search": Example(
        "search.mthds",
        _pipe(
            "PipeSearch",
            "Look something up",
            'inputs      = { topic = "Text" }\noutput      = "SearchResult"\n',
            'prompt      = "What is new about $topic?"\n',
        ),
        "-i topic=tides",
    ),
    "judgment": Example(
        "judge.mthds",
        _pipe(
            "PipeJudge",
            "Is it urgent?",
            'inputs      = { letter = "Text" }\noutput      = "YesNo"\n',
            'prompt      = "@letter"\nquestion    = "Is the letter urgent?"\n',
        ),
        "-i letter=@letter.txt",
    ),
}


def example(family: ModelFamily, model: str) -> Example:
    """The example of a family, with the name of a model filled in."""
    found = EXAMPLES[family]
    return found._replace(text=found.text.replace("MODEL", model))
