"""What waits for what, as it travels to the store; and what a batch tells when jobs are enqueued."""

import msgspec


class Wait(msgspec.Struct, frozen=True):
    """That the job of the call at `place` (from 1) waits for that of the call `on_place`, or for a job or batch by its
    id."""

    place: int
    on_place: int | None
    on_id: int | None
    anyway: bool


class BatchNews(msgspec.Struct, frozen=True):
    """That a batch was `opened` or `closed`."""

    id: int
    what: str
