"""The keys of a task's jobs, from its arguments; and what is wrong with a declaration, said when it is made."""

import uuid
from typing import Any

import msgspec
import pytest

from penstock import Concurrency, Penstock, Quota, Rate
from penstock.domain.errors import ConfigurationError, DeclarationError
from penstock.domain.limits import Limit
from penstock.queue.arguments.signature import Signature
from penstock.queue.keyed import keyed


@pytest.fixture
def app() -> Penstock:
    return Penstock("sqlite:///not-opened.db")


def declared(app: Penstock, **keys: Any) -> Any:
    @app.task(name="work", **keys)
    def work(customer_id: Any, region: str = "north", *rest: int, **more: int) -> None: ...

    return work


def test_a_serial_key_is_the_value_of_its_parameter(app: Penstock):
    work = declared(app, serial="customer_id")
    line = work.call(7).line
    assert (line.key, line.also, msgspec.json.decode(line.terms)) == ("serial:work:7", None, {"most": 1})
    assert work.call("7").line.key == 'serial:work:"7"'
    assert work.call(None).line.key == "serial:work:null"


def test_a_default_stands_for_what_was_not_given(app: Penstock):
    work = declared(app, serial=("customer_id", "region"))
    assert work.call(7).line == work.call(7, "north").line == work.call(customer_id=7, region="north").line
    assert work.call(7).line.key == 'serial:work:[7,"north"]'


def test_a_number_at_a_time_is_a_line_of_its_own_or_a_second_key(app: Penstock):
    work = declared(app, concurrency=Concurrency(4, by="region"))
    line = work.call(1).line
    assert (line.key, line.also, msgspec.json.decode(line.terms)) == ('concurrency:work:"north"', None, {"most": 4})
    both = declared(Penstock("sqlite:///not-opened.db"), serial="customer_id",
                    concurrency=Concurrency(4, by=("region", "rest")))
    line = both.call(1, "x", 2).line
    assert (line.key, line.also) == ("serial:work:1", 'concurrency:work:["x",[2]]')
    assert msgspec.json.decode(line.terms) == {"most": 1, "also": 4}


def test_equal_values_are_one_key_however_they_are_written(app: Penstock):
    @app.task(name="typed", serial="value")
    def typed(value: dict[str, int] | uuid.UUID) -> None: ...

    assert typed.call({"b": 1, "a": 2}).line == typed.call({"a": 2, "b": 1}).line
    one = uuid.uuid4()
    assert typed.call(one).line == typed.call(str(one).upper()).line


def test_a_long_value_is_told_by_a_digest(app: Penstock):
    work = declared(app, serial="customer_id")
    one, two = work.call("x" * 5000).line.key, work.call("x" * 5001).line.key
    assert len(one) < 50
    assert one != two


def test_a_task_without_keys_has_no_line(app: Penstock):
    work = declared(app)
    assert work.call(7).line is None
    assert work.call(7).shape["keyed"] is False


class TestLimits:
    """Jobs of a task that has only limits wait in a line of those."""

    def line(self, *limits: Limit, **keys: Any) -> Any:
        def work(customer_id: int, region: str = "north") -> None: ...

        found = keyed(Signature("work", work), keys.get("serial"), keys.get("concurrency"), limits)
        assert found is not None
        return (lambda arguments: found.line(arguments).key,
                lambda arguments: msgspec.json.decode(found.line(arguments).terms))

    def test_the_line_has_the_pace_of_the_slowest_rate_and_the_gates_of_all(self):
        key, terms = self.line(Rate(100, per="minute", by="smtp"), Rate(10, per="second"),
                               Quota(5_000, per="day", by="mta"))
        assert key('{"customer_id":1}') == "limit:smtp work mta"
        assert terms('{"customer_id":1}') == {"pace_us": 600_000, "gates": ["smtp", "work", "mta"]}

    def test_a_limit_by_a_parameter_gives_each_value_a_line(self):
        key, terms = self.line(Rate(1, per="second", by="customer_id"))
        assert key('{"customer_id":1}') == "limit:work:1"
        assert terms('{"customer_id":2}') == {"pace_us": 1_000_000, "gates": ["work:2"]}

    def test_a_quota_or_a_number_of_permits_has_no_pace(self):
        key, terms = self.line(Quota(5, per="day"), Concurrency(3, by="region"))
        assert key('{"customer_id":1}') == "limit:work work:north"
        assert terms('{"customer_id":1}') == {"gates": ["work", "work:north"]}

    def test_a_task_with_a_key_too_waits_in_that_line_behind_the_gates_of_its_limits(self):
        key, terms = self.line(Rate(1, per="second"), serial="customer_id", concurrency=Concurrency(4, by="region"))
        assert key('{"customer_id":1}') == "serial:work:1"
        assert terms('{"customer_id":1}') == {"most": 1, "also": 4, "gates": ["work"]}


@pytest.mark.parametrize(("keys", "fault"), [
    ({"serial": "custmer_id"}, "task work: serial: no parameter 'custmer_id'; did you mean 'customer_id'?"),
    ({"serial": ("customer_id", "nowhere")}, "serial: no parameter 'nowhere'"),
    ({"serial": ()}, "serial: expected the name of a parameter, or a tuple of names, got ()"),
    ({"serial": 7}, "serial: expected the name of a parameter"),
    ({"serial": ["customer_id"]}, "serial: expected the name of a parameter"),
    ({"concurrency": Concurrency(4)}, 'concurrency: expected by= to name a parameter, as in Concurrency(4, by="cust'),
    ({"concurrency": Concurrency(4, by="regoin")}, "concurrency: no parameter 'regoin'; did you mean 'region'?"),
    ({"concurrency": Concurrency(4, by=())}, "concurrency: expected the name of a parameter"),
    ({"concurrency": 4}, 'concurrency: expected Concurrency(4, by="a parameter"), got 4'),
])
def test_a_key_that_cannot_be_is_refused_where_it_is_declared(app: Penstock, keys: dict[str, Any], fault: str):
    with pytest.raises(DeclarationError) as refused:
        declared(app, **keys)
    assert fault in str(refused.value)
    assert "work" not in app.tasks


def test_every_fault_is_said_at_once(app: Penstock):
    with pytest.raises(DeclarationError) as refused:
        declared(app, serial="a", concurrency=Concurrency(1, by="b"))
    assert "no parameter 'a'" in str(refused.value)
    assert "no parameter 'b'" in str(refused.value)


@pytest.mark.parametrize("count", [0, -1, 1.5, True, None])
def test_a_number_at_a_time_is_above_zero(count: Any):
    with pytest.raises(ConfigurationError, match="expected a concurrency of a whole number above 0"):
        Concurrency(count, by="region")
