"""What takes how long, in seconds of case study K; a bench runs them at a scale."""

from dataclasses import dataclass

FETCH, READ, WRITE = 240.0, 15.0, 45.0
"""To fetch what the directory holds; per group to read its pages, and to write it when everything in it is new."""
LIMIT, TOTAL, HEADROOM = 540.0, 500.0, 100.0
CALLS_OF_A_GROUP = 6
"""Four people, a group and its members."""


@dataclass(frozen=True, slots=True)
class Times:
    """The seconds of the case study at a scale of 1 to `scale`."""

    scale: float

    @property
    def fetch(self) -> float:
        return FETCH / self.scale

    @property
    def read(self) -> float:
        return READ / self.scale

    @property
    def call(self) -> float:
        """Of one change, alone or in a bulk request."""
        return WRITE / CALLS_OF_A_GROUP / self.scale

    @property
    def limit(self) -> float:
        return LIMIT / self.scale

    @property
    def total(self) -> float:
        return TOTAL / self.scale

    @property
    def headroom(self) -> float:
        return HEADROOM / self.scale
