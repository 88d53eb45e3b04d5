"""PipeCompose.

Source: MTHDS 8.0.0, section 6.7 of the language reference.
"""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Literal, Self, TypeAlias, cast

from pydantic import BaseModel, ConfigDict, Field, model_validator

from pipelex.language.blueprints._base import ALIASED, Blueprint, Keys, TagStyle, TemplateCategory, refuse
from pipelex.language.blueprints._pipe import PipeBlueprint
from pipelex.language.blueprints._settings import TemplatingStyle
from pipelex.language.templates import FILTERS_BY_CATEGORY, TemplateSite


class TemplateBlueprint(Blueprint):
    """A template in its table form."""

    template: str
    """The text: Jinja2 with `$name`, `@name` and `@?name`."""
    category: TemplateCategory
    """The kind of text that comes out; it decides the filters and whether markup is escaped."""
    templating_style: TagStyle | TemplatingStyle | None = None
    """The tags and formats of values."""
    extra_context: dict[str, Any] | None = None
    """The additional variables, by name."""


class ConstructFrom(Blueprint):
    """A construct field copied from a dotted path."""

    from_path: str = Field(alias="from")
    list_to_dict_keyed_by: str | None = None

    model_config: ClassVar[ConfigDict] = ALIASED


class ConstructTemplate(Blueprint):
    """A construct field rendered from a template."""

    template: str


ConstructValue: TypeAlias = "str | bool | int | float | list[Any] | ConstructFrom | ConstructTemplate | ConstructTable"


def parse_construct(value: Any) -> Any:
    """Tell the kinds of construct values apart by their keys, so a wrong value leads to only one message."""
    if not isinstance(value, dict):
        return value
    table = cast("dict[str, Any]", value)
    if not table:
        raise refuse("construct_empty", "a nested construct needs at least one field", "construct")
    if "from" in table and "template" in table:
        raise refuse("construct_keys", "'from' and 'template' cannot be used together", "construct")
    # `from` and `template` are keys of the language only if their value is a string: a nested concept may have fields
    # of these names.
    if isinstance(table.get("from"), str):
        if extra := sorted(table.keys() - {"from", "list_to_dict_keyed_by"}):
            raise refuse(
                "construct_keys",
                f"'from' goes with 'list_to_dict_keyed_by' only, not with {', '.join(extra)}",
                "construct",
            )
        return ConstructFrom.model_validate(table)
    if isinstance(table.get("template"), str):
        if extra := sorted(table.keys() - {"template"}):
            raise refuse(
                "construct_keys",
                f"'template' stands alone in a construct field, not with {', '.join(extra)}",
                "construct",
            )
        return ConstructTemplate.model_validate(table)
    return ConstructTable(fields={name: parse_construct(entry) for name, entry in table.items()})


class ConstructTable(BaseModel):
    """A nested construct: one value for each field of a concept."""

    model_config = ConfigDict(frozen=True)

    fields: dict[str, Any]
    """Each a literal, a `ConstructFrom`, a `ConstructTemplate` or another `ConstructTable`."""


class PipeComposeBlueprint(PipeBlueprint):
    """A text from a template, or an object built field by field; calls no model."""

    reads_every_input = True
    has_fixed_output = True

    type: Literal["PipeCompose"]
    template: str | TemplateBlueprint | None = None
    """The text of the result: Jinja2 with `$name`, `@name` and `@?name`. Instead of `construct`."""
    construct_table: dict[str, Any] | None = Field(default=None, alias="construct")
    """The result field by field: a literal, `{ from = "path" }`, `{ template = "…" }` or a nested table. Instead of
    `template`."""

    model_config: ClassVar[ConfigDict] = ALIASED

    @model_validator(mode="after")
    def _check_modes(self) -> Self:
        if (self.template is None) == (self.construct_table is None):
            raise refuse("compose_mode", "write exactly one of 'template' and 'construct'", "construct", "template")
        if self.construct_table is not None:
            if not self.construct_table:
                raise refuse("construct_empty", "'construct' needs at least one field", "construct")
            _ = self.construct_fields  # its own rules speak here, once, when the file is read
        if self.output_slot.is_list:
            raise refuse(
                "compose_output", "a PipeCompose returns one value: remove the brackets from its output", "output"
            )
        return self

    @classmethod
    def sites_in(cls, table: Mapping[str, Any]) -> Iterator[TemplateSite]:
        template = table.get("template")
        if isinstance(template, str):
            yield TemplateSite(("template",), template, "basic")
        elif isinstance(template, Mapping):
            yield from _table_sites(cast("Mapping[str, Any]", template))
        for keys, entry in _construct_tables(table.get("construct")):
            if isinstance(entry.get("template"), str) and not isinstance(entry.get("from"), str):
                yield TemplateSite((*keys, "template"), entry["template"], "basic")

    @classmethod
    def paths_in(cls, table: Mapping[str, Any]) -> Iterator[tuple[Keys, str]]:
        for keys, entry in _construct_tables(table.get("construct")):
            if isinstance(entry.get("from"), str):
                yield (*keys, "from"), entry["from"]

    @property
    def construct_fields(self) -> dict[str, Any]:
        """The construct with its kinds told apart (see `ConstructTable.fields`); empty in template mode."""
        return {name: parse_construct(value) for name, value in (self.construct_table or {}).items()}

    @property
    def template_text(self) -> str | None:
        return self.template.template if isinstance(self.template, TemplateBlueprint) else self.template

    @property
    def category(self) -> TemplateCategory:
        return self.template.category if isinstance(self.template, TemplateBlueprint) else "basic"


def _table_sites(table: Mapping[str, Any]) -> Iterator[TemplateSite]:
    if not isinstance(table.get("template"), str):
        return
    category = str(table.get("category"))
    extra = table.get("extra_context")
    yield TemplateSite(
        ("template", "template"),
        table["template"],
        category if category in FILTERS_BY_CATEGORY else "basic",
        extra_names=tuple(cast("Mapping[str, Any]", extra)) if isinstance(extra, Mapping) else (),
    )


def _construct_tables(construct: Any) -> Iterator[tuple[Keys, Mapping[str, Any]]]:
    """The tables of a construct that stand for one value (`from` or `template`), nested ones included."""
    if not isinstance(construct, Mapping):
        return
    pending: list[tuple[Keys, Mapping[str, Any]]] = [(("construct",), cast("Mapping[str, Any]", construct))]
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
