"""Lists that come in pages: every item once, or an error; and a proof only where there is one."""

from collections.abc import Callable, Generator
from typing import Any

import pytest

from penstock.connectors import http
from penstock.connectors.http.links import links
from penstock.domain.errors import SourceError, Throttled, Unavailable
from penstock.domain.records import Complete
from penstock.sync.declaring.ports import Run
from tests.connectors.http.server import Answer, Api, Seen, paged

PEOPLE = [{"id": number} for number in range(7)]


def read(items: Generator[Any, None, Complete | None]) -> tuple[list[Any], Complete | None]:
    found: list[Any] = []
    while True:
        try:
            found.append(next(items))
        except StopIteration as stop:
            return found, stop.value


def cursors(api: Api, size: int = 3, **change: Any) -> None:
    """A list of people whose pages name the next one, `change`d."""
    pages = paged(PEOPLE, size)

    def page(seen: Seen) -> Answer:
        number = int(seen.params.get("after", "0"))
        more = number + 1 < len(pages)
        answer = {"data": pages[number], "meta": {"next": str(number + 1) if more else None, "more": more,
                                                  "total": len(PEOPLE)}}
        answer["meta"] = {**answer["meta"], **{name: value(number) for name, value in change.items()}}
        return Answer(json={**answer, "meta": {k: v for k, v in answer["meta"].items() if v != "absent"}})

    api.on("GET /groups/g1/people", page)


def by_cursor(client: http.Client, run: Run, **options: Any) -> tuple[list[Any], Complete | None]:
    return read(client.by_cursor(run, "/groups/{}/people", "g1", **{"items": "data", "cursor": "meta.next",
                                                                   "param": "after", **options}))


@pytest.mark.parametrize("size", [1, 3, 7, 100])
def test_pages_by_cursor(api: Api, client: http.Client, run: Run, size: int):
    cursors(api, size)
    checks: list[bool] = []
    run.check = lambda: checks.append(True)
    assert by_cursor(client, run, params={"active": True}) == (PEOPLE, Complete(7))
    assert run.calls.read == len(checks) == len(api.seen)
    assert [seen.params["active"] for seen in api.seen] == ["true"] * len(api.seen)
    assert by_cursor(client, run, more="meta.more", total="meta.total") == (PEOPLE, Complete(7))
    assert by_cursor(client, run, cursor=lambda answer: answer["meta"]["next"]) == (PEOPLE, Complete(7))
    assert by_cursor(client, run, total=lambda reply: reply.object()["meta"]["total"]) == (PEOPLE, Complete(7))


def test_an_empty_list_by_cursor(api: Api, client: http.Client, run: Run):
    api.on("GET /groups/g1/people", Answer(json={"data": [], "meta": {"next": ""}}))
    assert by_cursor(client, run) == ([], Complete(0))


def test_a_cursor_that_is_left_out_at_the_end(api: Api, client: http.Client, run: Run):
    """Where it never was there, the field may have another name: no proof, unless the author says that this is so."""
    cursors(api, 3, next=lambda number: str(number + 1) if number < 2 else "absent")
    assert by_cursor(client, run) == (PEOPLE, Complete(7))
    cursors(api, 7, next=lambda number: "absent")
    assert by_cursor(client, run) == (PEOPLE, None)
    assert by_cursor(client, run, omitted_at_end=True) == (PEOPLE, Complete(7))
    assert by_cursor(client, run, total="meta.total") == (PEOPLE, Complete(7))
    assert by_cursor(client, run, more="meta.more") == (PEOPLE, Complete(7))


@pytest.mark.parametrize(("change", "options", "said"), [
    ({"next": lambda number: "1"}, {}, "got the cursor '1' a second time after 6 items: the pages go round"),
    ({"next": lambda number: str((number + 1) % 3)}, {}, "in a circle"),
    ({"next": lambda number: None}, {"more": "meta.more"}, "a cursor, since 'meta.more' is true: the list is cut off"),
    ({"next": lambda number: "absent"}, {"more": "meta.more"}, "the list is cut off"),
    ({"more": lambda number: "yes"}, {"more": "meta.more"}, "expected true or false in 'meta.more'"),
    ({"more": lambda number: "absent"}, {"more": "meta.more"}, "expected true or false in 'meta.more'"),
    ({"next": lambda number: None}, {"total": "meta.total"}, "expected 7 items, as it says itself, got 3: the list"),
    ({"total": lambda number: 6}, {"total": "meta.total"}, "expected 6 items, as it says itself, got 7"),
    ({"total": lambda number: None}, {"total": "meta.total"}, "expected the number of all items in 'meta.total'"),
    ({"next": lambda number: {"a": 1}}, {}, "expected a cursor that is text or a number"),
    ({"next": lambda number: True}, {}, "expected a cursor that is text or a number"),
    ({}, {"items": "people"}, "expected a list of items in 'people', got status 200"),
    ({}, {"items": ""}, "expected a list of items, got status 200"),
])
def test_a_list_by_cursor_that_goes_wrong(
        api: Api, client: http.Client, run: Run, change: dict[str, Any], options: dict[str, Any], said: str):
    cursors(api, 3, **change)
    with pytest.raises(SourceError) as caught:
        by_cursor(client, run, **options)
    assert said in str(caught.value)
    assert "GET /groups/{}/people: " in str(caught.value)


