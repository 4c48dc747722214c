"""A trace adds up in place: phases to the wall time, statements by fingerprint, calls by route."""

import pytest

from penstock.domain.parameters import Keeping
from penstock.domain.traces import PHASES
from penstock.observe import trace as module
from penstock.observe.kept import slow_trace
from penstock.observe.slowness import slow_statements
from penstock.observe.statements import MOST_MARKS
from penstock.observe.trace import CALLED, MOST, OTHERS, QUERIED, READ, Trace

DATABASE = "postgresql://db:5432/shop"


class Ticking:
    """A clock that moves when told."""

    def __init__(self) -> None:
        self.now = 1_000_000

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Ticking:
    ticking = Ticking()
    monkeypatch.setattr(module, "clock", ticking)
    return ticking


def query(trace: Trace, text: str, took_ns: int = 5, rows: int | None = 1, parameters: object = None,
          **more: bool) -> None:
    """As an instrument does it: a call between it and the user's code."""
    trace.statement(text, "psycopg", DATABASE, took_ns, rows, parameters, **more)


def test_phases_add_up_to_the_wall_time_however_they_are_nested(clock: Ticking):
    trace = Trace("task", "t")
    clock.now += 3
    trace.enter(READ)
    clock.now += 5
    trace.enter(QUERIED)
    clock.now += 7
    trace.leave(QUERIED)
    clock.now += 11
    trace.leave(READ)
    clock.now += 13
    trace.end()
    assert {name: ns for name, ns in zip(PHASES, trace.phases, strict=True) if ns} == {
        "read": 16, "queried": 7, "other": 16}
    assert sum(trace.phases) == trace.took_ns == 39


def test_phases_of_coroutines_that_overlap_add_up_as_well(clock: Ticking):
    trace = Trace("task", "t")
    trace.enter(QUERIED)
    clock.now += 5
    trace.enter(CALLED)
    clock.now += 5
    trace.leave(QUERIED)
    clock.now += 5
    trace.leave(CALLED)
    trace.leave(CALLED)  # once too often: somebody's phase that began before the trace did
    trace.end()
    assert (trace.phases[QUERIED], trace.phases[CALLED]) == (5, 10)
    assert sum(trace.phases) == trace.took_ns == 15


def test_what_was_on_the_cpu_while_nothing_else_was_told_is_computed(clock: Ticking):
    trace = Trace("task", "t")
    clock.now += 100
    trace.end(cpu_ns=70)
    assert dict(zip(PHASES, trace.phases, strict=True)) == {**dict.fromkeys(PHASES, 0), "computed": 70, "other": 30}
    other = Trace("task", "t")
    clock.now += 10
    other.end(cpu_ns=70)
    assert sum(other.phases) == 10


def test_statements_of_one_shape_are_one():
    trace = Trace("task", "t")
    for number in range(3):
        query(trace, f"select * from x where id = {number}", took_ns=1000 * (number + 1), rows=number)
    trace.end()
    (statement,) = trace.statements.values()
    seen = statement.seen("plain")
    assert (seen.calls, seen.rows, seen.total_us, seen.max_us, seen.at_most_one, seen.most_calls) == (3, 3, 6, 3, 2, 3)
    assert seen.text == "select * from x where id = 0"
    assert (seen.driver, seen.database) == ("psycopg", DATABASE)


def test_a_call_site_is_where_the_users_code_is():
    trace = Trace("task", "t")
    query(trace, "select 1")
    for _ in range(2):
        query(trace, "select 1")
    (seen,) = [each.seen("plain") for each in trace.statements.values()]
    assert [(site.file, site.function, site.calls) for site in seen.sites] == [
        (__file__, "test_a_call_site_is_where_the_users_code_is", 2),
        (__file__, "test_a_call_site_is_where_the_users_code_is", 1)]
    assert seen.sites[0].line == seen.sites[1].line + 2


