"""The page of all error codes."""

from pipelex.errors.explanations import explanations

_HEAD = """# Error codes

Every failure has a code, on the command line as in Python, in JSON and on Temporal, where the type of a failure is the
code as a name: `provider.rate_limited` is `ProviderRateLimited`. `pipelex explain CODE` prints what stands here.

The part before the dot says what is concerned. The codes are those of the MTHDS standard's registry.
"""


def errors_page() -> str:
    """The page as Markdown: one section for each code, with the code as its anchor."""
    parts = [_HEAD]
    family = ""
    for each in explanations():
        if (found := each.code.partition(".")[0]) != family:
            family = found
            parts.append(f"## {family}\n")
        heading, _, body = each.to_markdown(3).partition("\n")
        parts.append(f"{heading} {{ #{each.code} }}\n{body}")
    return "\n".join(parts)
