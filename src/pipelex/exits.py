"""The exit codes of the command line: each has one meaning, and this is where it is written down."""

from enum import IntEnum
from typing import Self


class ExitCode(IntEnum):
    """What a command ends with."""

    meaning: str

    def __new__(cls, number: int, meaning: str) -> Self:
        member = int.__new__(cls, number)
        member._value_ = number
        member.meaning = meaning
        return member

    DONE = 0, "done, with a positive verdict if one was asked for"
    FAILED = (
        1,
        "tried, without success: a negative verdict, refused inputs, a run or one of its items that failed, a server "
        "that does not answer",
    )
    NOT_TRIED = 2, "nothing was tried, because the command, the configuration or a name in them is wrong"
    INTERRUPTED = 130, "interrupted with Ctrl-C"
    NO_READER = 141, "the reader of the output went away"
    TERMINATED = 143, "ended by SIGTERM"


def exit_codes_text() -> str:
    """All exit codes in one sentence."""
    return f"Exit codes: {'; '.join(f'{code.value} {code.meaning}' for code in ExitCode)}."


def exit_codes_table() -> str:
    """All exit codes as a table in Markdown."""
    return "\n".join(["| exit code | |", "|---|---|", *(f"| {code.value} | {code.meaning} |" for code in ExitCode)])
