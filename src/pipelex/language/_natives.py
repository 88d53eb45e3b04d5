"""Names that MTHDS reserves: native concepts, retired ones, reserved domains and reserved field names.

Source: MTHDS 8.0.0, sections 1.1, 3 and 13 of the language reference.
"""

from typing import Final

NATIVE_CODES: Final = (
    "Text",
    "Number",
    "YesNo",
    "Choice",
    "Rating",
    "Date",
    "Time",
    "Image",
    "Document",
    "Html",
    "TextAndImages",
    "Page",
    "JSON",
    "SearchResult",
    "Dynamic",
    "Anything",
    "Composite",
    "Markdown",
)
"""The codes of the native concepts.

`Markdown` is an extension of the reference runtime that public methods use; the standard fixes the others.
"""

RETIRED_NATIVES: Final = {"PDF": "Document", "ImgGenPrompt": "Text", "LlmPrompt": "Text", "OcrInput": "Document"}
"""Native concepts of older releases → the concepts to write now."""

NATIVES_BY_HABIT: Final = {
    **dict.fromkeys(("str", "string", "varchar", "char"), "Text"),
    **dict.fromkeys(("int", "integer", "float", "decimal", "double", "num"), "Number"),
    **dict.fromkeys(("bool", "boolean"), "YesNo"),
    **dict.fromkeys(("datetime", "timestamp"), "Date"),
    **dict.fromkeys(("dict", "object", "map", "mapping"), "JSON"),
    **dict.fromkeys(("any",), "Anything"),
    **dict.fromkeys(("img", "picture"), "Image"),
    **dict.fromkeys(("doc", "file"), "Document"),
    **dict.fromkeys(("md",), "Markdown"),
}
"""Names of such types in other languages, in lower case → the native concept."""


def native_meant(code: str) -> str | None:
    """The native concept that a name of another language, or a name in the wrong case, means; None if there is none."""
    folded = code.casefold()
    if folded in NATIVES_BY_HABIT:
        return NATIVES_BY_HABIT[folded]
    return next((native for native in NATIVE_CODES if native.casefold() == folded and native != code), None)


RESERVED_DOMAINS: Final = ("native", "mthds", "pipelex")
"""The first segments of domains that no bundle may declare."""

RESERVED_FIELD_NAMES: Final = frozenset(
    {
        "construct",
        "copy",
        "dict",
        "from_orm",
        "json",
        "model_computed_fields",
        "model_config",
        "model_construct",
        "model_copy",
        "model_dump",
        "model_dump_json",
        "model_extra",
        "model_fields",
        "model_fields_set",
        "model_json_schema",
        "model_parametrized_name",
        "model_post_init",
        "model_rebuild",
        "model_validate",
        "model_validate_json",
        "model_validate_strings",
        "parse_file",
        "parse_obj",
        "parse_raw",
        "schema",
        "schema_json",
        "update_forward_refs",
        "validate",
    }
)
"""Public names of the reference runtime's object model, which are refused so that methods stay portable."""

METADATA_NAMES: Final = frozenset({"_stuff_name", "_content_class", "_concept_code", "_stuff_code"})
"""The only names with a leading underscore that a template may read."""

RUNTIME_NAMES: Final = frozenset({"preliminary_text", "place_holder"})
"""Template names that the runtime fills in; they are never inputs."""

COUNT_NAME: Final = "_nb_output"
"""The template name of the number of values that the output asks for; templates may read it."""
