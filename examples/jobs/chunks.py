"""Chunks: a search service that takes a hundred documents at once is called once for a hundred jobs, not for each."""

from dataclasses import dataclass

from penstock import Cancel, Chunk, ChunkJob, Jobs, Outcomes, Penstock, Retry, RetryPolicy
from serving import URL, working

app = Penstock(URL)
calls: list[int] = []
asked: set[int] = set()


@dataclass
class Document:
    id: int
    text: str


@dataclass
class Answer:
    status: int


def bulk(documents: list[Document]) -> list[Answer]:
    """The service: what is asked for the first time may be busy, one is gone, one is refused, all others are indexed."""
    calls.append(len(documents))
    special = {document.id: {7: 429 if 7 not in asked else 200, 13: 410, 42: 400}.get(document.id, 200)
               for document in documents}
    asked.update(special)
    return [Answer(special[document.id]) for document in documents]


@app.task(chunk=Chunk(size=100, wait=0.2), retry=RetryPolicy(max_attempts=2, base_seconds=0.05))
def index(jobs: Jobs[Document]) -> Outcomes:
    """What is not mentioned has completed."""
    said: dict[ChunkJob[Document], object] = {}
    for job, answer in zip(jobs, bulk([job.arguments for job in jobs]), strict=True):
        if answer.status == 410:
            said[job] = Cancel("the document is gone")
        elif answer.status == 429:
            said[job] = Retry(reason="busy")
        elif answer.status >= 400:
            said[job] = ValueError(f"refused with {answer.status}")
    return said


if __name__ == "__main__":
    app.migrate()
    jobs = app.enqueue_many(index.call(Document(number, f"text {number}")) for number in range(950))
    with working(app, default=4):
        pass
    print(f"{len(jobs)} documents, at most {max(calls)} in a call, in fewer than twenty calls: {len(calls) < 20}")
    for count in app.counts():
        print(count.state, count.jobs)
    for job in (jobs[7], jobs[42]):
        row = app.job(job.id)
        assert row is not None
        print(f"document {jobs.index(job)}: {row.state} by attempt {row.attempt}")
    app.close()
