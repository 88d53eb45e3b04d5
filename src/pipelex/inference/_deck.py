from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from pydantic import ValidationError

from pipelex.content.stuff import Json
from pipelex.errors import ErrorCategory, Fault, PipelexError, near_names
from pipelex.inference._catalog import DEFAULTS, Catalog, ModelEntry, load_catalog
from pipelex.inference._files import Keys, Table, TomlFile, describe, gravity, merged, parse
from pipelex.inference._schema import (
    MODEL_TYPES,
    SETTINGS,
    DeckSection,
    DeckTables,
    LLMSettings,
    ModelSettingsTable,
)
from pipelex.pipes.runtime import Family, ModelChoice, ResolvedModel

Kind = Literal["preset", "alias", "waterfall", "handle"]

_SIGILS: dict[str, Kind] = {"$": "preset", "@": "alias", "~": "waterfall"}
_WRITTEN: dict[Kind, str] = {"preset": "$", "alias": "@", "waterfall": "~", "handle": ""}


@dataclass(frozen=True)
class Reference:
    """A model reference, its kind and its name apart."""

    kind: Kind
    name: str

    def __str__(self) -> str:
        return _WRITTEN[self.kind] + self.name

    @classmethod
    def parse(cls, text: str) -> "Reference":
        """Read `$preset`, `@alias`, `~waterfall`, `handle`, or the long forms `preset:name`, ….

        Raises:
            ValueError: there is no name.
        """
        trimmed = text.strip()
        kind, name = _SIGILS.get(trimmed[:1]), trimmed[1:]
        if kind is None:
            word, colon, rest = trimmed.partition(":")
            is_kind = bool(colon) and word in _WRITTEN
            kind, name = (cast("Kind", word), rest) if is_kind else ("handle", trimmed)
        if not name.strip():
            raise ValueError(f"{text!r} names no model")
        return cls(kind, name.strip())


