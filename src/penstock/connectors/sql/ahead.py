"""Reading one page ahead: while a page is made use of, the server works on the next one."""

from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")


def ahead(pages: Generator[T, Any, Any]) -> Generator[T, None, None]:
    """The same pages, each asked for by a thread of its own as soon as the one before it is there.

    What goes wrong is raised where the page would have come. Closed early, it waits for what the thread is doing, and
    leaves neither the thread nor `pages` behind.
    """
    try:
        with ThreadPoolExecutor(1, thread_name_prefix="penstock-source") as thread:
            coming = thread.submit(next, pages, None)
            while (page := coming.result()) is not None:
                coming = thread.submit(next, pages, None)
                yield page
    finally:
        pages.close()
