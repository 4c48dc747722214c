"""What names may look like, and the tables that they become."""

import hashlib
import re
from collections.abc import Iterable
from difflib import get_close_matches

_NAME = re.compile(r"[a-z0-9_.-]{1,64}")
_PLAIN_SYNC = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_PLAIN_LAYER = re.compile(r"[A-Z][A-Za-z0-9]*")
_TABLE_LENGTH = 48
_LONGEST_TAG = 200


def name_fault(kind: str, name: str) -> str | None:
    """What is wrong with the name of a queue or a sync, or None."""
    if _NAME.fullmatch(name):
        return None
    return f"expected a {kind} name of 1 to 64 of a-z 0-9 _ . -, got {name!r}"


def tag_fault(tag: object) -> str | None:
    """What is wrong with a tag, or None."""
    if isinstance(tag, str) and 0 < len(tag) <= _LONGEST_TAG and "\0" not in tag:
        return None
    return f"expected a tag of 1 to {_LONGEST_TAG} characters, got {tag!r}"


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A clause that names the nearest known name, or nothing."""
    near = get_close_matches(name, list(known), 1)
    return f"; did you mean {near[0]!r}?" if near else ""


def layer_table(sync: str, layer: str) -> str:
    """The table of a layer's state, without its schema: short enough for PostgreSQL, and never shared by two.

    `google-ads` and `AdGroups` become `state_google_ads__ad_groups`, from which both can be told again; other names
    get a mark of their own. (`_claims` after a table is that of the layer's claims.)
    """
    if _PLAIN_SYNC.fullmatch(sync) and _PLAIN_LAYER.fullmatch(layer) and not layer.endswith("Claims"):
        snake = re.sub(r"(?<!^)(?=[A-Z])", "_", layer).lower()
        name = f"state_{sync.replace('-', '_')}__{snake}"
        if len(name) <= _TABLE_LENGTH:
            return name
    name = "state_" + re.sub(r"[^a-z0-9]+", "_", f"{sync}_{layer}".lower()).strip("_")
    mark = hashlib.blake2b(f"{sync}\0{layer}".encode(), digest_size=4).hexdigest()
    return f"{name[: _TABLE_LENGTH - 9]}_{mark}"
