"""A day of the shop: what is asked for, hour by hour and in the end minute by minute, and served for real.

The store's clock begins so many hours ago and is moved on. At the end the store goes by its own clock again, and what
was asked for last waits.
"""

from datetime import timedelta
from itertools import count
from random import Random

from penstock import Window
from penstock.app import SYNC_QUEUE
from penstock.testing import FakeClock
from tools.world import left_over, passing, scenes, shop
from tools.world.shop import app

_MINUTE, _HOUR = timedelta(minutes=1), timedelta(hours=1)


def make(orders: int, hours: int, size: float) -> None:
    """Make it: so many orders in the shop, so many hours, and so much to do in each."""
    scenes.open_all(orders, size)
    app.migrate()
    with FakeClock(app) as clock, passing.moved_with(clock) as monotonic:
        app.monotonic, app.sleep = monotonic, passing.pause
        clock.run()
        ends = clock.now
        passing.go_back(_HOUR * hours)
        for hour in range(24 - hours, 24):
            began = ends - _HOUR * (24 - hour)
            passing.move_to(began)
            scenes.begin_hour(hour, size)
            if hour < 23:
                _asked_in_an_hour(hour, size)
                _serve(3500)
                scenes.request_syncs(hour)
                _serve_syncs()
                continue
            for minute in count():
                if minute >= 60 and passing.behind() < _MINUTE:  # making it took its time as well
                    break
                passing.move_to(began + _MINUTE * minute)
                scenes.begin_minute(minute)
                if size >= 1 or minute % 4 == 0:
                    _asked_in_a_minute(minute, size)
                    _serve(58)
                if scenes.request_syncs_at(minute):
                    _serve_syncs()
        _serve_half_of_a_batch()
        passing.pause(max(passing.behind().total_seconds(), 0))
    left_over.make(size)
    app.close()


def _asked_in_an_hour(hour: int, size: float) -> None:
    """More by day than by night."""
    random = Random(hour)
    many = round((30 + 110 * max(0.0, 1 - abs(hour - 14) / 9)) * size) + 15
    first = hour * 1000
    app.enqueue_many(shop.send_receipt.using(tags=(f"customer:{each % 90}",)).call(
        each, f"person{each}@{'old' if each % 23 == 0 else 'mail'}.example") for each in range(first, first + many * 2))
    app.enqueue_many(shop.index_product.call(random.randrange(1, 2001)) for _ in range(many // 2))
    app.enqueue_many(shop.charge.call(each % 40, each, 100 + each, f"tok_{each:08}")
                     for each in range(first, first + many // 2))
    app.enqueue_many(shop.push_contact.call(each) for each in range(first, first + many // 2))
    app.enqueue_many(shop.daily.call(region) for region in ("north", "south"))
    app.enqueue_many(shop.make_thumbnail.call(f"video-{each}") for each in range(first, first + many // 6))
    app.enqueue_many(shop.track.call(each) for each in range(first, first + many * 15))


def _asked_in_a_minute(minute: int, size: float) -> None:
    """What is asked for in a minute of the last hour: in waves, as a newsletter is read."""
    many = max(round((10 + minute * 7 % 9 + 8 * abs((minute + 15) % 30 - 15) / 15) * size), 2)
    first = 40_000 + minute * 60
    app.enqueue_many(shop.send_receipt.call(each, f"person{each}@{'old' if each % 29 == 0 else 'mail'}.example")
                     for each in range(first, first + many))
    app.enqueue_many(shop.index_product.call(1 + each % 2000) for each in range(first, first + many // 4))
    app.enqueue_many(shop.charge.call(each % 40, each, 100 + each, f"tok_{each:08}")
                     for each in range(first, first + many // 4))
    app.enqueue_many(shop.push_contact.call(each) for each in range(first, first + many // 4) if minute < 45)
    app.enqueue_many(shop.make_thumbnail.call(f"video-{each}") for each in range(first, first + many // 8))
    app.enqueue_many(shop.track.call(each) for each in range(first, first + many * 12))
    if minute % 15 == 7:
        app.enqueue_many(shop.daily.call(region) for region in ("north", "south"))


def _serve(seconds: float) -> None:
    """One worker after the other does what the shop has to do, in this time at most."""
    app.drain(Window(total=seconds, headroom=1), queues=_WORK, slots=1)
    _written()


def _serve_syncs() -> None:
    """Windows, one after the other. What else goes on meanwhile goes on from when they began."""
    with passing.apart():
        app.drain(Window(total=3500, headroom=1), queues=[SYNC_QUEUE], slots=1)
        _written()


def _serve_half_of_a_batch() -> None:
    app.batch([shop.export_part.using(tags=("export",)).call(part) for part in range(1, 25)],
              then=shop.daily.call("east"))
    with passing.apart():
        app.drain(Window(total=150, headroom=5), queues=["exports"], slots=1)
        _written()


def _written() -> None:
    if app.recorder is not None:
        app.recorder.flush()


_WORK = [name for name in app.slots() if name not in (SYNC_QUEUE, "exports")]
