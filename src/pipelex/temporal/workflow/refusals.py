"""Payloads that nobody can read, and those that are larger than they may be: their runs end."""

from pipelex.errors import ErrorCategory, PipelexError


def malformed(detail: str, reason: str, advice: str | None = None) -> PipelexError:
    """A payload that nobody can read, whatever the configuration.

    Args:
        detail: the sentence for people.
        reason: one of the reasons of `request.malformed`.
        advice: the advice, where it is another than that of the code.
    """
    return PipelexError(
        "request.malformed", detail, category=ErrorCategory.CONTENT, params={"reason": reason}, advice=advice
    )


def too_large(why: str, limit: int, size: int) -> PipelexError:
    """A payload that is larger than it may be; to repeat the task cannot help."""
    return PipelexError(
        "request.too_large",
        f"a payload is refused: {why}",
        category=ErrorCategory.CONTENT,
        params={"limit": limit, "size": size},
        advice="If the value is meant to be that large, raise `[temporal.payload_codec_config] max_payload_bytes` on every "
        "worker and client.",
    )
