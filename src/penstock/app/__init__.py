"""`Penstock`: the composition root. It builds what people declared, and knows which store and rooms serve it."""

from penstock.app.declaring import SYNC_QUEUE
from penstock.app.draining import Report
from penstock.app.examining import Examining
from penstock.app.journaling import Journaling
from penstock.app.named_trace import trace
from penstock.app.overseeing import Overseeing
from penstock.app.replica import Replicating
from penstock.app.using import Using

__all__ = ["SYNC_QUEUE", "Penstock", "Report", "Using", "trace"]


class Penstock(Overseeing, Examining, Journaling, Replicating):
    """One application's tasks and syncs, and the store that they live in.

    `url` is `sqlite:///file.db` or `postgresql://…`; further settings are those of `penstock.config.Settings`.
    Nothing is opened before it is needed. Raises `ConfigurationError` with every fault of the settings.
    """
