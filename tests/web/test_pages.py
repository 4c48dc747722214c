"""What every page has: it opens, it is whole, and the API gives the same."""

from penstock import Penstock
from tests.web.conftest import Client


def test_the_overview_opens_on_an_empty_store(client: Client):
    page = client.get("/")
    assert page.status_code == 200
    assert "No jobs yet" in page.text


def test_the_overview_counts_jobs(app: Penstock, client: Client):
    @app.task
    def work() -> None: ...

    work.enqueue()
    assert 'id="queue-default"' in client.get("/").text


def test_a_page_that_there_is_not_says_so(client: Client):
    page = client.get("/nowhere")
    assert page.status_code == 404
    assert "There is no page of this address" in page.text
