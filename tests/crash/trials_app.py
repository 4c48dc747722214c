"""Tries indexes on a database, again and again, until it is killed. It says what it does, a line for each step."""

from penstock.advise.asking.options import Options
from penstock.advise.session import advise
from tests.advise.databases import COUNT, batches, seen


def main(url: str, own: str) -> None:
    while True:
        advise([batches(), seen(COUNT, (6,), fingerprint="f2")], url, copy=url, own=own, tell=print,
               options=Options(role=None, scratch=url != own))
        print("advised")
