"""The Link header (RFC 8288): where the next page is. It is followed only where the credentials belong."""

import re
from collections.abc import Iterator

import httpx2

from penstock.connectors.http.reply import Reply
from penstock.domain.errors import SourceError

# Every repetition stops at the first character that it cannot take, so that no header takes long to read.
_LINK = re.compile(r'<([^<>]*)>((?:\s*;\s*[^\s=;,"]+(?:\s*=\s*(?:"(?:[^"\\]|\\.)*"|[^\s;,"]*))?)*)')
_PARAMETER = re.compile(r';\s*([^\s=;,"]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;,"]*)))?')


def links(header: str) -> Iterator[tuple[str, str]]:
    """The relations of a Link header with their targets, both as they are written; a link may have several."""
    for target, parameters in _LINK.findall(header):
        for name, quoted, bare in _PARAMETER.findall(parameters):
            if name.lower().rstrip("*") == "rel":
                for relation in re.sub(r"\\(.)", r"\1", quoted or bare).split():
                    yield relation.lower(), target
                break  # the first one counts (RFC 8288 §3.3)


def next_url(reply: Reply, url: str, base: str) -> str | None:
    """The URL of the page after the one at `url`, or None. Raises SourceError for one at another origin than `base`."""
    target = next((target for relation, target in links(reply.headers.get("link", "")) if relation == "next"), None)
    if target is None:
        return None
    try:
        found = httpx2.URL(url).join(target.strip())
    except httpx2.InvalidURL:
        found = None
    if found is None or _origin(found) != _origin(httpx2.URL(base)) or found.userinfo:
        raise SourceError(f"{reply.call}: expected a next page at {_origin(httpx2.URL(base))}, got a link to"
                          f" {'no URL' if found is None else _origin(found)}, where the credentials are not sent; give"
                          " http.connect the URL that the API calls itself by")
    return str(found)


def _origin(url: httpx2.URL) -> str:
    default = {"http": 80, "https": 443}.get(url.scheme)
    return f"{url.scheme}://{url.host}:{url.port or default}"
