from pipelex.content.stuff import Json


def source(url: Json, title: Json, snippet: Json) -> dict[str, Json] | None:
    """A source as a Document content; None without an address on the web."""
    if not isinstance(url, str) or not url.startswith(("http://", "https://")):
        return None
    members = {"title": title, "snippet": snippet}
    return {"url": url, **{name: text for name, text in members.items() if isinstance(text, str) and text}}
