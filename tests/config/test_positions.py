import pytest

from pipelex.config import TomlPositions, locate

TEXT = """\
top.mid = 1  # dotted
[a."b.c".d]
"naïve" = { "ключ" = [10, { deep = true }], q = 'x' }
'lit.eral' = "é"

[[items]]
name = "one"
[[items]]
name = "two"
[items.sub]
z = 1
[[items.parts]]
p = 5
"""


@pytest.mark.parametrize(
    ("path", "span"),
    [
        (("top",), (1, 1, 1, 4)),
        (("top", "mid"), (1, 5, 1, 8)),
        (("a",), (2, 2, 2, 3)),
        (("a", "b.c"), (2, 4, 2, 9)),
        (("a", "b.c", "d"), (2, 10, 2, 11)),
        (("a", "b.c", "d", "naïve"), (3, 1, 3, 8)),
        (("a", "b.c", "d", "naïve", "ключ"), (3, 13, 3, 19)),
        (("a", "b.c", "d", "naïve", "ключ", 0), (3, 23, 3, 25)),
        (("a", "b.c", "d", "naïve", "ключ", 1, "deep"), (3, 29, 3, 33)),
        (("a", "b.c", "d", "lit.eral"), (4, 1, 4, 11)),
        (("items",), (6, 3, 6, 8)),
        (("items", 0, "name"), (7, 1, 7, 5)),
        (("items", 1), (8, 3, 8, 8)),
        (("items", 1, "name"), (9, 1, 9, 5)),
        (("items", 1, "sub", "z"), (11, 1, 11, 2)),
        (("items", 1, "parts", 0, "p"), (13, 1, 13, 2)),
    ],
)
def test_a_key_is_found(path: tuple[str | int, ...], span: tuple[int, int, int, int]) -> None:
    assert locate(TEXT, path) == span


def test_what_the_text_lacks_is_not_found() -> None:
    assert locate(TEXT, ("a", "nothing")) is None
    assert locate(TEXT, ("items", 2)) is None


def test_a_value_has_a_place_of_its_own() -> None:
    positions = TomlPositions(TEXT)
    assert positions.value(("a", "b.c", "d", "lit.eral")) == (4, 14, 4, 17)
    assert positions.value(("items",)) == (6, 3, 6, 8)


def test_a_table_with_its_own_header_is_found_there_and_not_where_it_is_passed_through() -> None:
    assert locate("[a.b.c]\nx = 1\n[a.b]\ny = 2\n", ("a", "b")) == (3, 4, 3, 5)


def test_keys_around_a_syntax_error_are_still_found() -> None:
    assert locate("a = 1\nb = = 2\nc = 3\n", ("c",)) == (3, 1, 3, 2)
