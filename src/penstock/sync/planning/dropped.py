"""Which fields a change is about; and fields that `render` no longer gives, for which nothing is sent.

A record whose payload lacks a field that it had, and differs in nothing else, is sent where the record lost it, and
not where `render` did: where its code has changed since this subject's records were last all held against it, no longer
names that field, and gave it for no record of this read.
"""

from collections.abc import Mapping, Sequence

from penstock.domain.fields import changed, field_digests, names
from penstock.sync.declaring.renderer import fingerprint, words
from penstock.sync.planning.plan import Item, LayerPlan, decode_item

REBASE = "rebase"
_FEWER = "fewer"


class Dropped:
    """Of one layer, in one read of one subject."""

    def __init__(self, plan: LayerPlan, subject: str) -> None:
        self._plan = plan
        self._render = plan.layer.render
        self._carried: set[str] = set()
        rows = plan.state.ask("renderer", {"subject": subject}) if plan.layer.field_digests else []
        kept = rows[0][0] if rows else None
        self.renderer = fingerprint(self._render)
        self._save = plan.layer.field_digests and kept != self.renderer
        self._subject = subject
        self.watching = kept not in (None, self.renderer)
        """Whether every payload has to be shown to `saw`."""

    def saw(self, canonical: bytes) -> None:
        """Take note of the fields of what a record gave."""
        self._carried |= names(canonical)

    def sorted(self, changes: Sequence[tuple[str, Item]]) -> list[tuple[str, Item]]:
        """The same changes, the updates with the names of their fields, and apart those that only lack some."""
        known = self._plan.state.fields([item.key for kind, item in changes if kind == "update"])
        return [(self._kind(item, known[item.key]) if kind == "update" and item.key in known else kind, item)
                for kind, item in changes]

    def _kind(self, item: Item, old: Mapping[str, bytes]) -> str:
        new = field_digests(item.canonical)
        item.changed = changed(new, old)
        for name in item.changed:
            self._plan.fields[name, "changed" if name in old else "added"] += 1
        item.dropped = tuple(old.keys() - new.keys())
        return _FEWER if self.watching and item.dropped and not item.changed else "update"

    def settle(self) -> None:
        """After the read: tell those that are to be sent from those whose digest is only to be saved anew."""
        if self._save and self._plan.complete:
            self._plan.after_upserts.append(lambda: self._plan.state.note(
                "renderer_save", {"subject": self._subject, "renderer": self.renderer}))
        given = self._carried | words(self._render)
        for entries in self._plan.spool.take(_FEWER):
            kinds: dict[str, list[str]] = {"update": [], REBASE: []}
            for key, encoded in entries:
                kinds["update" if given.intersection(decode_item(encoded).dropped) else REBASE].append(key)
            for kind, keys in kinds.items():
                self._plan.spool.change_kind(keys, kind)
