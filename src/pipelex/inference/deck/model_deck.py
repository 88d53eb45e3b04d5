"""The model deck, which resolves a pipe's choice through presets, aliases and waterfalls to a model of a backend."""

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, cast

from pydantic import ValidationError

from pipelex.config.toml_files import Keys, Table, TomlFile
from pipelex.config.trust import Trust
from pipelex.errors import ErrorCategory, Fault, PipelexError, near_names
from pipelex.errors.json import Json, as_texts
from pipelex.inference.deck.capabilities import STRUCTURE, lacking
from pipelex.inference.deck.catalog import DEFAULTS, Catalog, ModelEntry
from pipelex.inference.deck.deck_files import Name, deck_files, names_of, own_deck_files
from pipelex.inference.deck.files import describe, gravity, merged, parse
from pipelex.inference.deck.loading import load_catalog
from pipelex.inference.deck.reference import (
    KIND_WORDS,
    WRITTEN,
    ModelReference,
    ReferenceKind,
    read_reference,
)
from pipelex.inference.deck.schema import (
    PRESETS,
    ChatPreset,
    DeckSection,
    DeckTables,
    ModelPreset,
)
from pipelex.inference.families import FAMILIES, FAMILY_OF
from pipelex.inference.providers import find, how_to_install, is_callable, sdks
from pipelex.language.blueprints import ModelFamily
from pipelex.pipes.models import ModelChoice, ModelTarget, ResolvedModel

logger = logging.getLogger("pipelex.inference")

TINY: Final = "llama_cpp"
"""The `sdk` of the small local model, which only stands in for better ones."""

MAX_ANSWER_BYTES: Final = 64 * 1024 * 1024
"""The default maximum size of a provider's decoded answer, in bytes."""

NOT_SERVED: Final = ("backend_disabled", "model_disabled", "no_route", "not_served")
"""The reasons why a known model is not served here."""


