"""Which fields of a pipe are templates.

Source: MTHDS 8.0.0, sections 5.2, 9.1 and 9.3 of the language reference.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from pipelex.language.templates._filters import FILTERS_BY_CATEGORY

_PLAIN_SITES: Final[dict[str, tuple[tuple[str, str], ...]]] = {
    "PipeLLM": (("system_prompt", "llm_prompt"), ("prompt", "llm_prompt")),
    "PipeImgGen": (("prompt", "img_gen_prompt"), ("negative_prompt", "img_gen_prompt")),
    "PipeSearch": (("prompt", "basic"),),
    "PipeJudge": (("prompt", "llm_prompt"), ("question", "llm_prompt")),
    "PipeDocGen": (("template", "html"), ("filename", "basic")),
}


@dataclass(frozen=True, slots=True)
class TemplateSite:
    """One template of a pipe."""

    keys: tuple[str | int, ...]
    """Where it stands in the pipe's table."""
    template: str
    """The text to analyse and to render."""
    category: str
    has_sigils: bool = True
    prefix: int = 0
    """How many characters of `template` stand before the author's text."""
    extra_names: tuple[str, ...] = ()
    """Names it may read besides the pipe's inputs."""


def template_sites(pipe: Mapping[str, Any]) -> tuple[TemplateSite, ...]:
    """The templates of a pipe's table as its file has it (`blueprint.model_dump(by_alias=True)` gives one)."""
    pipe_type = pipe.get("type")
    sites = [
        TemplateSite((key,), pipe[key], category)
        for key, category in _PLAIN_SITES.get(str(pipe_type), ())
        if isinstance(pipe.get(key), str)
    ]
    if pipe_type == "PipeJudge":
        sites.extend(_question_sites(pipe.get("questions")))
    elif pipe_type == "PipeCompose":
        sites.extend(_compose_sites(pipe))
    elif pipe_type == "PipeCondition":
        sites.extend(_condition_sites(pipe))
    return tuple(sites)


def construct_paths(pipe: Mapping[str, Any]) -> tuple[tuple[tuple[str | int, ...], str], ...]:
    """Every `from` path of a PipeCompose's construct, with its place in the pipe's table."""
    return tuple(
        ((*keys, "from"), entry["from"])
        for keys, entry in _construct_tables(pipe.get("construct"))
        if isinstance(entry.get("from"), str)
    )


def _question_sites(questions: Any) -> Iterator[TemplateSite]:
    if not isinstance(questions, Mapping):
        return
    for name, entry in cast("Mapping[str, Any]", questions).items():
        question = cast("Mapping[str, Any]", entry).get("question") if isinstance(entry, Mapping) else None
        if isinstance(question, str):
            yield TemplateSite(("questions", name, "question"), question, "llm_prompt")


def _compose_sites(pipe: Mapping[str, Any]) -> Iterator[TemplateSite]:
    template = pipe.get("template")
    if isinstance(template, str):
        yield TemplateSite(("template",), template, "basic")
    elif isinstance(template, Mapping):
        table = cast("Mapping[str, Any]", template)
        category = str(table.get("category"))
        extra = table.get("extra_context")
        if isinstance(table.get("template"), str):
            yield TemplateSite(
                ("template", "template"),
                table["template"],
                category if category in FILTERS_BY_CATEGORY else "basic",
                extra_names=tuple(cast("Mapping[str, Any]", extra)) if isinstance(extra, Mapping) else (),
            )
    for keys, entry in _construct_tables(pipe.get("construct")):
        if isinstance(entry.get("template"), str) and not isinstance(entry.get("from"), str):
            yield TemplateSite((*keys, "template"), entry["template"], "basic")


def _construct_tables(construct: Any) -> Iterator[tuple[tuple[str | int, ...], Mapping[str, Any]]]:
    """The tables of a construct that stand for one value (`from` or `template`), nested ones included."""
    if not isinstance(construct, Mapping):
        return
    pending: list[tuple[tuple[str | int, ...], Mapping[str, Any]]] = [
        (("construct",), cast("Mapping[str, Any]", construct))
    ]
    while pending:
        keys, table = pending.pop(0)
        for name, entry in table.items():
            if not isinstance(entry, Mapping):
                continue
            inner = cast("Mapping[str, Any]", entry)
            if isinstance(inner.get("from"), str) or isinstance(inner.get("template"), str):
                yield (*keys, name), inner
            else:
                pending.append(((*keys, name), inner))


def _condition_sites(pipe: Mapping[str, Any]) -> Iterator[TemplateSite]:
    if isinstance(pipe.get("expression"), str):
        yield TemplateSite(
            ("expression",), "{{ " + pipe["expression"] + " }}", "expression", has_sigils=False, prefix=len("{{ ")
        )
    if isinstance(pipe.get("expression_template"), str):
        yield TemplateSite(("expression_template",), pipe["expression_template"], "expression", has_sigils=False)
