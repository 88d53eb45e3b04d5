"""The budget of templates that are rendered in the code of pipes, where they block everything else."""

from collections.abc import Iterable, Mapping
from typing import Final

from pipelex.content.measure import text_size
from pipelex.content.stuff import Stuff
from pipelex.errors import ErrorCategory, PipelexError
from pipelex.language.templates import code_size
from pipelex.pipes.effects.jobs import TemplateResult
from pipelex.pipes.templates import limits_over
from pipelex.templating import Budget, Limits

IN_PLACE: Final = Limits(turns=20_000, chars=1_000_000)
"""The work of templates between two pauses of a pipe's code, about a tenth of a second. Temporal treats a workflow that
does not yield for two seconds as deadlocked. A single template that needs more is rendered as an effect. These are
counts, so every replay decides in the same way."""

LONG_TEMPLATE: Final = 20_000
"""The number of characters above which compiling a template takes too long for the pipe's own code."""

_COMPILING: Final = 300
_COMPILING_A_CHARACTER: Final = 4
_SIGIL: Final = 20
"""The turns that compiling a template takes, the turns for each character of its code, and the characters that a sigil
counts as."""


def share() -> Budget:
    """A new budget for the work until the next pause."""
    return Budget.of(IN_PLACE)


def is_whole(budget: Budget) -> bool:
    """Whether nothing has been taken from the budget yet."""
    return budget == share()


def is_used_up(budget: Budget) -> bool:
    """Whether there is too little left for one more template."""
    return budget.turns <= 0 or budget.chars <= 0


def pay_for_compiling(template: str, budget: Budget) -> None:
    """Take the cost of compiling a template from the budget, even if this process has compiled it before."""
    code = code_size(template) + _SIGIL * (template.count("$") + template.count("@"))
    budget.turns -= _COMPILING + _COMPILING_A_CHARACTER * code


class TemplateUse:
    """The work of one pipe run's templates so far. All of them together have the limits of a single template."""

    def __init__(self) -> None:
        self._turns = 0
        self._chars = 0
        self._are_large: bool | None = None

    def count(self, result: TemplateResult, values: Mapping[str, Stuff]) -> None:
        """Count the work of one rendering.

        Args:
            result: the result of the rendering.
            values: the values that the template could read.

        Raises:
            PipelexError: `pipe.template_budget_exceeded`.
        """
        self._turns += result.turns
        self._chars += result.chars
        usual = Limits()
        if self._turns > usual.turns:
            raise _exceeded("loop turns", usual.turns)
        if self._chars > usual.chars and self._chars > (most := limits_over(values).chars):
            raise _exceeded("characters", most)

    def are_values_large(self, values: Iterable[Stuff], limit: int) -> bool:
        """Whether the values have more characters than the limit.

        Computed once, because all templates of a pipe share them.
        """
        if self._are_large is None:
            self._are_large = text_size((stuff.content for stuff in values), most=limit) > limit
        return self._are_large


def _exceeded(what: str, limit: int) -> PipelexError:
    return PipelexError(
        "pipe.template_budget_exceeded",
        f"the templates of the pipe do too much together: their {what} go beyond {limit:,}",
        category=ErrorCategory.CONTENT,
        advice="Do less in the templates, or share the work out between several pipes.",
        params={"operation": f"{what} of all templates", "limit": limit},
    )
