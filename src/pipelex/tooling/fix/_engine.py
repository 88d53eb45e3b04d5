"""Rewrites files in rounds, until they are valid or nothing more can be done."""

import difflib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from pipelex.errors import Fault, Json, Location
from pipelex.language import ParsedBundle, parse_bundle
from pipelex.library import CheckModel, LoadedFiles, MethodTree, PackageBundles, Verdict, link, validate
from pipelex.tooling.fix import _rules_flow, _rules_forms, _rules_inputs, _rules_models, _rules_pipes, _rules_templates
from pipelex.tooling.fix._document import Document, Op
from pipelex.tooling.fix._round import DefaultModel, Edit, Round, Rule, Safety, Table

MAX_ITERATIONS: Final = 60
_BYTE_ORDER_MARK: Final = "\ufeff"

_FORMS: Final[tuple[Rule, ...]] = (
    *_rules_inputs.RULES,
    *_rules_forms.RULES,
    _rules_templates.images_key,
    _rules_pipes.python_structures,
    _rules_pipes.function_paths,
    _rules_pipes.field_readers,
)
"""Rules that need only the documents. All of them run in each round, each on the result of the one before."""

_CONTRACT_CODES: Final = frozenset(
    {"declare-input", "remove-input", "list-input", "given-output", "list-output", "optional-output"}
)
"""Rewrites of a pipe's contract because of a fault.

They leave entry pipes alone, because callers depend on their contracts.
"""

_OWN_CODES: Final = frozenset(
    {"inline-sigil", "remove-input", "template-table", "output-brackets", "new-pipe-type", "single-refines"}
)
"""Fixes that validation suggests, but that rules here do with more care."""


@dataclass(frozen=True)
class Rewrite:
    """One change that was made."""

    fix_code: str
    description: str
    location: Location
    """The place in the text at the time of the rewrite."""
    safety: Safety
    ops: tuple[Op, ...] = ()

    def to_json(self) -> dict[str, Json]:
        return {
            "fix_code": self.fix_code,
            "description": self.description,
            "safety": self.safety,
            "location": self.location.to_json(),
            "ops": list(self.ops),
        }


@dataclass(frozen=True)
class FixResult:
    """A bundle file after its rewrites."""

    path: str
    before: str
    text: str
    rewrites: tuple[Rewrite, ...]
    """The rewrites, in the order in which they were made."""
    verdict_before: Verdict
    """The verdict on all files that were fixed together."""
    verdict_after: Verdict

    @property
    def is_changed(self) -> bool:
        return self.text != self.before

    @property
    def remaining(self) -> tuple[Fault, ...]:
        """The faults that this file still has."""
        return tuple(fault for fault in self.verdict_after.errors if fault.location.file == self.path)

    def diff(self) -> str:
        """The change as a unified diff; empty when there is none."""
        lines = difflib.unified_diff(
            self.before.splitlines(keepends=True),
            self.text.splitlines(keepends=True),
            f"a/{self.path}",
            f"b/{self.path}",
        )
        return "".join(line if line.endswith("\n") else line + "\n\\ No newline at end of file\n" for line in lines)


@dataclass(frozen=True)
class FixOptions:
    """The rewrites to make, and the facts that they need besides the files."""

    select: Collection[str] = ()
    """The fix codes to apply; all if empty."""
    ignore: Collection[str] = ()
    is_safe_only: bool = False
    max_iterations: int = MAX_ITERATIONS
    check_model: CheckModel | None = None
    """The check of a model; without it, model names stay as they are."""
    default_model: DefaultModel | None = None
    provider_models: Collection[str] = ()
    """Names of models that some provider has, reachable or not; they stay as they are."""
    classes: Mapping[str, Mapping[str, Table]] = field(default_factory=dict[str, Mapping[str, Table]])
    """Structures that older files keep in Python, by class name (see `structures_of_source`)."""
    functions: Mapping[str, Collection[str]] = field(default_factory=dict[str, Collection[str]])
    """Import paths of the Python functions of the method, by name (see `functions_of_sources`)."""

    def allows(self, edit: Edit) -> bool:
        code = edit.fix.fix_code
        is_wanted = (not self.select or code in self.select) and code not in self.ignore
        return is_wanted and not (self.is_safe_only and edit.fix.safety == "unsafe")


def fix_bundle(
    text: str,
    *,
    path: str = "bundle.mthds",
    others: Mapping[str, str] | None = None,
    options: FixOptions | None = None,
) -> FixResult:
    """Rewrite the older forms of one bundle. Never raises because of an author's mistakes.

    Args:
        text: the bundle.
        path: the bundle's name, for locations.
        others: path → text of other bundles that it refers to; they are not changed.
        options: the rewrites to make.
    """
    return fix_files({path: text}, others=others, options=options)[path]


def fix_files(
    texts: Mapping[str, str],
    *,
    others: Mapping[str, str] | None = None,
    surroundings: LoadedFiles | None = None,
    options: FixOptions | None = None,
) -> dict[str, FixResult]:
    """Fix like `fix_bundle`, for several bundles of one package that are validated together.

    Args:
        texts: path → text of the bundles to rewrite.
        others: path → text of bundles beside them.
        surroundings: the rest of the package and its dependencies, loaded before.
        options: the rewrites to make.
    """
    engine = _Engine(texts, others or {}, surroundings, options or FixOptions())
    engine.run()
    return {path: engine.result(path) for path in texts}


