"""Jobs that run after others: a chain, a workflow with a step that runs in any case, and a cycle that is refused."""

from penstock import Penstock, RetryPolicy, Step
from penstock.domain.errors import InvalidArguments
from serving import URL, working

app = Penstock(URL)


@app.task
def say(text: str) -> None:
    print(text, flush=True)


@app.task(retry=RetryPolicy(max_attempts=1))
def load(source: str) -> None:
    raise ConnectionError(f"{source} is away")


try:
    app.workflow({"a": Step(say.call("a"), after="b"), "b": Step(say.call("b"), after="a")})
except InvalidArguments as error:
    print(str(error).partition(",")[0] + ": " + str(error).partition("cycle: ")[2].partition(",")[0], flush=True)

with working(app):
    chained = app.chain([say.call("chain: first"), say.call("chain: second"), say.call("chain: third")])
    jobs = app.workflow({
        "extract": say.using(after=chained[-1:]).call("workflow: extract, after the chain"),
        "load": Step(load.call("the warehouse"), after="extract"),
        "report": Step(say.call("workflow: never said"), after=("extract", "load")),
        "tidy": Step(say.call("workflow: tidy, however it went"), after=("load", "report"), on_failure="run"),
    })

with app:
    report = app.job(jobs["report"].id)
    assert report is not None
    print(f"report: {report.state}, {report.error_class}", flush=True)
    app.requeue(report.id)

with working(app):
    pass
