"""Log lines name the job that they belong to."""

import io
import logging
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from penstock.queue.attempt import Attempt, current
from penstock.worker.logs import FORMAT, JobContext
from tests.processes import python


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """What a logger of the application writes through a handler with the filter."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(job_id)s %(task)s %(message)s"))
    handler.addFilter(JobContext())
    logger = logging.getLogger("shop.mail")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield stream
    logger.removeHandler(handler)


@pytest.fixture
def job(attempt: Attempt) -> Iterator[None]:
    token = current.set(attempt)
    yield
    current.reset(token)


@pytest.mark.usefixtures("job")
def test_inside_a_job_its_id_and_task_are_there(written: io.StringIO):
    logging.getLogger("shop.mail").info("sent")
    assert written.getvalue() == "7 shop.send sent\n"


def test_outside_of_a_job_there_is_a_dash(written: io.StringIO):
    logging.getLogger("shop.mail").info("started")
    assert written.getvalue() == "- - started\n"


@pytest.mark.usefixtures("job")
def test_a_thread_of_another_job_has_its_own(written: io.StringIO):
    thread = threading.Thread(target=lambda: logging.getLogger("shop.mail").info("elsewhere"))
    thread.start()
    thread.join()
    assert written.getvalue() == "- - elsewhere\n"


@pytest.mark.usefixtures("job")
def test_what_the_application_says_itself_is_left(written: io.StringIO):
    logging.getLogger("shop.mail").info("sent", extra={"task": "mine"})
    assert written.getvalue() == "7 mine sent\n"


def test_installed_twice_it_filters_once(tmp_path: Path):
    code = """
import logging
from penstock.worker import logs
logs.install(logging.INFO)
logs.install(logging.INFO)
logging.getLogger("shop").info("hello")
print("filters", [len(handler.filters) for handler in logging.getLogger().handlers])
"""
    with python(code, folder=tmp_path) as child:
        assert "INFO shop [- -]: hello" in child.line("hello")
        assert child.line("filters") == "filters [1]"


def test_logging_that_is_set_up_already_is_left_as_it_is(tmp_path: Path):
    code = """
import logging
from penstock.worker import logs
logging.basicConfig(level=logging.INFO, format="mine %(job_id)s %(message)s")
logs.install(logging.WARNING)
logging.getLogger("shop").info("hello")
"""
    with python(code, folder=tmp_path) as child:
        assert child.line("hello") == "mine - hello"
    assert "%(job_id)s" in FORMAT