class _Engine:
    def __init__(
        self, texts: Mapping[str, str], others: Mapping[str, str], loaded: LoadedFiles | None, options: FixOptions
    ) -> None:
        self.options = options
        self.originals = dict(texts)
        self.documents: dict[str, Document] = {}
        self.bundles: dict[str, ParsedBundle] = {}
        self.rewrites: dict[str, list[Rewrite]] = {path: [] for path in texts}
        for path, written in texts.items():
            text = written.removeprefix(_BYTE_ORDER_MARK)
            if text != written:
                what = "save it without a byte-order mark, which TOML has no room for"
                self.rewrites[path].append(Rewrite("byte-order-mark", what, Location(file=path, line=1), "safe"))
            self.bundles[path] = parse_bundle(text, path=path)
            if not any(fault.code == "method.syntax" for fault in self.bundles[path].faults):
                self.documents[path] = Document(text.replace("\r\n", "\n"))
        self.beside = [parse_bundle(text, path=path) for path, text in others.items()]
        own = loaded.packages[0] if loaded is not None else PackageBundles(None, ())
        self.own = own
        self.beside += [bundle for bundle in own.bundles if bundle.path not in texts]
        self.dependencies = loaded.packages[1:] if loaded is not None else ()
        self.trees: Mapping[str, MethodTree] = loaded.trees if loaded is not None else {}
        self.now = self.judged()
        self.before = self.after = self.now.verdict

    def judged(self) -> Round:
        bundles = (*self.bundles.values(), *self.beside)
        own = PackageBundles(None, bundles, self.own.manifest, self.own.aliases, self.own.faults)
        linked = link((), packages=(own, *self.dependencies))
        verdict = validate(linked, trees=self.trees, check_model=self.options.check_model)
        options = self.options
        return Round(
            self.documents,
            self.bundles,
            linked,
            verdict,
            options.default_model,
            options.provider_models,
            options.classes,
            options.functions,
        )

    def run(self) -> None:
        seen = {self.state()}
        for _ in range(self.options.max_iterations):
            if not self.now.faults or not self.rewrite():
                break
            self.now = self.judged()
            if self.state() in seen:  # two rules undo each other
                break
            seen.add(self.state())
        self.after = self.now.verdict

    def state(self) -> tuple[str, ...]:
        return tuple(document.text for document in self.documents.values())

    def rewrite(self) -> bool:
        """Run one round; return whether anything was changed."""
        changed = [self.apply(rule) for rule in _FORMS]
        return any(changed) or any(self.apply(rule) for rule in _BY_FAULTS)

    def apply(self, rule: Rule) -> bool:
        taken: set[str] = set()
        edits: list[Edit] = []
        for edit in rule(self.now):
            target = repr([(op["op"], op["table"], op.get("key")) for op in edit.fix.ops]) + edit.file
            if edit.file in self.documents and self.allows(edit) and target not in taken:
                taken.add(target)
                edits.append(edit)
        is_changed = False
        for file in dict.fromkeys(edit.file for edit in edits):
            is_changed = self.apply_to(file, [edit for edit in edits if edit.file == file]) or is_changed
        return is_changed

    def allows(self, edit: Edit) -> bool:
        pipe = self.now.owner(edit)
        is_kept = edit.fix.fix_code in _CONTRACT_CODES and pipe is not None and self.now.is_entry(pipe)
        return self.options.allows(edit) and not is_kept

    def apply_to(self, file: str, edits: Sequence[Edit]) -> bool:
        bundle = self.bundles[file]
        locations = [bundle.locate(edit.keys) for edit in edits]
        applied = self.documents[file].apply([edit.fix.ops for edit in edits])
        if not any(applied):
            return False
        for edit, location, is_applied in zip(edits, locations, applied, strict=True):
            if is_applied:
                fix = edit.fix
                self.rewrites[file].append(Rewrite(fix.fix_code, fix.description, location, fix.safety, fix.ops))
        self.bundles[file] = parse_bundle(self.documents[file].text, path=file)
        for name in ("pipes", "concepts"):
            self.now.__dict__.pop(name, None)
        return True

    def result(self, path: str) -> FixResult:
        before = self.originals[path]
        text = self.documents[path].text if self.rewrites[path] and path in self.documents else before
        if self.rewrites[path] and "\r\n" in before:
            text = text.replace("\n", "\r\n")
        return FixResult(path, before, text, tuple(self.rewrites[path]), self.before, self.after)


def _suggested(now: Round) -> Iterable[Edit]:
    """The rewrites that validation itself suggests."""
    for fault in now.faults:
        fix, file = fault.suggested_fix, fault.location.file
        if fix is None or not fix.ops or file is None or fix.fix_code in _OWN_CODES:
            continue
        op: Any = fix.ops[0]
        keys = (*op["table"], *([op["key"]] if "key" in op else []))
        yield Edit(file, keys, fix)


_BY_FAULTS: Final[tuple[Rule, ...]] = (
    _suggested,
    _rules_models.known_models,
    _rules_templates.inline_sigils,
    _rules_templates.guarded_sigils,
    _rules_templates.attached_files,
    _rules_pipes.structured_searches,
    _rules_flow.composite_outputs,
    _rules_flow.shadowed_branches,
    _rules_flow.batch_lists,
    _rules_flow.forgotten_batches,
    _rules_flow.list_inputs,
    _rules_flow.given_outputs,
    _rules_flow.optional_outputs,
    _rules_templates.read_undeclared,
    _rules_flow.declared_for_callees,
    _rules_templates.remove_unused,
)
"""Rules about faults. In each round, only the first rule that changes something is applied."""
