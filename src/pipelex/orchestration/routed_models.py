"""Finds the models and backends in tables of routes that do not exist, so that their routes and options never apply."""

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from pipelex.config import KeyFault, Settings
from pipelex.durable.dispatch import ActivityRoutes
from pipelex.errors import ConfigurationError, Fault, PipelexError, near_names
from pipelex.language.blueprints import ModelFamily
from pipelex.orchestration.wiring import deck_of
from pipelex.pipes.effects.kinds import EFFECTS
from pipelex.pipes.models import ModelChoice

if TYPE_CHECKING:
    from pipelex.inference import ModelDeck
    from pipelex.inference.deck.catalog import Catalog


def unknown_models(
    settings: Settings, table: tuple[str, ...], routes: Mapping[str, ActivityRoutes]
) -> tuple[Fault, ...]:
    """A warning for each handle and each backend of the routes that no model or backend has.

    The models are only loaded if a route names one. If their files are wrong, there are no warnings, because whatever
    needs the models reports these files.

    Args:
        settings: the configuration.
        table: the path of the routes' table in the files.
        routes: the name of an activity, or of a group of activities → its route.
    """
    if not any(each.by_handle or each.by_backend or each.handle_options for each in routes.values()):
        return ()
    try:
        known = _KnownModels(deck_of(settings))
    except ConfigurationError:
        return ()
    return tuple(
        settings.fault((*table, *fault.path), fault.message, severity="warning", suggestions=fault.suggestions)
        for name, each in routes.items()
        for fault in _faults(name, each, known)
    )


def _faults(name: str, routes: ActivityRoutes, known: "_KnownModels") -> Iterator[KeyFault]:
    families = _families(name)
    if not families:
        return
    for key, handles in (("by_handle", routes.by_handle), ("handle_options", routes.handle_options)):
        for handle in handles:
            if not known.has_handle(handle, families):
                message, near = known.describe_handle(handle, families)
                yield KeyFault((name, key, handle), message, near)
    for backend in routes.by_backend:
        if backend not in known.deck.catalog.backends:
            near = near_names(backend, known.deck.catalog.backends, most=1)
            message = f"no backend is called {backend!r}, so this has no effect{_hint(near)}"
            yield KeyFault((name, "by_backend", backend), message, near)


def _families(name: str) -> tuple[ModelFamily, ...]:
    """The families of the models that an activity, or a group of them, is routed by; empty if it is routed by none."""
    kinds = [kind for kind in EFFECTS if name in (kind.activity, kind.group) and kind.routing_key == kind.family]
    found: dict[ModelFamily, None] = {kind.family: None for kind in kinds if kind.family is not None}
    if "judgment" in found:  # a language model stands in for a judgment model that cannot be called
        found["llm"] = None
    return tuple(found)


def _hint(near: tuple[str, ...]) -> str:
    return f"; did you mean {near[0]!r}?" if near else ""


class _KnownModels:
    """The models of a deck, whether or not their backends are enabled."""

    def __init__(self, deck: "ModelDeck") -> None:
        self.deck = deck

    def has_handle(self, handle: str, families: tuple[ModelFamily, ...]) -> bool:
        """Whether a model of one of the families has a handle, here or in the packaged files."""
        return handle in self._handles(families) or handle in _handles(self._packaged, families)

    def describe_handle(self, handle: str, families: tuple[ModelFamily, ...]) -> tuple[str, tuple[str, ...]]:
        """The message about a handle that no model of the families has, and the handle that was probably meant."""
        from pipelex.inference.families import FAMILIES

        found = self._reference(handle, families)
        if found is not None:
            reference, model = found
            where = f"; here, it leads to {model!r}" if model else ""
            said = f"{reference!r} is a name that leads to a model, not a model's handle, so this has no effect{where}"
            return said, (model,) if model else ()
        words = " and ".join(FAMILIES[family].words for family in families)
        said = f"the model {handle!r} is not known for {words}, so this has no effect"
        other = next((facts.words for family, facts in FAMILIES.items() if handle in self._handles((family,))), None)
        if other is not None:
            return f"{said}; it is known for {other}", ()
        near = near_names(handle, sorted(self._handles(families)), most=1)
        return f"{said}{_hint(near)}", near

    def _reference(self, written: str, families: tuple[ModelFamily, ...]) -> tuple[str, str | None] | None:
        """The preset, alias or waterfall of a name, and its model; None if there is no such name."""
        from pipelex.inference.deck.reference import ModelReference

        for family in families:
            for name in self.deck.names(family):
                if written in (name, ModelReference.parse(name).name):
                    return name, self._model_of(ModelChoice(family=family, choice=name))
        return None

    def _model_of(self, choice: ModelChoice) -> str | None:
        """The handle of the model that is asked for a choice; None if only a stand-in can be asked."""
        try:
            return None if self.deck.is_stood_in(choice) else self.deck.resolve(choice).handle
        except PipelexError:
            return None

    def _handles(self, families: tuple[ModelFamily, ...]) -> frozenset[str]:
        return _handles(self.deck.catalog, families)

    @cached_property
    def _packaged(self) -> "Catalog":
        """The packaged backends; the user's own file of a backend hides the packaged one."""
        from pipelex.inference.deck.loading import load_catalog

        return load_catalog([], {})


def _handles(catalog: "Catalog", families: tuple[ModelFamily, ...]) -> frozenset[str]:
    from pipelex.inference.families import FAMILIES

    return frozenset[str]().union(*(catalog.handles(FAMILIES[family].model_type) for family in families))
