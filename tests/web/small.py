"""A small site beside the real pages: one page, one change and one file, for what is true of each of them."""

import msgspec

from penstock import Penstock
from penstock.domain.errors import ConfigurationError
from penstock.web.declared import Action, Content, Declared, Done, File, NotFound, Seen, View
from penstock.web.pages import journal, overview
from penstock.web.people import new_token
from penstock.web.site import Site

READ, READ_SETTING = new_token("rita", ("read",))
OPERATE, OPERATE_SETTING = new_token("olga", ("read", "operate"))
TOKENS = f"{READ_SETTING}, {OPERATE_SETTING}"


class Queue(msgspec.Struct, frozen=True, kw_only=True):
    queue: str


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    fault: str = ""
    state: list[str] = []
    before: int | None = None


class Shown(msgspec.Struct, frozen=True):
    fault: str


def load(seen: Seen, asked: Asked) -> Shown:
    """What goes wrong, at will."""
    if asked.fault == "missing":
        raise NotFound("there is no such thing", "look elsewhere")
    if asked.fault == "broken":
        raise ZeroDivisionError("secret=hunter2")
    return Shown(asked.fault)


def pause(seen: Seen, asked: Queue) -> Done:
    """Pause a queue."""
    if asked.queue == "odd":
        raise ConfigurationError("this queue cannot be paused")
    seen.app.pause(asked.queue)
    return Done(f"queue {asked.queue} is paused", to="/", about=f"queue:{asked.queue}", before="open", after="paused")


def content(seen: Seen, asked: Queue) -> Content:
    """A file."""
    return Content(f"{asked.queue}.json", "application/json", b"{}")


SMALL = Declared(
    views=(*overview.VIEWS, *journal.VIEWS,
           View(path="/wrong", asked=Asked, load=load, template="wrong.html", title="Wrong", nav="overview")),
    actions=(Action(path="/queues/{queue}/pause", asked=Queue, do=pause),),
    files=(File(path="/queues/{queue}.json", asked=Queue, load=content, media_type="application/json"),))


def small(app: Penstock, *, hosts: tuple[str, ...] = ()) -> Site:
    """The small site of an app: with its tokens, or for this machine alone."""
    return Site(app, local=not app.settings.web_tokens, share_seconds=0, hosts=hosts, declared=SMALL)
