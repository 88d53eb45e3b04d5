"""Explanations of the registry's codes: the cause, the fix, and an example of each.

The texts are in `explained/`, one TOML file for each family of codes (the part before the dot), and are read only on
request. Each table is named after a code and holds

- `cause`, `fix`: Markdown of a sentence or more;
- one example: `text`, a sentence or a command; or `bundle`, a method that has the fault, which `validate` finds or,
  where `inputs` (JSON) stands beside it, a run with these inputs; or `status` and `body`, what a provider answers;
- `is_servers`: true where only servers of the MTHDS Protocol answer with the code.
"""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final

from pipelex.errors._registry import CORE_CODES, CodeFacts
from pipelex.errors._report import ErrorReport

_WHO: Final = {
    "input": "the person who gives the inputs or the command",
    "method": "the method's author",
    "account": "the account's owner",
    "operator": "the operator of the machine, its settings and keys",
    "runtime": "nobody at first: the runtime, a provider or the network failed",
}
_AGAIN: Final = {
    "no": "No: the same request fails again.",
    "yes": "Yes.",
    "outcome_unknown": "Not before you know what became of the first request.",
}


@dataclass(frozen=True, slots=True)
class Explanation:
    """The explanation of one code."""

    code: str
    """The code, such as `method.cycle`."""
    cause: str
    """The cause, as Markdown."""
    fix: str
    """The fix, as Markdown."""
    text: str | None = None
    """An example in a sentence or a command, as Markdown."""
    bundle: str | None = None
    """A method that has the fault, as the text of a bundle."""
    inputs: str | None = None
    """The inputs, as JSON, with which running `bundle` fails with the code; if None, validating it does."""
    status: int | None = None
    """The HTTP status of a provider's answer that has this code."""
    body: str | None = None
    """The body of that answer."""
    is_servers: bool = False
    """Whether only servers of the MTHDS Protocol answer with the code, and no command of this release does."""

    @property
    def facts(self) -> CodeFacts:
        """The facts that the registry fixes for the code."""
        return CORE_CODES[self.code]

    def to_markdown(self, level: int = 1) -> str:
        """The explanation as a page.

        Args:
            level: the level of its heading, 1 to 6.
        """
        return "\n\n".join([f"{'#' * level} {self.code}", *self._paragraphs()]) + "\n"

    def _paragraphs(self) -> Iterator[str]:
        yield self.cause
        yield f"**What to do.** {self.fix}"
        yield from self._example()
        if self.is_servers:
            yield "Only servers of the MTHDS Protocol answer with this code; no command of this release does."
        yield f"**Who can fix it:** {_WHO[self.facts.domain]}. **Repeat the request?** {_AGAIN[self.facts.retry]}"
        yield f"**Exit code:** {ErrorReport(self.code, '').exit_code.value}."
        if not self.facts.status:
            yield "It is only ever a warning."
        if self.facts.params:
            yield f"**Facts that come with it:** {', '.join(f'`{name}`' for name in self.facts.params)}."

    def _example(self) -> Iterator[str]:
        if self.text is not None:
            yield f"**For example.** {self.text}"
        if self.bundle is not None:
            yield f"**For example**, this bundle{_with(self.inputs)}:"
            yield f"```toml\n{self.bundle.strip()}\n```"
        if self.status is not None:
            yield f"**For example**, a provider answers {self.status} with:"
            yield f"```text\n{(self.body or '').strip()}\n```"


def _with(inputs: str | None) -> str:
    return "" if inputs is None else f", run with the inputs `{inputs}`"


def explanation(code: str) -> Explanation | None:
    """The explanation of a code; None where the registry has no such code."""
    return None if code not in CORE_CODES else Explanation(code=code, **_family(code.partition(".")[0])[code])


def explanations() -> Iterator[Explanation]:
    """The explanations of all codes, in the registry's order."""
    for code in CORE_CODES:
        yield Explanation(code=code, **_family(code.partition(".")[0])[code])


@cache
def _family(name: str) -> dict[str, dict[str, Any]]:
    text = files("pipelex.errors").joinpath("explained", f"{name}.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)
