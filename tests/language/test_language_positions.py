from pipelex.language import parse_bundle

DOCUMENT = """domain = "harbour"

[concept.Berth]
description = "é place"

[pipe.plan]
type = "PipeSequence"
description = "d"
inputs = { ship = "Ship", "odd.name" = "Text" }
output = "Text"
steps = [
  { pipe = "first" }, # comment
  { pipe = "second", result = "r" },
]

[[pipe.array.steps]]
pipe = "one"

[[pipe.array.steps]]
pipe = "two"

[pipe.array]
type = "PipeSequence"
dotted.key . "quoted key" = 1
"""


def place(*keys: str | int, on_key: bool = False, offset: int | None = None, text: str = DOCUMENT) -> tuple[int, int]:
    location = parse_bundle(text).locate(keys, on_key=on_key, offset=offset)
    assert location.line is not None
    assert location.column is not None
    return location.line, location.column


def test_values_keys_and_tables() -> None:
    assert place("domain") == (1, 10)
    assert place("domain", on_key=True) == (1, 1)
    assert place("concept", "Berth") == (3, 10)
    assert place("pipe", "plan", "inputs", "ship") == (9, 19)
    assert place("pipe", "plan", "inputs", "odd.name", on_key=True) == (9, 27)


def test_items_of_inline_arrays_and_of_arrays_of_tables() -> None:
    assert place("pipe", "plan", "steps", 1, "pipe") == (13, 12)
    assert place("pipe", "plan", "steps", 0) == (12, 3)
    assert place("pipe", "array", "steps", 1, "pipe") == (20, 8)
    assert place("pipe", "array", "dotted", "key", "quoted key") == (24, 29)


def test_a_key_that_is_not_there_is_placed_at_its_table() -> None:
    assert place("pipe", "plan", "nope") == (6, 7)
    assert place("pipe", "plan", "steps", 9, "pipe") == place("pipe", "plan", "steps")
    assert place("nothing") == (1, 1)


def test_location_names_pipe_concept_and_field() -> None:
    bundle = parse_bundle(DOCUMENT, path="a.mthds")
    location = bundle.locate(("pipe", "plan", "steps", 1, "pipe"))
    assert (location.file, location.pipe, location.field) == ("a.mthds", "plan", "steps[1].pipe")
    assert (location.end_line, location.end_column) == (13, 20)
    assert bundle.locate(("concept", "Berth", "description")).concept == "Berth"


def test_columns_count_characters_not_bytes() -> None:
    text = 'domain = "h"\nconcept = { "É" = "é", Berth = "ö" }\n'
    assert place("concept", "Berth", text=text, on_key=True) == (2, 24)
    assert place("concept", "É", text=text) == (2, 19)


def test_offsets_inside_strings() -> None:
    text = "\n".join(
        [
            'domain = "h"',
            r'a = "x\u00e9\ty"',
            "b = 'x\\ny'",
            'c = """',
            "first",
            r"se\"cond \  ",
            "   joined",
            '"""',
            "d = '''",
            "one",
            "two'''",
            "",
        ]
    )
    assert place("a", offset=3, text=text) == (2, 15)
    assert place("b", offset=3, text=text) == (3, 9)
    assert place("c", offset=0, text=text) == (5, 1)
    assert place("c", offset=len('first\nse"'), text=text) == (6, 5)
    assert place("c", offset=len('first\nse"cond '), text=text) == (7, 4)
    assert place("d", offset=len("one\nt"), text=text) == (11, 2)


def test_crlf_counts_as_one_line_end() -> None:
    text = 'domain = "h"\r\nx = """\r\nab\r\ncd"""\r\ny = 1\r\n'
    assert place("x", offset=4, text=text) == (4, 2)
    assert place("y", text=text) == (5, 5)
