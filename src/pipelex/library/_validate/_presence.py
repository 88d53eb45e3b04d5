from collections.abc import Mapping, Sequence

from pipelex.library._validate._context import Checks


def warn_of_idle_markers(checks: Checks, feeds: Mapping[tuple[str, str], Sequence[bool]]) -> None:
    """Warn of presence markers that change nothing, because every caller always passes the value.

    Pipes that may be called from outside are not checked.
    """
    open_pipes = callable_from_outside(checks)
    for (ref, name), may_be_absent in feeds.items():
        if any(may_be_absent) or ref in open_pipes:
            continue
        pipe = checks.library.pipes[ref]
        slot = pipe.inputs[name]
        if slot.presence == "optional":
            code, why = "method.input_presence_vacuous", "the '?' changes nothing"
        else:
            code, why = "method.optional_force_redundant", "the '!' is not needed"
        checks.report(
            pipe,
            code,
            f"every caller of '{checks.label(pipe)}' always gives '{name}': {why}",
            "inputs",
            name,
            category=code.removeprefix("method."),
            is_warning=True,
            input=name,
        )


def callable_from_outside(checks: Checks) -> set[str]:
    """The pipes that may be called from outside the method: main pipes, and those that a package exports."""
    found: set[str] = set()
    for package in checks.linked.packages:
        prefix = "" if package.address is None else f"{package.address}->"
        for bundle in package.bundles:
            if bundle.blueprint is not None and bundle.blueprint.main_pipe is not None:
                found.add(f"{prefix}{bundle.blueprint.domain}.{bundle.blueprint.main_pipe}")
        if package.manifest is not None:
            for domain, codes in package.manifest.exports.items():
                found.update(f"{prefix}{domain}.{code}" for code in codes)
    return found
