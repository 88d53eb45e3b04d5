"""The errors for payloads that cannot be read or are too large. Both end the run."""

from pipelex.errors import ErrorCategory, PipelexError


def malformed(detail: str, reason: str, advice: str | None = None) -> PipelexError:
    """The error for a payload that cannot be read, whatever the configuration.

    Args:
        detail: the sentence for people.
        reason: one of the reasons of `request.malformed`.
        advice: the advice; None for that of the code.
    """
    return PipelexError(
        "request.malformed", detail, category=ErrorCategory.CONTENT, params={"reason": reason}, advice=advice
    )


def too_large(why: str, limit: int, size: int) -> PipelexError:
    """The error for a payload that is too large, so repeating the task cannot help."""
    return PipelexError(
        "request.too_large",
        f"a payload is refused: {why}",
        category=ErrorCategory.CONTENT,
        params={"limit": limit, "size": size},
        advice="If the value is meant to be that large, raise `[temporal.payload_codec_config] max_payload_bytes` on every "
        "worker and client.",
    )
