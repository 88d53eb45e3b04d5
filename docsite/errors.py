"""The page of all error codes."""

from pathlib import Path

from pipelex.errors.explanations import explanations

_HEAD = """# Error codes

Every failure has a code, on the command line as in Python, in JSON and on Temporal, where the type of a failure is the
code as a name: `provider.rate_limited` is `ProviderRateLimited`. `pipelex explain CODE` prints what stands here.

The part before the dot says what is concerned. The codes are those of the MTHDS standard's registry.

## The address of an error

As a problem document (RFC 9457), a failure has a `type`: `https://mthds.ai/errors/provider.rate_limited`, an address that the
MTHDS Protocol fixes for every runner. What this runner says about the code is here. Three things lead from the one to the
other:

- `pipelex explain` takes the address, the whole document (`results/…/problem.json`, or `-` to read one), or the code.
- This site answers under the same path: `errors/provider.rate_limited` leads to the section below, so that it is enough to put
  the site's address in the place of `https://mthds.ai`.
- The code is the anchor of its section: `reference/errors/#provider.rate_limited`.
"""

_LEADS = (
    '<!doctype html><meta charset="utf-8"><title>{0}</title>'
    '<meta http-equiv="refresh" content="0; url=../../reference/errors/#{0}">'
    '<a href="../../reference/errors/#{0}">{0}</a>\n'
)


def write_addresses(site: Path) -> None:
    """Write a page `errors/CODE/` for each code, which redirects to the code's section.

    Args:
        site: the folder that the site was built into.
    """
    for each in explanations():
        place = site / "errors" / each.code / "index.html"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(_LEADS.format(each.code), encoding="utf-8")


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