def test_a_list_that_changes_while_it_is_read_proves_nothing(api: Api, client: http.Client, run: Run):
    cursors(api, 3, total=lambda number: 7 + number)
    assert by_cursor(client, run, total="meta.total") == (PEOPLE, None)


def offsets(api: Api, most: int = 100, people: Callable[[int], list[Any]] = lambda call: PEOPLE,
            heed: bool = True) -> None:
    """A list of people asked for by offset and limit; the server gives at most `most` a page."""
    calls: list[int] = []

    def page(seen: Seen) -> Answer:
        calls.append(1)
        found = people(len(calls))
        start = int(seen.params["offset"]) if heed else 0
        return Answer(json={"items": found[start:start + min(int(seen.params["limit"]), most)], "total": len(found)})

    api.on("GET /people", page)


def by_offset(client: http.Client, run: Run, **options: Any) -> tuple[list[Any], Complete | None]:
    return read(client.by_offset(run, "/people", **{"items": "items", "size": 3, **options}))


@pytest.mark.parametrize("most", [1, 2, 3, 100])
def test_pages_by_offset(api: Api, client: http.Client, run: Run, most: int):
    """Also where the server gives fewer than it was asked for."""
    offsets(api, most)
    assert by_offset(client, run, total="total") == (PEOPLE, Complete(7))
    assert by_offset(client, run) == (PEOPLE, None)
    assert by_offset(client, run, size=100, params={"sort": "id"}) == (PEOPLE, None)
    assert api.seen[-1].params["sort"] == "id"


def test_an_empty_list_by_offset(api: Api, client: http.Client, run: Run):
    offsets(api, people=lambda call: [])
    assert by_offset(client, run, total="total") == ([], Complete(0))
    assert by_offset(client, run) == ([], None)


def test_other_names_and_a_first_that_is_not_0(api: Api, client: http.Client, run: Run):
    api.on("GET /people", Answer(json={"items": PEOPLE, "total": 7}))
    by_offset(client, run, offset="startIndex", limit="count", first=1, size=50, total="total")
    assert api.seen[0].params == {"startIndex": "1", "count": "50"}


def test_an_offset_that_is_not_heeded(api: Api, client: http.Client, run: Run):
    offsets(api, heed=False)
    for options in ({}, {"total": "total"}):
        with pytest.raises(SourceError, match="GET /people: expected a new page after 3 items, got one that was given"):
            by_offset(client, run, **options)


def test_a_list_by_offset_that_is_cut_off(api: Api, client: http.Client, run: Run):
    api.on("GET /people", Answer(json={"items": PEOPLE[:3], "total": 7}), Answer(json={"items": [], "total": 7}))
    with pytest.raises(SourceError, match="expected 7 items, as it says itself, got 3"):
        by_offset(client, run, total="total")


def test_a_list_by_offset_that_moves_proves_nothing(api: Api, client: http.Client, run: Run):
    offsets(api, people=lambda call: PEOPLE[1:] if call > 1 else PEOPLE)
    found, complete = by_offset(client, run, total="total")
    assert complete is None
    assert {"id": 3} not in found  # which is why


@pytest.mark.parametrize("most", [1, 2, 3, 100])
def test_pages_by_offset_that_begin_with_the_last_item(api: Api, client: http.Client, run: Run, most: int):
    offsets(api, most)
    whole = (PEOPLE, Complete(7) if most > 1 else None)
    assert by_offset(client, run, total="total", identity="id") == whole


def test_items_that_come_and_go_alike_are_seen_by_what_a_page_begins_with(api: Api, client: http.Client, run: Run):
    offsets(api, people=lambda call: [*PEOPLE[2:], {"id": 8}, {"id": 9}] if call > 1 else PEOPLE)
    assert by_offset(client, run, total="total")[1] == Complete(7), "as many as before"
    offsets(api, people=lambda call: [*PEOPLE[2:], {"id": 8}, {"id": 9}] if call > 1 else PEOPLE)
    found, complete = by_offset(client, run, total="total", identity="id")
    assert {"id": 3} not in found
    assert complete is None
    offsets(api, people=lambda call: [{"id": -1}, *PEOPLE] if call > 1 else PEOPLE)
    assert by_offset(client, run, total="total", identity="id") == (PEOPLE, None), "none twice"


def linked(api: Api, link: Callable[[int, int], str | None], **headers: str) -> None:
    """A list of people in three pages, each with the header that `link(number, last)` gives."""
    pages = paged(PEOPLE, 3)

    def page(seen: Seen) -> Answer:
        number = int(seen.params.get("page", "0"))
        header = link(number, len(pages) - 1)
        return Answer(json=pages[number], headers={**headers, **({"Link": header} if header else {})})

    api.on("GET /people", page)


