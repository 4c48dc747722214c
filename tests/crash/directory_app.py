"""The demo's sync, which believes after a second that what was cut off is not at the destination, not after thirty."""

from datetime import timedelta

from penstock.sync import Layer

Layer.in_doubt_delay = timedelta(seconds=1)  # before the layers are declared

from penstock.cli.demo.directory import app  # noqa: E402

__all__ = ["app"]
