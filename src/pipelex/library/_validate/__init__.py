"""Static validation of linked bundles, with one module for each theme.

Source: MTHDS 8.0.0, section 11 of the language reference. The language layer checks what one table shows; this package
checks what needs linked concepts, other pipes or other files.
"""

from collections.abc import Callable, Mapping

from pipelex.library._link import LinkedBundles
from pipelex.library._trees.tree import MethodTree
from pipelex.library._validate._context import Checks
from pipelex.library._validate._hints import check_hints
from pipelex.library._validate._models import CheckModel, ModelUse, check_models, model_uses
from pipelex.library._validate._rules import check_flows, check_pipes
from pipelex.library._verdict import Verdict

__all__ = ["CheckModel", "ModelUse", "model_uses", "validate"]

_THEMES: tuple[Callable[[Checks], None], ...] = (
    check_pipes,
    check_flows,
    check_hints,
)


def validate(
    linked: LinkedBundles,
    *,
    trees: Mapping[str, MethodTree] | None = None,
    check_model: CheckModel | None = None,
) -> Verdict:
    """Validate linked bundles without running anything.

    Args:
        linked: the library that `link` made.
        trees: bundle path → the method tree that it lies in. The functions and template files of a bundle without a
            tree are not looked for.
        check_model: returns the faults of a model that a pipe names; without it, models are not checked.
    """
    checks = Checks(linked, trees or {})
    for theme in _THEMES:
        theme(checks)
    if check_model is not None:
        check_models(checks, check_model)
    files = [bundle.path for package in linked.packages for bundle in package.bundles]
    return Verdict.of((*linked.faults, *checks.faults), files, linked.pending_signatures)
