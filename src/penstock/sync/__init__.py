"""Syncs: declared by people, planned as inert data, applied with outcomes per record."""

from penstock.domain.errors import Refused, Throttled, Unavailable
from penstock.domain.records import Change, ChangeKind, Complete, Done, Rejected, Subject
from penstock.sync.declaring.declare import Layer, Sync
from penstock.sync.declaring.guard import Guard
from penstock.sync.declaring.ports import Run

__all__ = [
    "Change",
    "ChangeKind",
    "Complete",
    "Done",
    "Guard",
    "Layer",
    "Refused",
    "Rejected",
    "Run",
    "Subject",
    "Sync",
    "Throttled",
    "Unavailable",
]
