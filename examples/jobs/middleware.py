"""Middleware and context: a tenant, a language and a trace go from the caller to its jobs, and on to theirs."""

import secrets
from collections.abc import Iterator
from contextvars import ContextVar

from penstock import Cancel, Penstock, context, current_context
from serving import URL, working

app = Penstock(URL)
span: ContextVar[str] = ContextVar("span", default="")     # trace id - span id, as a tracer would keep them


class Tracing:
    """A W3C trace context: every job is a span of the trace that it was enqueued in."""

    def around_enqueue(self, calls) -> Iterator[None]:
        trace = span.get() or f"{secrets.token_hex(16)}-{secrets.token_hex(8)}"
        calls[:] = [call.using(context={"traceparent": f"00-{trace}-01"}) for call in calls]
        yield

    def around_run(self, attempt) -> Iterator[None]:
        _, trace, parent, _ = attempt.context["traceparent"].split("-")
        span.set(f"{trace}-{secrets.token_hex(8)}")
        ended = "badly"
        try:
            yield
            ended = "well"
        finally:
            spans.append((attempt.task, ended, trace, parent))


class Tenants:
    """Nothing is run for who has left."""

    def around_run(self, attempt) -> Iterator[None]:
        if attempt.context.get("tenant") == "closed":
            return Cancel("its tenant has left")
        yield


app.use(Tracing())
app.use(Tenants())
spans: list[tuple[str, ...]] = []


@app.task(name="order", queue="orders")
def order(number: int) -> None:
    print(f"order {number} of {current_context()['tenant']}", flush=True)
    confirm.enqueue(number)


@app.task(name="confirm", queue="mail")
async def confirm(number: int) -> None:
    print(f"order {number} confirmed in {current_context()['locale']}", flush=True)


if __name__ == "__main__":
    app.migrate()
    with context(tenant="acme", locale="de"):
        order.enqueue(1)
    with context(tenant="closed"):
        order.enqueue(2)
    with working(app, orders=1, mail=1):
        pass
    for task, ended, *_ in sorted(spans):
        print(f"a span of {task} that ended {ended}")
    print("traces:", len({trace for _, _, trace, _ in spans}))
