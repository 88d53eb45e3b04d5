"""The exception of texts that are not what they are to be."""


class NotReadable(ValueError):
    """A text is not what its file's extension says."""

    def __init__(self, message: str, line: int | None = None, column: int | None = None) -> None:
        super().__init__(message)
        self.line = line
        self.column = column