@dataclass(frozen=True)
class ModelDeck:
    """Aliases, waterfalls, presets and defaults over a catalog of backends: from what a pipe asks for to a model."""

    catalog: Catalog
    tables: DeckTables
    allow_fallback: bool = True
    """Whether a waterfall may pass over a model that is not served, or whose backend lacks its credentials."""

    @classmethod
    def load(cls, dirs: Sequence[Path], environ: Mapping[str, str], *, allow_fallback: bool = True) -> "ModelDeck":
        """Read the model configuration.

        Args:
            dirs: `inference` directories, the one that wins first; the packaged files stand below them.
            environ: the environment variables for `${NAME}`.
            allow_fallback: whether waterfalls may pass over a model that cannot be called.

        Raises:
            ConfigurationError: a file is wrong; the message names file, line and key.
        """
        catalog = load_catalog(dirs, environ)
        folder = next((path for one in dirs if any((path := one / "deck").glob("*.toml"))), None)
        paths = sorted((DEFAULTS / "deck").glob("*.toml"))
        paths += sorted(folder.glob("*.toml")) if folder is not None else []
        files = [TomlFile.read(path) for path in paths]
        data: Table = {}
        for file in files:
            data = merged(data, file.data)
        sources: list[tuple[TomlFile, Keys]] = [(file, ()) for file in reversed(files)]
        deck = cls(catalog, parse(DeckTables, data, sources), allow_fallback)
        for file in files:
            deck._check_references(file)
        return deck

    def resolve(self, choice: ModelChoice, *, document: str | None = None) -> ResolvedModel:
        """Follow presets, aliases, waterfalls and routing down to one model of one backend.

        Args:
            choice: what a pipe asks for.
            document: `<format>.<source>` of a document, which picks the default of the family `doc_gen`.

        Raises:
            PipelexError: `model.unknown`, `model.unavailable`, `model.unspecified`, or `method.schema_violation` for
                a settings table that is wrong.
        """
        return self._resolve(choice, document)[0]

    def entry(self, model: ResolvedModel, family: Family = "llm") -> ModelEntry:
        """The catalog's entry of a resolved model.

        Raises:
            PipelexError: `model.unavailable`: this process has no such backend, or the backend not the model.
        """
        found = self.catalog.entry(model.backend, model.handle, MODEL_TYPES[family])
        if found is None:
            raise _unavailable(
                model.handle,
                family,
                "not_served",
                f"the backend {model.backend!r} does not serve the model {model.handle!r} here",
                "Give every process of the deployment the same files under .pipelex/inference.",
            )
        return found

    def check(self, choice: ModelChoice, *, document: str | None = None) -> list[Fault]:
        """What is wrong with a choice, without raising: an error, or a warning about missing credentials."""
        try:
            _, entry = self._resolve(choice, document)
        except PipelexError as error:
            report = error.report
            suggestions = tuple(report.params.get("suggestions", ()))
            return [Fault(report.code, report.detail, params=report.params, suggestions=suggestions)]
        missing = self.catalog.missing(entry)
        if not missing:
            return []
        detail = (
            f"the model {entry.handle!r} is served by {entry.backend!r}, which needs {_listed(missing)} in the "
            "environment"
        )
        params = {"model": entry.handle, "model_type": choice.family, "reason": "credentials_missing"}
        return [Fault("model.unavailable", detail, severity="warning", params=params)]

    def names(self, family: Family) -> list[str]:
        """Every reference the family knows, with its sigil, sorted."""
        return sorted(form for forms in self._forms(family).values() for form in forms)

    def _resolve(self, choice: ModelChoice, document: str | None) -> tuple[ResolvedModel, ModelEntry]:
        family = choice.family
        wanted = choice.choice if choice.choice is not None else self._default(choice, document)
        if wanted is None:
            raise PipelexError(
                "model.unspecified",
                f"no model is named, and the deck has no default for {_FAMILY_WORDS[family]}",
                category=ErrorCategory.CONFIGURATION,
                params={"model_type": family},
                advice="Set 'model' on the pipe, or a default in .pipelex/inference/deck.",
            )
        section = self.tables.section(family)
        settings = self._settings(wanted, family, section)
        entry = self._follow(settings.model, family, section)
        values = settings.model_dump(exclude={"model", "description"}, exclude_none=True)
        if family == "img_gen" and "nb_steps" not in values and self.tables.img_gen.default_quality is not None:
            values.setdefault("quality", self.tables.img_gen.default_quality)
        return ResolvedModel(handle=entry.handle, backend=entry.backend, settings=values), entry

    def _default(self, choice: ModelChoice, document: str | None) -> str | ModelSettingsTable | None:
        if choice.family == "llm":
            slot = "for_text" if choice.purpose == "text" else "for_object"
            override: str = getattr(self.tables.llm.choice_overrides, slot)
            if override != "disabled":
                return override
            found: str | ModelSettingsTable | None = getattr(self.tables.llm.choice_defaults, slot)
            return found
        if choice.family == "doc_gen":
            return self.tables.doc_gen.choice_defaults.get(document or "")
        found = cast(
            "str | ModelSettingsTable | None", getattr(self.tables.section(choice.family), "choice_default", None)
        )
        return found

    def _settings(
        self, wanted: str | Mapping[str, Json] | ModelSettingsTable, family: Family, section: DeckSection
    ) -> ModelSettingsTable:
        """The settings of a choice: a preset's, an inline table's, or plain ones around a reference."""
        if isinstance(wanted, ModelSettingsTable):
            return wanted
        if isinstance(wanted, str):
            reference = _read(wanted, family)
            if reference.kind != "preset":
                return self._plain(str(reference), family)
            preset = section.preset(reference.name)
            if preset is None:
                raise self._unknown(reference, family)
            return preset
        kind = SETTINGS[family]
        try:
            return kind.model_validate(dict(wanted))
        except ValidationError as error:
            finding = min(error.errors(include_url=False), key=gravity)
            keys = [str(part) for part in finding["loc"] if part in wanted or not finding["type"].startswith("literal")]
            key = keys[0] if keys else ""
            detail, advice = describe(finding, kind, f"model.{key}" if key else "model")
            raise PipelexError(
                "method.schema_violation",
                f"the model settings are not valid: {detail}",
                category=ErrorCategory.CONTENT,
                advice=advice,
                params={"field_path": f"model.{key}" if key else "model", "finding": finding["type"]},
            ) from None

    def _plain(self, model: str, family: Family) -> ModelSettingsTable:
        if family == "llm":
            return LLMSettings(model=model, temperature=self.tables.llm.choice_defaults.default_temperature)
        return SETTINGS[family](model=model)

    def _follow(self, text: str, family: Family, section: DeckSection) -> ModelEntry:
        """Aliases, then a waterfall, then a handle; a preset cannot stand here."""
        reference, passed = _read(text, family), list[str]()
        while reference.kind == "alias":
            passed.append(str(reference))
            target = section.aliases.get(reference.name)
            if target is None:
                raise self._unknown(reference, family)
            reference = _read(target, family)
            if str(reference) in passed:
                chain = " → ".join([*passed, str(reference)])
                raise _unavailable(text, family, "alias_cycle", f"the alias {passed[0]} leads back to itself: {chain}")
        if reference.kind == "preset":
            detail = (
                f"{text!r} leads to the preset {reference}, but only an alias, a waterfall or a handle can stand here"
            )
            raise self._unknown(reference, family, detail)
        if reference.kind == "waterfall":
            return self._first_served(reference, family, section)
        entry = self.catalog.route(reference.name, MODEL_TYPES[family])
        if entry is None:
            raise self._not_served(reference, family)
        return entry

    def _first_served(self, reference: Reference, family: Family, section: DeckSection) -> ModelEntry:
        handles = section.waterfalls.get(reference.name)
        if handles is None:
            raise self._unknown(reference, family)
        tried = [_read(handle, family).name for handle in (handles if self.allow_fallback else handles[:1])]
        served = [entry for name in tried if (entry := self.catalog.route(name, MODEL_TYPES[family])) is not None]
        if not served:
            raise _unavailable(
                str(reference),
                family,
                "not_served",
                f"no enabled backend serves any model of the waterfall {reference}: {_listed(tried)}",
                "Enable a backend that serves one of them in .pipelex/inference/backends.toml.",
            )
        return next((entry for entry in served if self.catalog.is_ready(entry)), served[0])

    def _not_served(self, reference: Reference, family: Family) -> PipelexError:
        declared = [
            entry
            for backend in self.catalog.backends.values()
            for entry in backend.models
            if entry.handle == reference.name and entry.table.model_type == MODEL_TYPES[family]
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

    def _unknown(self, reference: Reference, family: Family, detail: str | None = None) -> PipelexError:
        suggestions = self._suggestions(reference, family)
        said = detail or f"{_KIND_WORDS[reference.kind]} {str(reference)!r} is not known for {_FAMILY_WORDS[family]}"
        return PipelexError(
            "model.unknown",
            f"{said}; did you mean {suggestions[0]!r}?" if suggestions else said,
            category=ErrorCategory.CONFIGURATION,
            params={"model": str(reference), "model_type": family, "suggestions": list(suggestions)},
            advice="Name a model of the deck, or add this one to .pipelex/inference.",
        )

    def _suggestions(self, reference: Reference, family: Family) -> tuple[str, ...]:
        """Near names with their sigils: the very name under another sigil first, then the same kind, then others."""
        forms = self._forms(family)
        exact = forms.get(reference.name, [])
        near = [form for name in near_names(reference.name, forms) for form in forms[name]]
        same_kind = [form for form in near if Reference.parse(form).kind == reference.kind]
        return tuple(dict.fromkeys([*exact, *same_kind, *near]))[:3]

    def _forms(self, family: Family) -> dict[str, list[str]]:
        section = self.tables.section(family)
        kinds: list[tuple[Kind, Iterable[str]]] = [
            ("preset", section.preset_names()),
            ("alias", section.aliases),
            ("waterfall", section.waterfalls),
            ("handle", sorted(self.catalog.handles(MODEL_TYPES[family]))),
        ]
        forms: dict[str, list[str]] = {}
        for kind, names in kinds:
            for name in names:
                forms.setdefault(name, []).append(_WRITTEN[kind] + name)
        return forms

    def _check_references(self, file: TomlFile) -> None:
        """Names that a deck file uses and nobody declares; a handle may be unknown until a backend declares it."""
        for family in SETTINGS:
            section = self.tables.section(family)
            known = {"alias": set(section.aliases), "waterfall": set(section.waterfalls)}
            for keys, text in _references_of(cast("Table", file.data.get(family, {})), (family,)):
                try:
                    reference = Reference.parse(text)
                except ValueError as error:
                    raise file.fault(str(error), keys) from None
                if reference.kind in known and reference.name not in known[reference.kind]:
                    near = [
                        str(Reference(reference.kind, name))
                        for name in near_names(reference.name, known[reference.kind])
                    ]
                    advice = f"did you mean {near[0]!r}?" if near else None
                    raise file.fault(f"{_KIND_WORDS[reference.kind]} {text!r} is not declared", keys, advice=advice)


_FAMILY_WORDS: dict[Family, str] = {
    "llm": "language models",
    "extract": "text extraction",
    "img_gen": "image generation",
    "search": "search",
    "judgment": "judgment",
    "doc_gen": "documents",
}
_KIND_WORDS: dict[Kind, str] = {
    "preset": "the preset",
    "alias": "the alias",
    "waterfall": "the waterfall",
    "handle": "the model",
}


def _references_of(section: Table, at: Keys) -> Iterable[tuple[Keys, str]]:
    for name, target in section.get("aliases", {}).items():
        if isinstance(target, str):
            yield (*at, "aliases", name), target
    for name, preset in section.get("presets", {}).items():
        if isinstance(preset, dict):
            model: Any = cast("Table", preset).get("model")
            if isinstance(model, str):
                yield (*at, "presets", name, "model"), model


def _read(text: str, family: Family) -> Reference:
    try:
        return Reference.parse(text)
    except ValueError as error:
        raise PipelexError(
            "model.unknown",
            str(error),
            category=ErrorCategory.CONFIGURATION,
            params={"model": text, "model_type": family, "suggestions": []},
        ) from None


def _unavailable(model: str, family: Family, reason: str, detail: str, advice: str | None = None) -> PipelexError:
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
