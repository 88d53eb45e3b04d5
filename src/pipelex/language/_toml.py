"""Turns bytes into a TOML document, or into one syntax fault with its place. Never raises, whatever the input."""

import re
import tomllib
from dataclasses import dataclass
from typing import Any, Final

from pipelex.config.files.plain import MOST_BYTES
from pipelex.config.files.toml import MAX_DEPTH, is_deeper_than, line_and_column, unfit_key
from pipelex.language._toml_hints import hint_for

_PLACED: Final = re.compile(r"(.*) \(at (?:line ([0-9]+), column ([0-9]+)|end of document)\)", re.DOTALL)

_SENTENCES: Final[tuple[tuple[re.Pattern[str], str], ...]] = tuple(
    (re.compile(pattern), sentence)
    for pattern, sentence in (
        (r"Invalid statement", "a key, a [table] or a comment is expected here"),
        (r"Expected newline or end of document.*", "the line should end after this value"),
        (r"Expected '\]\]?' at the end of.*", "the table header is not closed with ']'"),
        (r"Expected '=' after a key.*", "'=' is expected after the key"),
        (r"Invalid initial character for a key part", "a key is expected here"),
        (r"Cannot overwrite a value", "this key already has a value"),
        (r"Unclosed array", "the array is not closed with ']'"),
        (r"Unclosed inline table", "the inline table is not closed with '}'"),
        (r"Unterminated string", "the string is not closed"),
        (
            r"Unescaped '\\' in a string",
            r"unknown escape in a string: write '\\' for a backslash, or use single quotes",
        ),
        (r"Invalid hex value", "the digits after '\\u' or '\\U' are not hexadecimal"),
        (r"Escaped character is not.*", "the escape does not name a Unicode character"),
        (r"Invalid date or datetime", "there is no such date or time"),
        (r"Invalid value", "this is not a TOML value: a text needs quotes"),
    )
)


@dataclass(frozen=True, slots=True)
class SyntaxFault:
    """The reason why a source is not a TOML document."""

    message: str
    line: int
    column: int


def decode(source: bytes | str) -> tuple[str, SyntaxFault | None]:
    """The source as text. Bytes that cannot be decoded are replaced, and the fault reports them."""
    if isinstance(source, str):
        lone = re.search(r"[\ud800-\udfff]", source)
        if lone is None:
            return source, None
        text = re.sub(r"[\ud800-\udfff]", "\ufffd", source)
        return text, SyntaxFault("the text holds half of a surrogate pair", *line_and_column(source, lone.start()))
    try:
        return source.decode("utf-8"), None
    except UnicodeDecodeError as wrong:
        before = source[: wrong.start].decode("utf-8", "replace")
        line, column = line_and_column(before, len(before))
        message = f"the file is not UTF-8: unexpected byte 0x{source[wrong.start]:02x}; save it as UTF-8"
        return source.decode("utf-8", "replace"), SyntaxFault(message, line, column)


def read_document(text: str) -> dict[str, Any] | SyntaxFault:
    """The document in a text with normalised line ends, or the reason why there is none."""
    if text.startswith("\ufeff"):
        return SyntaxFault("the file starts with a byte-order mark: save it as UTF-8 without BOM", 1, 1)
    if (size := len(text.encode("utf-8"))) > MOST_BYTES:
        return SyntaxFault(f"the file has {size:,} bytes; a bundle has at most {MOST_BYTES:,}", 1, 1)
    if (unfit := unfit_key(text)) is not None:
        return SyntaxFault(unfit[0], *line_and_column(text, unfit[1]))
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as wrong:
        return _translate(str(wrong), text)
    except RecursionError:
        return SyntaxFault("arrays or tables are nested too deeply", *_deepest(text))
    except ValueError:  # int() refuses more than 4,300 digits
        return SyntaxFault("a number has too many digits", *_longest_number(text))
    if is_deeper_than(document, MAX_DEPTH):
        return SyntaxFault(f"arrays or tables are nested more than {MAX_DEPTH} deep", *_deepest(text))
    return document


def _offset(text: str, line: int, column: int) -> int:
    start = 0
    for _ in range(line - 1):
        start = text.index("\n", start) + 1
    return start + column - 1


def _translate(message: str, text: str) -> SyntaxFault:
    match = _PLACED.fullmatch(message)
    if match is None:
        return SyntaxFault(message, 1, 1)
    said = match[1]
    line, column = (int(match[2]), int(match[3])) if match[2] else line_and_column(text, len(text))
    hint = hint_for(said, text, _offset(text, line, column))
    if hint is not None:
        return SyntaxFault(hint.message, *line_and_column(text, hint.offset))
    for pattern, sentence in _SENTENCES:
        if pattern.fullmatch(said):
            return SyntaxFault(sentence, line, column)
    return SyntaxFault(_translate_named(said), line, column)


def _translate_named(said: str) -> str:
    """Our words for the messages of tomllib that name a key or a character."""
    names = ".".join(re.findall(r"'([^']*)'", said))
    if said.startswith("Cannot declare"):
        return f"table [{names}] is declared twice"
    if said.startswith(("Cannot mutate immutable namespace", "Cannot redefine namespace")):
        return f"'{names}' is already complete: it cannot be extended or declared again here"
    if said.startswith("Duplicate inline table key"):
        return f"key '{names}' appears twice in this inline table"
    if said == r"Illegal character '\n'":
        return "the string is not closed on its line; a text of several lines needs three quotes"
    if said.startswith(("Found invalid character", "Illegal character")):
        shown = re.search(r"'(.*)'", said, re.DOTALL)
        return f"the character {shown[1] if shown else ''} is not allowed here"
    return said


def _deepest(text: str) -> tuple[int, int]:
    """A good guess at the place of the deepest nesting: the line with the most opening brackets or dots."""
    worst, found = -1, 1
    for number, line in enumerate(text.split("\n"), 1):
        count = line.count("[") + line.count("{") + line.count(".")
        if count > worst:
            worst, found = count, number
    return found, 1


def _longest_number(text: str) -> tuple[int, int]:
    match = re.search(r"[0-9](?:_?[0-9]){4299}", text)
    return line_and_column(text, match.start()) if match else (1, 1)
