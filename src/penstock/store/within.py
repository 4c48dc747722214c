"""Says of the statements that are executed now what they are part of, to whoever looks on.

What Penstock writes through an application's own connection passes through the application's own driver; it is no
statement of the application's for that.
"""

from contextvars import ContextVar

within: ContextVar[object] = ContextVar("penstock_within", default=None)
"""None for most of what is executed."""

OURS = object()
"""Penstock's own work on a connection of the application's."""
