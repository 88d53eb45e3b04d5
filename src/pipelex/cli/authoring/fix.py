"""`pipelex fix`."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipelex.cli._shared.flags import with_flags
from pipelex.cli._shared.group import TargetGroup, command_app
from pipelex.cli._shared.session import JsonFlag

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pipelex.errors import Json
    from pipelex.library import ModelUse
    from pipelex.runner import Pipelex
    from pipelex.tooling.fix import FixOptions, FixResult, FixTarget, Rewrite

_EXAMPLES = """\b
Examples:
  pipelex fix bundle old.plx
  pipelex fix bundle methods/ --diff
  pipelex fix bundle report.mthds --write
  pipelex fix bundle report.mthds --write --unsafe
  pipelex fix function-names methods/ --write
  pipelex fix bundle report.mthds --ignore add-description --json"""

app = command_app(cls=TargetGroup, no_args_is_help=True)


@dataclass(frozen=True)
class FixFlags:
    """The options of `pipelex fix bundle`."""

    diff: Annotated[bool, typer.Option("--diff", help="Show the changes as a unified diff.")] = False
    write: Annotated[
        bool, typer.Option("--write", "-w", help="Write the files; a .plx becomes a .mthds beside it.")
    ] = False
    select: Annotated[
        list[str] | None, typer.Option("--select", metavar="CODE", help="Make only these rewrites; repeatable.")
    ] = None
    ignore: Annotated[
        list[str] | None, typer.Option("--ignore", metavar="CODE", help="Leave these rewrites out; repeatable.")
    ] = None
    unsafe: Annotated[
        bool, typer.Option("--unsafe", help="Also apply rewrites that may change what the method means.")
    ] = False
    max_iterations: Annotated[
        int | None, typer.Option("--max-iterations", min=0, help="The maximum number of rewriting rounds.")
    ] = None
    allow_signatures: Annotated[
        bool, typer.Option("--allow-signatures", help="Accept pipes that are declared but not written yet.")
    ] = False
    format_files: Annotated[bool, typer.Option("--format", help="Also format the files that were changed.")] = False
    library_dir: Annotated[
        list[Path] | None,
        typer.Option("--library-dir", "-L", metavar="DIR", help="Another folder of bundles; repeatable."),
    ] = None
    json: JsonFlag = False


@app.callback(epilog=_EXAMPLES)
def fix() -> None:
    """Rewrite older forms of bundles to the current standard, keeping comments and layout.

    Nothing is written without --write. A rewrite that may change the meaning of a method is only shown, unless --unsafe
    is given. The inputs and outputs of the main pipe and of exported pipes are never changed to silence a fault.
    Several paths are separate methods, each with a verdict of its own.
    """


@app.command(epilog=_EXAMPLES)
@with_flags(FixFlags)
def bundle(
    ctx: typer.Context,
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Bundle files (.mthds, .plx), or folders.")],
    flags: FixFlags,
) -> None:
    """Fix bundle files, or all bundles of a folder."""
    from pipelex.cli._shared.failures import report_failure
    from pipelex.cli._shared.session import open_local_app
    from pipelex.errors import PipelexError
    from pipelex.exits import ExitCode

    app_ = open_local_app(ctx)
    worst = 0
    for path in paths:
        try:
            is_accepted = _fix_one(app_, path, flags)
        except PipelexError as failed:
            worst = max(worst, report_failure(failed, ctx.meta))
        else:
            worst = max(worst, ExitCode.DONE if is_accepted else ExitCode.FAILED)
    raise typer.Exit(worst)


@app.command(name="function-names", epilog=_EXAMPLES)
@with_flags(FixFlags)
def function_names(
    ctx: typer.Context,
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Bundle files (.mthds, .plx), or folders.")],
    flags: FixFlags,
) -> None:
    """Replace flat names of functions with import paths, and change nothing else."""
    from dataclasses import asdict

    bundle(ctx=ctx, paths=paths, **{**asdict(flags), "select": ["function-path"]})


@app.command(name=TargetGroup.short_form, hidden=True, epilog=_EXAMPLES)
@with_flags(FixFlags)
def auto(ctx: typer.Context, paths: Annotated[list[Path], typer.Argument(metavar="PATH...")], flags: FixFlags) -> None:
    """Rewrite like `pipelex fix bundle`."""
    from dataclasses import asdict

    bundle(ctx=ctx, paths=paths, **asdict(flags))


def _fix_one(app_: "Pipelex", path: Path, flags: FixFlags) -> bool:
    from pipelex.cli._shared.console import out, paint_out, tell_out
    from pipelex.cli._shared.failures import fault_text
    from pipelex.cli._shared.results import print_json
    from pipelex.runner import tree_rules_of
    from pipelex.tooling.fix import fix_files, read_target

    rules = tree_rules_of(app_.settings)
    target = read_target(path, library_dirs=flags.library_dir or [], rules=rules)
    options = _options(app_, target, flags)
    results = fix_files(target.texts, surroundings=target.surroundings, options=options)
    proposed = {} if flags.unsafe else _proposed(results, target, options)
    texts = {name: _finished(result, flags) for name, result in results.items()}
    written: dict[str, Path] = {}
    for name, result in results.items():
        is_moved = target.destination(name) != target.sources[name]
        if flags.write and (texts[name] != result.before or is_moved):
            written[name] = target.write(name, texts[name])
    verdict = next(iter(results.values())).verdict_after
    if flags.json:
        print_json(
            {
                "path": str(path),
                "is_valid": verdict.is_valid,
                "is_runnable": verdict.is_runnable,
                "files": [
                    _file_json(result, texts[name], written.get(name), proposed.get(name, ()), flags)
                    for name, result in results.items()
                ],
                "errors": [fault.to_item() for fault in verdict.errors],
            }
        )
        return verdict.is_accepted(allow_signatures=flags.allow_signatures)
    paint = paint_out()
    for name, result in results.items():
        if flags.diff and result.is_changed:
            out(result.diff().rstrip("\n"))
        for rewrite in result.rewrites:
            mark = paint(rewrite.safety, "green" if rewrite.safety == "safe" else "yellow")
            where = f"{name}:{rewrite.location.line}"
            tell_out(f"{where}: {paint(rewrite.fix_code, 'bold')} ({mark}): {rewrite.description}")
        for rewrite in proposed.get(name, ()):
            where = f"{name}:{rewrite.location.line}"
            mark = paint("needs --unsafe", "yellow")
            tell_out(f"{where}: {paint(rewrite.fix_code, 'bold')} ({mark}): {rewrite.description}")
        if name in written:
            tell_out(f"{paint('✓', 'green')} wrote {written[name]}")
    count = sum(len(result.rewrites) for result in results.values())
    if verdict.errors:
        tell_out("\n".join(["", *(fault_text(fault, paint, number=n) for n, fault in enumerate(verdict.errors, 1))]))
    left = "valid" if verdict.is_valid else f"{len(verdict.errors)} left that cannot be fixed here"
    hint = "" if flags.write or not count else "; nothing is written without --write"
    more = sum(map(len, proposed.values()))
    if more:
        hint += f"; {more} more with --unsafe"
    tell_out(f"{path}: {count} rewrite{'' if count == 1 else 's'}, {left}{hint}")
    return verdict.is_accepted(allow_signatures=flags.allow_signatures)


def _proposed(
    results: "Mapping[str, FixResult]", target: "FixTarget", options: "FixOptions"
) -> "dict[str, tuple[Rewrite, ...]]":
    """The changes that unsafe rewrites would make after the safe ones; none if the files are already valid."""
    from dataclasses import replace

    from pipelex.tooling.fix import fix_files

    if all(result.verdict_after.is_valid for result in results.values()):
        return {}
    texts = {name: result.text for name, result in results.items()}
    further = fix_files(texts, surroundings=target.surroundings, options=replace(options, is_safe_only=False))
    return {name: result.rewrites for name, result in further.items()}


def _finished(result: "FixResult", flags: FixFlags) -> str:
    if not flags.format_files or not result.is_changed:
        return result.text
    from pipelex.cli.authoring.tools import tools

    return tools().format_mthds(result.text)["formatted"]


def _file_json(
    result: "FixResult", text: str, written: Path | None, proposed: "Iterable[Rewrite]", flags: FixFlags
) -> "dict[str, Json]":
    found: dict[str, Json] = {
        "path": result.path,
        "changed": text != result.before,
        "rewrites": [rewrite.to_json() for rewrite in result.rewrites],
        "needs_unsafe": [rewrite.to_json() for rewrite in proposed],
        "text": text,
    }
    if flags.diff:
        found["diff"] = result.diff()
    if written is not None:
        found["written"] = str(written)
    return found


def _options(app_: "Pipelex", target: "FixTarget", flags: FixFlags) -> "FixOptions":
    from pipelex.tooling.fix import MAX_ITERATIONS, FixOptions

    return FixOptions(
        select=flags.select or (),
        ignore=flags.ignore or (),
        is_safe_only=not flags.unsafe,
        max_iterations=MAX_ITERATIONS if flags.max_iterations is None else flags.max_iterations,
        check_model=app_._check_model,
        default_model=lambda use: _default_model(app_, use),
        provider_models=_provider_models(app_),
        classes=target.classes,
        functions=target.functions,
    )


def _provider_models(app_: "Pipelex") -> frozenset[str]:
    """The handles and provider names of the models of every backend that has a file, enabled or not."""
    backends = app_.inference.deck.catalog.backends.values()
    return frozenset(
        name for backend in backends for model in backend.models for name in (model.handle, model.model_id)
    )


def _default_model(app_: "Pipelex", use: "ModelUse") -> str | None:
    """The model reference that the deck uses for a family if a pipe names none."""
    tables = app_.inference.deck.tables
    if use.family == "llm":
        defaults = tables.llm.choice_defaults
        found = defaults.for_text if use.purpose == "text" else defaults.for_object
    else:
        found = getattr(tables.section(use.family), "choice_default", None)
    return found if isinstance(found, str) else None
