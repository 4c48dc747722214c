"""Paths with ids in them. A route, with `{}` where an id goes, names a call in messages; the path is what is sent."""

from urllib.parse import quote

from penstock.domain.errors import ConfigurationError, Refused


def filled(route: str, ids: tuple[object, ...]) -> str:
    """The path of a route. An id is one segment of it, whatever it contains.

    Raises ConfigurationError where route and ids do not fit each other, and Refused for an id that no path can hold,
    since it would lead to another resource.
    """
    if not route.startswith("/"):
        raise ConfigurationError(f"expected a route that begins with / below the base URL, got {route!r}")
    parts = route.split("{}")
    if len(parts) != len(ids) + 1:
        raise ConfigurationError(f"{route}: expected an id for each {{}}, of which there are {len(parts) - 1}, got"
                                 f" {len(ids)}")
    texts = [str(each) for each in ids]
    for text in texts:
        if text in ("", ".", "..") or not _is_text(text):
            raise Refused("bad_id", f"{route}: expected ids that can stand in a path, got {text!r}; nothing was sent")
    return parts[0] + "".join(quote(text, safe="") + part for text, part in zip(texts, parts[1:], strict=True))


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
