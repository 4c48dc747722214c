"""Results: waited for by whoever enqueued the job, and clear errors where there is none."""

import asyncio
from dataclasses import dataclass

from penstock import Cancel, Penstock, Result
from penstock.domain.errors import InvalidResult, NotCompleted, ResultTimeout
from serving import URL, working

app = Penstock(URL)


@dataclass
class Quote:
    pence: int


@app.task(result=Result(limit_bytes=100))
def quote(customer: int) -> Quote | Cancel:
    return Quote(pence=100 * customer) if customer else Cancel("nobody asked")


@app.task(result=Result(limit_bytes=100))
async def export(lines: int) -> str:
    return "ab." * lines


async def both() -> None:
    jobs = [await quote.aenqueue(1), await export.aenqueue(2)]
    print(await asyncio.gather(*(job.aresult(timeout=30) for job in jobs)))


if __name__ == "__main__":
    app.migrate()
    early = quote.enqueue(7)
    try:
        early.result(timeout=0.05)
    except ResultTimeout:
        print("no worker has run it yet")
    with working(app):
        print(early.result(timeout=30))
        print(app.result(early.id).pence)
        asyncio.run(both())
        try:
            quote.enqueue(0).result(timeout=30)
        except NotCompleted as error:
            print(error.state, error.error)
        large = export.enqueue(100)
        try:
            large.result(timeout=30)
        except InvalidResult:
            row = app.job(large.id)
            print("too large, and", row.state if row else "gone")