def test_marks_stay_few_and_tell_how_calls_grew_with_their_position():
    trace = Trace("task", "t")
    for number in range(10_000):
        query(trace, "select * from x where id > %s", took_ns=1000 * (1 + number // 1000), parameters=(number,))
    trace.end()
    (statement,) = trace.statements.values()
    seen = statement.seen("plain")
    assert len(statement.marks) <= MOST_MARKS
    assert seen.monotone is True
    assert [calls for calls, _ in seen.by_position] == [1000] * 10
    means = [total / calls for calls, total in seen.by_position]
    assert all(round(mean) == place for place, mean in enumerate(means, start=1)), means
    assert sum(total for _, total in seen.by_position) == seen.total_us
    calls = [sample.call for sample in seen.samples]
    assert calls[0] == 0
    assert calls[-1] == 9999
    assert len(calls) <= 9
    assert calls == sorted(calls)


def test_the_slowest_is_kept_wherever_it_was():
    trace = Trace("task", "t")
    for number in range(1000):
        query(trace, "select %s", took_ns=90_000 if number == 777 else 1000, parameters=(number,))
    trace.end()
    (seen,) = [each.seen("plain") for each in trace.statements.values()]
    assert (seen.samples[-1].call, seen.samples[-1].took_us, seen.max_us) == (777, 90, 90)
    assert seen.samples[-1].parameters[0].value == "777"


def test_parameters_are_kept_as_they_were_although_the_caller_changes_them():
    trace = Trace("task", "t")
    parameters = {"last": 0, "text": "x" * 5000}
    for number in range(5):
        parameters["last"] = number
        query(trace, "select %(last)s", parameters=parameters)
    trace.end()
    parameters["last"] = 99
    (seen,) = [each.seen("plain") for each in trace.statements.values()]
    assert [sample.parameters["last"].value for sample in seen.samples] == ["0", "1", "2", "3", "4"]
    assert seen.samples[0].parameters["text"].value is None


@pytest.mark.parametrize(("rows", "told"), [
    ([(1,), (2,), (3,)], True), ([(3,), (2,), (1,)], True), ([(None,), (5,), (9,)], True),
    ([(1,), (3,), (2,)], False), ([(1,), (1,), (1,)], False), ([(1, 5), (1, 6), (1, 7)], True),
    ([("a",), (1,), (2,)], None), ([(1,), (2,)], None), ([None, None, None], None), ([(), (), ()], None),
])
def test_a_parameter_that_only_grows_or_shrinks_is_noticed(rows: list[object], told: bool | None):
    trace = Trace("task", "t")
    for parameters in rows:
        query(trace, "select", parameters=parameters)
    (statement,) = trace.statements.values()
    assert statement.seen("plain").monotone is told


def test_rows_that_come_later_count_for_the_statement_and_not_as_a_call():
    trace = Trace("task", "t")
    query(trace, "select * from x", took_ns=1000, rows=None)
    trace.fetched("select * from x", "psycopg", DATABASE, 2000, 500)
    trace.fetched("select * from x", "psycopg", DATABASE, 3000, 20)
    trace.lock_waited("select * from x", "psycopg", DATABASE, 4000)
    trace.end()
    (seen,) = [each.seen("plain") for each in trace.statements.values()]
    assert (seen.calls, seen.rows, seen.total_us, seen.at_most_one, seen.locked_us) == (1, 520, 6, 0, 4)


def test_a_trace_with_no_end_of_different_statements_and_routes_stays_small():
    trace = Trace("task", "t")
    for number in range(3000):
        query(trace, f"select a{number} from x")
        trace.called("GET", "api", f"/a{'x' * (number % 30)}/{chr(97 + number % 26)}{chr(97 + number // 26 % 26)}", 5)
    trace.end()
    assert len(trace.statements) == MOST + 1
    assert sum(each.calls for each in trace.statements.values()) == 3000
    (others,) = [each for each in trace.statements.values() if each.text == OTHERS]
    assert others.calls == 3000 - MOST
    assert len(trace.calls) == MOST + 1
    assert sum(each.calls for each in trace.calls.values()) == 3000


def test_calls_are_added_up_by_route():
    trace = Trace("task", "t")
    for number in range(3):
        trace.called("GET", "api.example", f"/groups/{number}", 2000, failed=number == 2)
    trace.end()
    (call,) = trace.calls.values()
    seen = call.seen()
    assert (seen.method, seen.host, seen.route, seen.calls, seen.failed, seen.total_us, seen.most_calls) == (
        "GET", "api.example", "/groups/*", 3, 1, 6, 3)


def test_spans_are_of_what_took_long_and_only_so_many():
    trace = Trace("task", "t")
    for number in range(1000):
        query(trace, "select", took_ns=(number + 1) * 10_000)
    assert len(trace.spans) <= 100
    assert max(span.took_ns for span in trace.spans) == 10_000_000
    assert min(span.took_ns for span in trace.spans) >= 1_000_000


def test_two_traces_of_a_statement_add_up_and_the_longer_gives_the_examples():
    one, two = Trace("task", "t"), Trace("task", "t")
    for number in range(3):
        query(one, "select %s", took_ns=1000, parameters=(number,))
    for number in range(2):
        query(two, "select %s", took_ns=9000, parameters=(100 + number,), failed=True)
    one.end()
    two.end()
    (first,), (second,) = one.statements.values(), two.statements.values()
    first.absorb(second)
    seen = first.seen("plain")
    assert (seen.calls, seen.failed, seen.total_us, seen.max_us, seen.traces, seen.most_calls) == (5, 2, 21, 9, 2, 3)
    assert [sample.parameters[0].value for sample in seen.samples] == ["100", "101"]


def test_a_trace_is_kept_while_a_thread_that_it_was_lent_to_is_at_work(clock: Ticking):
    trace = Trace("task", "t")
    query(trace, "select x from y", took_ns=10**9)
    trace.end()

    def keeps(database: str | None) -> Keeping:
        query(trace, f"select a from b{'b' * len(trace.statements)}")
        return "plain"

    assert slow_trace(trace, 0, keeps).parts[0].total_us == 10**6
    told = [None for _ in slow_statements(trace, {}) if query(trace, "select c from d") is None]
    assert len(told) == 1


def test_when_phases_were_under_way_is_kept_in_few_marks_however_long_it_takes(clock: Ticking):
    trace = Trace("task", "t")
    for number in range(10_000):
        clock.now += 30_000
        trace.enter(QUERIED if number < 7_000 else CALLED)
        clock.now += 70_000
        trace.leave(QUERIED if number < 7_000 else CALLED)
    trace.end(cpu_ns=150_000_000)
    assert len(trace.marks) <= 97
    slices = slow_trace(trace, 0, lambda database: "plain").slices
    assert slices[-1].until_us == trace.took_ns // 1000 == 1_000_000
    spent = {name: sum(each.phases.get(name, 0) for each in slices) for name in PHASES}
    for name, ns in zip(PHASES, trace.phases, strict=True):
        assert abs(spent[name] - ns // 1000) <= len(slices)
    assert spent["computed"] > 100_000
    first = next(each.until_us for each in slices if "called" in each.phases)
    last = max(each.until_us for each in slices if "queried" in each.phases)
    assert 690_000 < first <= last < 730_000


def test_a_phase_that_takes_long_begins_where_it_began(clock: Ticking):
    trace = Trace("task", "t")
    clock.now += 4_000_000
    trace.enter(CALLED)
    clock.now += 5_000_000
    trace.leave(CALLED)
    clock.now += 1_000_000
    trace.end()
    found = slow_trace(trace, 0, lambda database: "plain").slices
    assert [(each.until_us, each.phases) for each in found] == [
        (4_000, {"other": 4_000}), (9_000, {"called": 5_000}), (10_000, {"other": 1_000})]
