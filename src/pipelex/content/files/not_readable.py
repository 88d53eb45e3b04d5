"""The exception for texts that are not in the expected format."""


class NotReadable(ValueError):
    """A text is not in the format that its file's extension says."""

    def __init__(self, message: str, line: int | None = None, column: int | None = None) -> None:
        super().__init__(message)
        self.line = line
        self.column = column
