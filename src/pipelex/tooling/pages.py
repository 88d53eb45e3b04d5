"""Rules for all written pages: only their own script runs, nothing is fetched, and content is sanitised.

A page shows texts of models, documents and methods. Its policy blocks scripts and foreign addresses. Sanitising removes
them, and also what no policy covers, such as a refresh that leads elsewhere.
"""

import base64
import hashlib
import html
import re
from typing import Final
from urllib.parse import unquote

FILES: Final = "files"
"""The folder beside a page with the files of its run; a page shows files of no other folder."""

_STRICT: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data: 'self'; base-uri 'none'; form-action 'none'"
)
_BLANKS: Final = re.compile(r"[\x00-\x20\x7f-\xa0]+")
_FILE: Final = rf"{FILES}/(?!(?:\.|%2e){{1,2}}$)[^/\\?#]+$"  # browsers read "\" as "/", and "%2e" as "."
_LINKS: Final = re.compile(rf"https?:|mailto:|pipelex-storage:|#|{_FILE}", re.IGNORECASE)
_PICTURES: Final = re.compile(rf"data:image/(?:png|jpeg|gif|webp|avif|bmp)[;,]|{_FILE}", re.IGNORECASE)
_OPENED: Final = re.compile(
    r"avif|bmp|csv|docx?|eml|epub|gif|heic|jpe?g|json|md|mp[34]|od[pst]|ogg|pdf|png|pptx?|tiff?|toml|tsv|txt|wav|web[mp]"
    r"|xlsx?|ya?ml|zip",
    re.IGNORECASE,
)
"""The extensions of files that a browser shows or saves. Others, such as HTML and SVG, could act when they are opened."""
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


def may_be_opened(name: str) -> bool:
    """Whether a page may link to a file of its run, because the file does nothing when a browser opens it.

    Args:
        name: the file's name, or its path.
    """
    return _OPENED.fullmatch(name.rpartition(".")[2]) is not None


def cleaned(text: str) -> str:
    """Untrusted HTML without scripts, styles, frames, forms, refreshes and anything else that acts or loads.

    Links to web pages stay, for readers to follow, and so do links to files of the run that do nothing when they are
    opened. Pictures stay if they are inside the text or among the files of the run.
    """
    import nh3

    return nh3.clean(text, attribute_filter=_kept, url_schemes=_SCHEMES, strip_comments=True)


def _kept(tag: str, attribute: str, value: str) -> str | None:
    bare = _BLANKS.sub("", value)
    if attribute == "src":
        return value if tag == "img" and _PICTURES.match(bare) else None
    if attribute in ("href", "cite"):
        return value if _LINKS.match(bare) and (not re.match(_FILE, bare) or may_be_opened(unquote(bare))) else None
    return value


def leading_page(title: str, target: str) -> str:
    """A page that redirects to another page beside it, with a link for browsers that do not redirect.

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
        body: its HTML, in which any foreign content must be sanitised.
        style: its style sheet.
    """
    sheet = f"<style>{style}</style>\n" if style else ""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy()}">\n'
        '<meta name="referrer" content="no-referrer">\n'
        f"<title>{html.escape(title)}</title>\n{sheet}</head>\n<body>\n{body}\n</body>\n</html>\n"
    )
