"""Rules of every page that is written: nothing runs but its own script, nothing is fetched, and content is cleaned.

A page shows what models, documents and methods said. Its policy keeps scripts and addresses out of force; cleaning takes
them out, with what no policy covers, such as a refresh that leads elsewhere.
"""

import base64
import hashlib
import html
import re
from typing import Final

FILES: Final = "files"
"""The folder beside a page that holds the files of its run: the only one whose files a page shows."""

_STRICT: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data: 'self'; base-uri 'none'; form-action 'none'"
)
_BLANKS: Final = re.compile(r"[\x00-\x20\x7f-\xa0]+")
_LINKS: Final = re.compile(rf"https?:|mailto:|pipelex-storage:|#|{FILES}/[^/?#]+$", re.IGNORECASE)
_PICTURES: Final = re.compile(rf"data:image/(?:png|jpeg|gif|webp|avif|bmp)[;,]|{FILES}/[^/?#]+$", re.IGNORECASE)
_SCHEMES: Final = {"data", "http", "https", "mailto", "pipelex-storage"}


def policy(script: str = "") -> str:
    """The Content-Security-Policy of a page.

    Args:
        script: the text of the one script element that may run; none when empty.
    """
    if not script:
        return _STRICT
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return f"{_STRICT}; script-src 'sha256-{digest}'"


def cleaned(text: str) -> str:
    """HTML of anybody, without scripts, styles, frames, forms, refreshes and whatever else acts or loads.

    Links to pages of the web stay, to be followed by whoever reads; pictures stay where they are inside of the text, or
    among the files of the run.
    """
    import nh3

    return nh3.clean(text, attribute_filter=_kept, url_schemes=_SCHEMES, strip_comments=True)


def _kept(tag: str, attribute: str, value: str) -> str | None:
    bare = _BLANKS.sub("", value)
    if attribute == "src":
        return value if tag == "img" and _PICTURES.match(bare) else None
    if attribute in ("href", "cite"):
        return value if _LINKS.match(bare) else None
    return value


def leading_page(title: str, target: str) -> str:
    """A page that leads to another one beside it, at once, and by a link where nothing does so by itself.

    Args:
        title: its title, as text.
        target: the other page, relative to this one.
    """
    href = html.escape(target)
    page = written_page(title, f'<p><a href="{href}">{html.escape(title)}</a></p>')
    refresh = f'<meta http-equiv="refresh" content="0; url={href}">\n'
    return page.replace("<title>", f"{refresh}<title>", 1)


def written_page(title: str, body: str, *, style: str = "") -> str:
    """A page that runs nothing.

    Args:
        title: its title, as text.
        body: its HTML; whatever of it is not ours is cleaned.
        style: its style sheet.
    """
    sheet = f"<style>{style}</style>\n" if style else ""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy()}">\n'
        '<meta name="referrer" content="no-referrer">\n'
        f"<title>{html.escape(title)}</title>\n{sheet}</head>\n<body>\n{body}\n</body>\n</html>\n"
    )
