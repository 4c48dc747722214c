"""How far an attempt has come, as it says."""

from typing import NamedTuple


class Said(NamedTuple):
    """What was said of progress; None is what nothing was said of. `cursor` is JSON."""

    percent: float | None = None
    note: str | None = None
    cursor: str | None = None

    def with_more(self, more: "Said") -> "Said":
        """The same after something else was said: what that leaves out stays."""
        return Said(self.percent if more.percent is None else more.percent,
                    self.note if more.note is None else more.note,
                    self.cursor if more.cursor is None else more.cursor)
