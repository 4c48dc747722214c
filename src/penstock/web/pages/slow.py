"""Why is it slow? The answer of `penstock why NAME`, with links to what it names."""

import msgspec

from penstock.observe.summary import Summary
from penstock.web.declared import Seen, View


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """Of which name: a task's, a sync's, any trace's."""

    name: str = ""


class WhySlow(msgspec.Struct, frozen=True, kw_only=True):
    """The answer; None where nothing was asked. `names` are those that took the most time."""

    name: str
    summary: Summary | None
    names: list[str]


def load(seen: Seen, asked: Asked) -> WhySlow:
    """Why work of a name is slow."""
    names = sorted({each.ranked.name for each in seen.app.ranking(limit=50).rows} | seen.app.tasks.keys())
    if not asked.name:
        return WhySlow(name="", summary=None, names=names)
    found, masked = seen.app.why_slow(asked.name), seen.masked
    worst = found.worst and msgspec.structs.replace(found.worst, text=masked(found.worst.text),
                                                    says=masked(found.worst.says))
    failure = found.failure and msgspec.structs.replace(found.failure, error=masked(found.failure.error) or None)
    return WhySlow(name=asked.name, names=names, summary=msgspec.structs.replace(
        found, worst=worst, failure=failure,
        patterns=[msgspec.structs.replace(each, says=masked(each.says)) for each in found.patterns]))


def title(model: WhySlow) -> str:
    return f"Why is {model.name} slow?" if model.name else "Why is it slow?"


VIEWS = [
    View(path="/why/slow", asked=Asked, load=load, template="slow.html", title=title, nav="tasks"),
    View(path="/why/slow/{name:path}", asked=Asked, load=load, template="slow.html", title=title, nav="tasks"),
]