@dataclass(frozen=True)
class ModelDeck:
    """The presets, aliases, waterfalls and defaults that lead from a pipe's choice to a model in the catalog."""

    catalog: Catalog
    tables: DeckTables
    allow_fallback: bool = True
    """Whether a waterfall may skip a model that is not served, or whose backend is not ready."""
    fallback_on_failure: bool = False
    """Whether a resolved model lists the models to ask instead when its provider fails."""
    own_names: frozenset[Name] = frozenset()
    """The names that the user's own deck files declare. The default backend does not replace their models."""
    files: tuple[Path, ...] = ()
    """The files that were read, without the packaged ones."""
    warnings: tuple[Fault, ...] = field(default=(), repr=False)
    """Warnings about entries of the files that are not understood and therefore have no effect."""
    max_answer_bytes: int = MAX_ANSWER_BYTES
    """The maximum size of a provider's decoded answer, in bytes."""

    @classmethod
    def load(
        cls,
        dirs: Sequence[Path],
        environ: Mapping[str, str],
        *,
        allow_fallback: bool = True,
        fallback_on_failure: bool = False,
        assume_credentials: bool | Collection[str] = False,
        trust: Trust | None = None,
        max_answer_bytes: int = MAX_ANSWER_BYTES,
    ) -> "ModelDeck":
        """Read the model configuration.

        Args:
            dirs: `inference` directories, highest priority first; they override the packaged files.
            environ: the environment variables for `${NAME}`.
            allow_fallback: whether waterfalls may skip a model that cannot be called.
            fallback_on_failure: whether a resolved model lists the models to ask instead when its provider fails.
            assume_credentials: the backends that count as ready even without keys and clients here, because another
                process calls them; True for all of them.
            trust: the record of trusted files; everything is trusted when None.
            max_answer_bytes: the maximum size of a provider's decoded answer, in bytes.

        Raises:
            ConfigurationError: a file is not valid. The message names the file, the line and the key.
        """
        catalog = load_catalog(dirs, environ, assume_credentials, trust=trust)
        own = own_deck_files(dirs)
        files = [*deck_files(DEFAULTS), *own]
        data: Table = {}
        for file in files:
            data = merged(data, file.data)
        sources: list[tuple[TomlFile, Keys]] = [(file, ()) for file in reversed(files)]
        warnings = list(catalog.warnings)
        tables = parse(DeckTables, data, sources, warnings)
        names = frozenset(name for file in own for name in names_of(file))
        in_force = (*catalog.files, *(file.path for file in own))
        deck = cls(
            catalog, tables, allow_fallback, fallback_on_failure, names, in_force, tuple(warnings), max_answer_bytes
        )
        for file in files:
            deck._check_references(file)
        return deck

    def resolve(self, choice: ModelChoice, *, document: str | None = None) -> ResolvedModel:
        """Follow presets, aliases, waterfalls and routing to one model of one backend.

        Args:
            choice: the pipe's choice of a model.
            document: the `<format>.<source>` of a document, which selects the default of the family `doc_gen`.

        Raises:
            PipelexError: `model.unknown`, `model.unavailable`, `model.unspecified`, or `method.schema_violation` for
                a settings table that is not valid.
        """
        return self._resolve(choice, document)[0]

    def entry(self, model: ResolvedModel, family: ModelFamily = "llm") -> ModelEntry:
        """The catalog's entry for a resolved model.

        Raises:
            PipelexError: the backend does not exist or does not serve the model in this process (`model.unavailable`).
        """
        found = self.catalog.entry(model.backend, model.handle, FAMILIES[family].model_type)
        if found is None:
            raise _unavailable(
                model.handle,
                family,
                "not_served",
                f"the backend {model.backend!r} does not serve the model {model.handle!r} here",
                "Give every process of the deployment the same files under .pipelex/inference.",
            )
        return found

    def check(self, choice: ModelChoice, *, document: str | None = None, needs: Sequence[str] = ()) -> list[Fault]:
        """The fault in a choice, or a warning about a model that this machine cannot call; empty if all is well.

        Args:
            choice: the pipe's choice of a model.
            document: see `resolve`.
            needs: the inputs that the model must take besides text.
        """
        try:
            _, entry = self._resolve(choice, document)
        except PipelexError as error:
            report = error.report
            suggestions = as_texts(report.params.get("suggestions", ()))
            # If a known model is not served, the reason is in this machine's configuration, not in the method.
            severity = "warning" if report.params.get("reason") in NOT_SERVED else "error"
            return [Fault(report.code, report.detail, severity=severity, params=report.params, suggestions=suggestions)]
        unable = _incapable(entry, choice, needs)
        if unable is not None:
            return [unable]
        if self.catalog.is_ready(entry):
            return []
        if find(FAMILY_OF[entry.table.model_type], entry.table.sdk) is None:
            return [_without_client(entry)]
        lacks = self.catalog.lacks(entry)
        command = how_to_install(FAMILY_OF[entry.table.model_type], entry.table.sdk)
        needs = _listed(lacks) if lacks else f"what its sdk needs: {command}"
        if not lacks and command is None:
            return []
        params = {
            "model": entry.handle,
            "model_type": choice.family,
            "reason": "credentials_missing" if lacks else "client_missing",
        }
        detail = f"the model {entry.handle!r} is served by {entry.backend!r}, which needs {needs}"
        return [Fault("model.unavailable", detail, severity="warning", params=params)]

    def is_stood_in(self, choice: ModelChoice) -> bool:
        """Whether a choice leads to a mere stand-in for the model that it names.

        The user's own endpoint or the local model can stand in for any model, and a language model for a judge.

        Raises:
            PipelexError: see `resolve`.
        """
        _, entry = self._resolve(choice, None)
        family = choice.family
        if family == "judgment":
            return entry.table.model_type != "judgment"
        wanted = choice.choice if choice.choice is not None else self._default(choice, choice.document)
        if wanted is None or str(wanted) == entry.handle == entry.model_id:
            return False
        if entry.table.sdk == TINY:
            return True
        section = self.tables.section(family)
        try:
            followed = self._follow(self._settings(wanted, family, section).model, family, section, [])
        except PipelexError:
            return True
        return all((other.backend, other.handle) != (entry.backend, entry.handle) for other in followed)

    def names(self, family: ModelFamily) -> list[str]:
        """Every reference that the family knows, with its sigil, sorted."""
        return sorted(form for forms in self._forms(family).values() for form in forms)

    def _resolve(self, choice: ModelChoice, document: str | None) -> tuple[ResolvedModel, ModelEntry]:
        if choice.family == "judgment":
            return self._resolve_judge(choice)
        family, document = choice.family, document or choice.document
        wanted = choice.choice if choice.choice is not None else self._default(choice, document)
        if wanted is None:
            raise PipelexError(
                "model.unspecified",
                f"no model is named, and the deck has no default for {FAMILIES[family].words}",
                category=ErrorCategory.CONFIGURATION,
                params={"model_type": family},
                advice="Set 'model' on the pipe, or a default in .pipelex/inference/deck.",
            )
        section = self.tables.section(family)
        settings = self._settings(wanted, family, section)
        entry, *others = self._served(settings.model, family, self._named_by(choice, wanted, document))
        values = settings.model_dump(exclude={"model", "description"}, exclude_none=True)
        if family == "img_gen" and "nb_steps" not in values and self.tables.img_gen.default_quality is not None:
            values.setdefault("quality", self.tables.img_gen.default_quality)
        resolved = ResolvedModel(handle=entry.handle, backend=entry.backend, settings=values)
        if self.fallback_on_failure and others and family == "llm":
            spare = tuple(ModelTarget(handle=other.handle, backend=other.backend) for other in others)
            resolved = resolved.model_copy(update={"fallbacks": spare})
        return resolved, entry

    def _resolve_judge(self, choice: ModelChoice) -> tuple[ResolvedModel, ModelEntry]:
        """A judgment model if a provider for its `sdk` is installed, otherwise a language model in its place.

        For a judgment model's name, that is the default language model for objects. Any other name is taken as a
        language model's.
        """
        wanted, section = choice.choice, self.tables.judgment
        if wanted is None:
            wanted = self._default(choice, None)
        stand_in = ModelChoice(family="llm", purpose="object")
        if wanted is None:
            return self._resolve(stand_in, None)
        settings = self._settings(wanted, "judgment", section) if not isinstance(wanted, str) else None
        name = settings.model if settings is not None else str(wanted)
        reference = read_reference(name, "judgment")
        if str(reference) not in self._forms("judgment").get(reference.name, []):
            if str(reference) not in self._forms("llm").get(reference.name, []):
                raise self._unknown(reference, "judgment")
            return self._resolve(stand_in.model_copy(update={"choice": str(reference)}), None)
        judge = self._judge(settings or self._settings(str(reference), "judgment", section), section)
        if judge is not None:
            return ResolvedModel(handle=judge.handle, backend=judge.backend), judge
        resolved, entry = self._resolve(stand_in, None)
        if str(reference) not in _stood_in:
            _stood_in.add(str(reference))
            logger.warning("No judgment provider can be called for %s: %r judges.", reference, entry.handle)
        return resolved, entry

    def stand_in(self, choice: ModelChoice, *, document: str | None = None) -> str | None:
        """The backend of the small local model if it answers for a choice that does not name it; otherwise None."""
        try:
            entry = self._resolve(choice, document)[1]
        except PipelexError:
            return None
        is_named = _is_by_handle(choice) and entry.handle == entry.model_id
        return entry.backend if entry.table.sdk == TINY and not is_named else None

    def _judge(self, settings: ModelPreset, section: DeckSection) -> ModelEntry | None:
        """The judgment model itself; None if it is not served or no provider for its `sdk` is installed."""
        try:
            entry, *_ = self._follow(settings.model, "judgment", section, [])
        except PipelexError:
            return None
        return entry if is_callable("judgment", entry.table.sdk) else None

    def _default(self, choice: ModelChoice, document: str | None) -> str | ModelPreset | None:
        if choice.family == "llm":
            slot = "for_text" if choice.purpose == "text" else "for_object"
            override: str = getattr(self.tables.llm.choice_overrides, slot)
            if override != "disabled":
                return override
            found: str | ModelPreset | None = getattr(self.tables.llm.choice_defaults, slot)
            return found
        if choice.family == "doc_gen":
            return self.tables.doc_gen.choice_defaults.get(document or "")
        found = cast("str | ModelPreset | None", getattr(self.tables.section(choice.family), "choice_default", None))
        return found

    def _settings(
        self, wanted: str | Mapping[str, Json] | ModelPreset, family: ModelFamily, section: DeckSection
    ) -> ModelPreset:
        """The settings of a choice: those of a preset or an inline table, or the default ones for a plain reference."""
        if isinstance(wanted, ModelPreset):
            return wanted
        if isinstance(wanted, str):
            reference = read_reference(wanted, family)
            if reference.kind != "preset":
                return self._plain(str(reference), family)
            preset = section.preset(reference.name)
            if preset is None:
                raise self._unknown(reference, family)
            return preset
        kind = PRESETS[family]
        try:
            return kind.model_validate(dict(wanted))
        except ValidationError as error:
            fault = min(error.errors(include_url=False), key=gravity)
            keys = [str(part) for part in fault["loc"] if part in wanted or not fault["type"].startswith("literal")]
            key = keys[0] if keys else ""
            detail, advice = describe(fault, kind, f"model.{key}" if key else "model")
            raise PipelexError(
                "method.schema_violation",
                f"the model settings are not valid: {detail}",
                category=ErrorCategory.CONTENT,
                advice=advice,
                params={"field_path": f"model.{key}" if key else "model", "finding": fault["type"]},
            ) from None

    def _plain(self, model: str, family: ModelFamily) -> ModelPreset:
        if family == "llm":
            return ChatPreset(model=model, temperature=self.tables.llm.choice_defaults.default_temperature)
        return PRESETS[family](model=model)

    def _named_by(self, choice: ModelChoice, wanted: object, document: str | None) -> list[Name]:
        """The default and the preset that a choice starts from; empty if it names neither."""
        names: list[Name] = []
        if choice.choice is None:
            key = {"llm": f"for_{choice.purpose}", "doc_gen": document or ""}.get(choice.family, "choice_default")
            names.append((choice.family, "default", key))
        if isinstance(wanted, str) and (reference := read_reference(wanted, choice.family)).kind == "preset":
            names.append((choice.family, "presets", reference.name))
        return names

    def _served(self, text: str, family: ModelFamily, names: list[Name]) -> list[ModelEntry]:
        """The model to ask, then its stand-ins; the user's own default endpoint comes first for packaged names.

        Args:
            text: the reference to follow.
            family: its family.
            names: the names that led to it; the names that it leads through are added.

        Raises:
            PipelexError: no backend serves it.
        """
        failure: PipelexError | None = None
        served: list[ModelEntry] = []
        try:
            served = self._follow(text, family, self.tables.section(family), names)
        except PipelexError as failed:
            failure = failed
        standard, for_all = self.catalog.standard_entry(FAMILIES[family].model_type)
        # The local model also has handles that methods of 2025 use as names without a sigil.
        is_by_name = bool(names) or (
            bool(served) and all(entry.table.sdk == TINY and entry.handle != entry.model_id for entry in served)
        )
        is_standard = is_by_name and self.own_names.isdisjoint(names)
        if (
            standard is not None
            and is_standard
            and (failure is None or failure.report.params.get("reason") in NOT_SERVED)
        ):
            is_served = any(self.catalog.is_ready(entry) and entry.table.sdk != TINY for entry in served)
            if for_all or (self.allow_fallback and not is_served):
                return [
                    standard,
                    *(entry for entry in served if self.catalog.is_ready(entry) and entry.table.sdk != TINY),
                ]
        if failure is not None:
            raise failure
        return served

    def _follow(self, text: str, family: ModelFamily, section: DeckSection, names: list[Name]) -> list[ModelEntry]:
        """Follow aliases and a waterfall to handles; a reference to a preset is an error.

        The model to ask comes first, then the ready models that may stand in for it. The names on the way are added to
        `names`.
        """
        reference, passed = read_reference(text, family), list[str]()
        while reference.kind == "alias":
            names.append((family, "aliases", reference.name))
            passed.append(str(reference))
            target = section.aliases.get(reference.name)
            if target is None:
                raise self._unknown(reference, family)
            reference = read_reference(target, family)
            if str(reference) in passed:
                chain = " → ".join([*passed, str(reference)])
                raise _unavailable(text, family, "alias_cycle", f"the alias {passed[0]} leads back to itself: {chain}")
        if reference.kind == "preset":
            detail = (
                f"{text!r} leads to the preset {reference}, but only an alias, a waterfall or a handle can be used here"
            )
            raise self._unknown(reference, family, detail)
        if reference.kind == "waterfall":
            names.append((family, "waterfalls", reference.name))
            return self._first_served(reference, family, section)
        found = self.catalog.routes(reference.name, FAMILIES[family].model_type)
        if not found:
            raise self._not_served(reference, family)
        return [found[0], *filter(self.catalog.is_ready, found[1:])]

    def _first_served(self, reference: ModelReference, family: ModelFamily, section: DeckSection) -> list[ModelEntry]:
        handles = section.waterfalls.get(reference.name)
        if handles is None:
            raise self._unknown(reference, family)
        tried = [read_reference(handle, family).name for handle in (handles if self.allow_fallback else handles[:1])]
        served = [entry for name in tried for entry in self.catalog.routes(name, FAMILIES[family].model_type)]
        if not served:
            raise _unavailable(
                str(reference),
                family,
                "not_served",
                f"no enabled backend serves any model of the waterfall {reference}: {_listed(tried)}",
                "Enable a backend that serves one of them in .pipelex/inference/backends.toml.",
            )
        ready = list(filter(self.catalog.is_ready, served))
        return ready or served[:1]

    def _not_served(self, reference: ModelReference, family: ModelFamily) -> PipelexError:
        declared = [
            entry
            for backend in self.catalog.backends.values()
            for entry in backend.models
            if entry.handle == reference.name and entry.table.model_type == FAMILIES[family].model_type
        ]
        if not declared:
            return self._unknown(reference, family)
        backends = _listed(dict.fromkeys(entry.backend for entry in declared))
        awake = [entry for entry in declared if self.catalog.backends[entry.backend].table.enabled]
        if not awake:
            reason, why = "backend_disabled", f"{backends} would serve it but is not enabled"
            advice = "Enable it in backends.toml."
        elif not any(entry.table.enabled for entry in awake):
            reason, why = "model_disabled", f"it is not enabled in the models of {backends}"
            advice = f"Enable it in backends/{awake[0].backend}.toml."
        else:
            reason = "no_route"
            why = f"the routing profile {self.catalog.profile_name!r} leads to no enabled backend that serves it"
            advice = f"Route it to {backends} in routing_profiles.toml."
        return _unavailable(
            reference.name, family, reason, f"the model {reference.name!r} is not available: {why}", advice
        )

    def _unknown(self, reference: ModelReference, family: ModelFamily, detail: str | None = None) -> PipelexError:
        suggestions = self._suggestions(reference, family)
        said = detail or f"{KIND_WORDS[reference.kind]} {str(reference)!r} is not known for {FAMILIES[family].words}"
        return PipelexError(
            "model.unknown",
            f"{said}; did you mean {suggestions[0]!r}?" if suggestions else said,
            category=ErrorCategory.CONFIGURATION,
            params={"model": str(reference), "model_type": family, "suggestions": list(suggestions)},
            advice="Name a model of the deck, or add this one to .pipelex/inference.",
        )

    def _suggestions(self, reference: ModelReference, family: ModelFamily) -> tuple[str, ...]:
        """Up to three similar references: the same name under another sigil, then the same kind, then others."""
        forms = self._forms(family)
        exact = forms.get(reference.name, [])
        near = [form for name in near_names(reference.name, forms) for form in forms[name]]
        same_kind = [form for form in near if ModelReference.parse(form).kind == reference.kind]
        return tuple(dict.fromkeys([*exact, *same_kind, *near]))[:3]

    def _forms(self, family: ModelFamily) -> dict[str, list[str]]:
        section = self.tables.section(family)
        kinds: list[tuple[ReferenceKind, Iterable[str]]] = [
            ("preset", section.preset_names()),
            ("alias", section.aliases),
            ("waterfall", section.waterfalls),
            ("handle", sorted(self.catalog.handles(FAMILIES[family].model_type))),
        ]
        forms: dict[str, list[str]] = {}
        for kind, names in kinds:
            for name in names:
                forms.setdefault(name, []).append(WRITTEN[kind] + name)
        return forms

    def _check_references(self, file: TomlFile) -> None:
        """Refuse references to undeclared aliases and waterfalls. A handle may still be unknown to every backend."""
        for family in FAMILIES:
            section = self.tables.section(family)
            known = {"alias": set(section.aliases), "waterfall": set(section.waterfalls)}
            for keys, text in _references_of(cast("Table", file.data.get(family, {})), (family,)):
                try:
                    reference = ModelReference.parse(text)
                except ValueError as error:
                    raise file.fault(str(error), keys) from None
                if reference.kind in known and reference.name not in known[reference.kind]:
                    near = [
                        str(ModelReference(reference.kind, name))
                        for name in near_names(reference.name, known[reference.kind])
                    ]
                    advice = f"did you mean {near[0]!r}?" if near else None
                    raise file.fault(f"{KIND_WORDS[reference.kind]} {text!r} is not declared", keys, advice=advice)


