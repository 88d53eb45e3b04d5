from collections.abc import Iterable
from difflib import get_close_matches


def near_names(name: str, known: Iterable[str], *, most: int = 3, cutoff: float = 0.6) -> tuple[str, ...]:
    """The known names a person may have meant by `name`, best first, at most `most` of them; alike by `cutoff` at least."""
    by_folded: dict[str, str] = {}
    for candidate in known:
        by_folded.setdefault(candidate.casefold(), candidate)
    return tuple(by_folded[match] for match in get_close_matches(name.casefold(), by_folded, n=most, cutoff=cutoff))