LINKS = {
    "a path": '</v2/people?page={}>; rel="next"',
    "a query": "<?page={}>; rel=next",
    "a relative path": '<people?page={}>; rel="next"',
    "one of many": '</v2/people>; rel="first", </v2/people?page={},x>; title="a, b; rel=\\"prev\\""; rel="x next"',
    "in capitals": "</v2/people?page={}>; REL=NEXT",
    "with a target in spaces": '< /v2/people?page={} > ; rel = "next"',
}


@pytest.mark.parametrize("form", LINKS)
def test_pages_by_link(api: Api, client: http.Client, run: Run, form: str):
    def react(seen: Seen) -> Answer:
        number = int(seen.params.get("page", "0").removesuffix(",x"))
        header = {"Link": LINKS[form].format(number + 1)} if number < 2 else {"Link": '</v2/people>; rel="first"'}
        return Answer(json=paged(PEOPLE, 3)[number], headers={**header, "X-Total-Count": "7"})

    api.on("GET /people", react)
    assert read(client.by_link(run, "/people", params={"size": 3})) == (PEOPLE, Complete(7))
    assert api.seen[0].params == {"size": "3"}
    assert run.calls.read == 3
    total = lambda reply: int(reply.headers["x-total-count"])  # noqa: E731
    assert read(client.by_link(run, "/people", total=total)) == (PEOPLE, Complete(7))


def test_an_absolute_link_to_where_the_api_is(api: Api, client: http.Client, run: Run):
    linked(api, lambda number, last: f'<{api.url}/people?page={number + 1}>; rel="next"' if number < last else None)
    assert read(client.by_link(run, "/people")) == (PEOPLE, Complete(7))


@pytest.mark.parametrize("target", ["https://elsewhere.example.com/people", "//elsewhere.example.com/", "http://127.0.0.1/",
                                    "https://127.0.0.1:{}/", "http://localhost:{}/", "http://me:you@127.0.0.1:{}/",
                                    "file:///etc/passwd"])
def test_credentials_go_nowhere_else(api: Api, run: Run, target: str):
    linked(api, lambda number, last: f"<{target.format(api.root.rpartition(':')[2])}>; rel=next")
    with http.connect(api.url, auth=http.Bearer("s3cret-token")) as client, \
            pytest.raises(SourceError, match="where the credentials are not sent") as caught:
        read(client.by_link(run, "/people"))
    assert len(api.seen) == 1
    assert "you@" not in str(caught.value)


def test_links_that_go_round_in_a_circle(api: Api, client: http.Client, run: Run):
    linked(api, lambda number, last: f"<?page={(number + 1) % 3}>; rel=next")
    with pytest.raises(SourceError, match="in a circle"):
        read(client.by_link(run, "/people"))


def test_links_that_end_before_the_list_does(api: Api, client: http.Client, run: Run):
    linked(api, lambda number, last: None, **{"X-Total-Count": "7"})
    with pytest.raises(SourceError, match="expected 7 items, as it says itself, got 3"):
        read(client.by_link(run, "/people", total=lambda reply: int(reply.headers["x-total-count"])))


@pytest.mark.parametrize(("header", "found"), [
    ("", []),
    ("nonsense", []),
    ("<a>", []),
    ("<a>; rel", []),
    ("<a>; title=x", []),
    ("<a>; rel=next; rel=prev", [("next", "a")]),
    ('<a>; rel="next prev"', [("next", "a"), ("prev", "a")]),
    ("<a,b;c>; rel=next, <d>;rel=prev", [("next", "a,b;c"), ("prev", "d")]),
    ('<a>; title="\\"<x>; rel=next"; rel=last', [("last", "a")]),
    (", ,<a>; rel=next,", [("next", "a")]),
    ("<a>; rel=next, " * 1000, [("next", "a")] * 1000),
    *[(evil * 50_000, []) for evil in (" ", "<", ",", "<a>;", '<a>; "', "<a> ", ";", '"', "<a>; x=\"\\")],
])
def test_the_link_header(header: str, found: list[tuple[str, str]]):
    assert list(links(header)) == found


@pytest.mark.parametrize("page", [2, 3])
@pytest.mark.parametrize(("answer", "error"), [
    (Answer(429, headers={"Retry-After": "3"}), Throttled), (Answer(500), Unavailable), (Answer(404), Unavailable),
    (Answer(200, b'[{"id": 1'), Unavailable), (Answer(200, b"<html>"), Unavailable), (Answer(204), Unavailable),
])
def test_a_page_that_fails_ends_the_list(
        api: Api, client: http.Client, run: Run, page: int, answer: Answer, error: type[Exception]):
    pages = [Answer(json=people, headers={"Link": f"<?page={number}>; rel=next"})
             for number, people in enumerate(paged(PEOPLE, 3))]
    api.on("GET /people", *pages[:page - 1], answer)
    with pytest.raises(error):
        read(client.by_link(run, "/people"))


def test_a_page_is_asked_for_when_it_is_needed(api: Api, client: http.Client, run: Run):
    cursors(api, 3)
    people = client.by_cursor(run, "/groups/{}/people", "g1", items="data", cursor="meta.next", param="after")
    assert api.seen == []
    for _ in range(3):
        next(people)
    assert len(api.seen) == 1
    people.close()