_stood_in: set[str] = set()
"""The judgment models that this process has already logged a stand-in for."""


def _references_of(section: Table, at: Keys) -> Iterable[tuple[Keys, str]]:
    for name, target in section.get("aliases", {}).items():
        if isinstance(target, str):
            yield (*at, "aliases", name), target
    for name, preset in section.get("presets", {}).items():
        if isinstance(preset, dict):
            model: Any = cast("Table", preset).get("model")
            if isinstance(model, str):
                yield (*at, "presets", name, "model"), model


def _incapable(entry: ModelEntry, choice: ModelChoice, needs: Sequence[str]) -> Fault | None:
    """The fault of a model that lacks a capability; None if it lacks none.

    It is an error only if the method names that model by its handle. For an alias, a preset or a default, it is a
    warning, because the deck chose the model. It is also a warning for the local model, which stands in for any name.
    """
    is_structured = entry.table.model_type == "llm" and (choice.purpose == "object" or choice.family == "judgment")
    capability = lacking(entry, (STRUCTURE, *needs) if is_structured else needs)
    if capability is None:
        return None
    return Fault(
        "model.capability_unsupported",
        f"the model {entry.handle!r} of {entry.backend!r} does not take {capability}",
        severity="error" if _is_by_handle(choice) and entry.table.sdk != "llama_cpp" else "warning",
        params={"model": entry.handle, "capability": capability},
    )


def _is_by_handle(choice: ModelChoice) -> bool:
    named = choice.choice.get("model") if isinstance(choice.choice, Mapping) else choice.choice
    return isinstance(named, str) and read_reference(named, choice.family).kind == "handle"


def _without_client(entry: ModelEntry) -> Fault:
    sdk, family = entry.table.sdk, FAMILY_OF[entry.table.model_type]
    return Fault(
        "model.unavailable",
        f"the model {entry.handle!r} of {entry.backend!r} has sdk = {sdk!r}, which this release does not know",
        params={"model": entry.handle, "model_type": family, "reason": "sdk_unknown"},
        suggestions=tuple(near_names(sdk, sdks(family))),
    )


def _unavailable(model: str, family: ModelFamily, reason: str, detail: str, advice: str | None = None) -> PipelexError:
    return PipelexError(
        "model.unavailable",
        detail,
        category=ErrorCategory.CONFIGURATION,
        params={"model": model, "model_type": family, "reason": reason},
        model=model,
        advice=advice,
    )


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)
