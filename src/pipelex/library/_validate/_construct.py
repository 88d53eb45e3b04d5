"""The rules of PipeCompose: a template's output is a text, and a construct's the structure that it builds."""

from collections.abc import Mapping
from typing import Any

from pipelex.content.structure import (
    AnyShape,
    ChoiceShape,
    ContentError,
    DictShape,
    FieldShape,
    ObjectShape,
    ScalarShape,
    Shape,
    to_plain_json,
    validate,
)
from pipelex.errors import near_names
from pipelex.language.blueprints import ConstructFrom, ConstructTable, ConstructTemplate, Keys, PipeComposeBlueprint
from pipelex.language.references import Slot
from pipelex.library._library import Pipe
from pipelex.library._paths import PathFault, walk_path
from pipelex.library._validate._context import Checks, shown
from pipelex.library._validate._fields import suits
from pipelex.library._validate._operators import gives_one_of
from pipelex.library._validate._outputs import report_output


def check_compose(checks: Checks, pipe: Pipe) -> None:
    """Check that a template's output is a text, and a construct's its structure (section 6.7 of the reference)."""
    blueprint = pipe.blueprint
    assert isinstance(blueprint, PipeComposeBlueprint)
    if blueprint.construct_table is None:
        _gives_text(checks, pipe)
        return
    shape = checks.library.shape(pipe.output.concept)
    base = checks.library.native_base(pipe.output.concept)
    if isinstance(shape, ObjectShape):
        _Construct(checks, pipe).table(shape, blueprint.construct_fields, ("construct",))
    elif base != "Dynamic":
        report_output(
            checks,
            pipe,
            f"'construct' builds a concept field by field, and '{shown(pipe.output)}' declares no fields",
            pipe.output.concept,
            "output",
        )


_gives_text = gives_one_of("Text", "Markdown", "Html")


class _Construct:
    def __init__(self, checks: Checks, pipe: Pipe) -> None:
        self.checks = checks
        self.pipe = pipe

    def table(self, shape: ObjectShape, entries: Mapping[str, Any], keys: Keys) -> None:
        for name, entry in entries.items():
            field = shape.field(name)
            if field is None:
                known = [each.name for each in shape.fields]
                near = near_names(name, known)
                hint = f"did you mean '{near[0]}'?" if near else f"its fields are {', '.join(known)}"
                self.wrong(f"{shape.title} has no field '{name}'; {hint}", (*keys, name), near, on_key=True)
            else:
                self.entry(field, entry, (*keys, name))
        missing = [each.name for each in shape.fields if each.required and each.name not in entries]
        if missing:
            listed = ", ".join(f"'{name}'" for name in missing)
            self.checks.report(
                self.pipe,
                "pipe.output_invalid",
                f"construct of '{self.checks.label(self.pipe)}': {shape.title} requires {listed},"
                " which this construct does not set",
                *keys,
                category="inadequate_output_concept",
                output_concept=self.pipe.output.concept,
                fields=missing,
            )

    def entry(self, field: FieldShape, entry: Any, keys: Keys) -> None:
        match entry:
            case ConstructFrom():
                self.path(field, entry, keys)
            case ConstructTemplate():
                if not _takes_text(field.shape):
                    self.wrong(f"a template writes a text, which the field '{field.name}' does not take", keys)
            case ConstructTable():
                self.nested(field.shape, entry, keys)
            case literal:
                try:
                    validate(field.shape, to_plain_json(literal), where=field.name)
                except ContentError as wrong:
                    self.wrong(f"this value does not fit: {wrong}", keys)

    def nested(self, shape: Shape, entry: ConstructTable, keys: Keys) -> None:
        if isinstance(shape, ObjectShape):
            self.table(shape, entry.fields, keys)
        elif not isinstance(shape, DictShape | AnyShape):
            self.wrong(f"'{keys[-1]}' is not a concept with fields: it takes no nested construct", keys)

    def path(self, field: FieldShape, entry: ConstructFrom, keys: Keys) -> None:
        root, *fields = entry.from_path.split(".")
        slot = self.pipe.inputs.get(root)
        if slot is None:  # reported by the language layer
            return
        found = walk_path(self.checks.library, slot, fields)
        if isinstance(found, PathFault):
            near = near_names(found.segment, found.available)
            hint = f"; did you mean '{near[0]}'?" if near else ""
            self.checks.report(
                self.pipe,
                "method.field_path_unresolved",
                f"'{entry.from_path}' leads nowhere: {found.detail}{hint}",
                *keys,
                "from",
                category="binding_path_unresolved",
                suggestions=near,
                path=entry.from_path,
                segment=found.segment,
                available_fields=list(found.available),
            )
            return
        if entry.list_to_dict_keyed_by is not None:
            self.keyed(field, entry, found.slot, keys)
        elif not suits(self.checks.library, field.shape, found.slot):
            self.wrong(
                f"'{entry.from_path}' is '{shown(found.slot)}', which does not suit '{field.name}'", (*keys, "from")
            )
        if slot.presence == "optional" and field.required:
            self.checks.report(
                self.pipe,
                "method.optional_unhandled",
                f"'{root}' may be absent, and the field '{field.name}' is required: make the field optional,"
                " or write it by a template that guards the read",
                *keys,
                "from",
                category="optional_input_unguarded",
                input=root,
                site="template",
            )

    def keyed(self, field: FieldShape, entry: ConstructFrom, slot: Slot, keys: Keys) -> None:
        attribute = entry.list_to_dict_keyed_by or ""
        item = self.checks.library.shape(slot.concept)
        if not slot.is_list:
            self.wrong(
                f"'list_to_dict_keyed_by' needs a list, and '{entry.from_path}' is '{shown(slot)}'", (*keys, "from")
            )
        elif isinstance(item, ObjectShape) and item.field(attribute) is None:
            known = [each.name for each in item.fields]
            near = near_names(attribute, known)
            hint = f"did you mean '{near[0]}'?" if near else f"its fields are {', '.join(known)}"
            self.wrong(f"{item.title} has no field '{attribute}'; {hint}", (*keys, "list_to_dict_keyed_by"), near)
        elif not isinstance(field.shape, DictShape | AnyShape):
            self.wrong(f"'list_to_dict_keyed_by' makes a dict, which the field '{field.name}' does not take", keys)

    def wrong(self, detail: str, keys: Keys, near: tuple[str, ...] = (), *, on_key: bool = False) -> None:
        self.checks.report(
            self.pipe,
            "method.wiring_invalid",
            f"construct of '{self.checks.label(self.pipe)}': {detail}",
            *keys,
            category="inadequate_output_concept",
            suggestions=near,
            on_key=on_key,
            variable_path=".".join(str(key) for key in keys),
            finding=detail,
        )


def _takes_text(shape: Shape) -> bool:
    """Whether a rendered template may fit; for dates and choices, only the rendered text decides."""
    if isinstance(shape, ScalarShape):
        return shape.kind not in ("integer", "number", "boolean")
    return isinstance(shape, ChoiceShape | AnyShape)
