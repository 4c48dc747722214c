"""A batch of jobs with one callback: pages are read side by side, find further pages, and a report is written once."""

from penstock import Cancel, Penstock
from serving import URL, working

app = Penstock(URL)
LINKS = {"/": ["/a", "/b"], "/a": ["/a/1", "/a/2"], "/b": ["/gone"]}


@app.task(queue="pages")
def read(batch_id: int, page: str) -> None:
    """Whatever a page links to is read in the same batch."""
    if page == "/gone":
        raise Cancel("410 Gone")
    app.enqueue_many([read.using(batch=batch_id).call(batch_id, link) for link in LINKS.get(page, ())])


@app.task
def report(batch_id: int) -> None:
    status = app.batch_status(batch_id)
    assert status is not None
    print(f"{status.completed} of {status.total} pages read, {status.cancelled} gone: {status.percent:.0f} %", flush=True)


@app.task
def publish() -> None:
    print("published, since all pages of the second batch were read", flush=True)


with working(app):
    site = app.batch(open=True, then=report)
    read.using(batch=site).enqueue(site.id, "/")
    app.close_batch(site)
    assert site.then is not None
    whole = app.batch([read.using(after=[site.then]).call(0, f"/{number}") for number in range(100)])
    publish.using(after=[whole]).enqueue()
    publish.using(after=[site]).enqueue()  # cancelled: a page was gone
