"""What a chunk task may be, and what the arguments of one of its jobs are."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NotRequired, TypedDict

import msgspec
import pytest

from penstock import Chunk, ChunkJob, Concurrency, Jobs, Penstock, Rate, Unique
from penstock.domain.errors import DeclarationError, InvalidArguments
from penstock.queue.chunk import ChunkSignature


@dataclass
class Document:
    id: int
    text: str = ""
    tags: list[str] = field(default_factory=list)


class Row(msgspec.Struct, omit_defaults=True):
    id: int
    weight: float = 1.0


class Pair(msgspec.Struct, array_like=True):
    left: int
    right: int


class Options(TypedDict):
    id: int
    size: NotRequired[int]


def of(kind: Any) -> ChunkSignature:
    def work(jobs: Any) -> None: ...

    work.__annotations__["jobs"] = Sequence[ChunkJob[kind]]
    return ChunkSignature("work", work)


@pytest.mark.parametrize(("kind", "value", "encoded", "names"), [
    (Document, Document(7, "a"), '{"id":7,"text":"a","tags":[]}', ("id", "text", "tags")),
    (Row, Row(7), '{"id":7}', ("id", "weight")), (Options, {"id": 7}, '{"id":7}', ("id", "size")),
    (int, 7, '{"argument":7}', ("argument",)), (list[int], [7, 8], '{"argument":[7,8]}', ("argument",)),
    (Pair, Pair(1, 2), '{"argument":[1,2]}', ("argument",)),
    (Document | None, None, '{"argument":null}', ("argument",)),
])
def test_the_fields_of_the_type_are_the_arguments_or_it_is_the_one_argument(
        kind: Any, value: Any, encoded: str, names: tuple[str, ...]):
    signature = of(kind)
    assert signature.names == names
    assert signature.encode((value,), {}) == encoded
    assert signature.decode(encoded) == ((value,), {})
    assert signature.decode_all([encoded, encoded]) == [value, value]


def test_keys_are_made_of_fields():
    """A default counts like a value that was given."""
    signature = of(Document)
    given, default = signature.encode((Document(7, ""),), {}), '{"id":7}'
    assert signature.chosen(given, ("id", "text")) == signature.chosen(default, ("id", "text"))
    assert signature.values(default, ("id", "text")) == [7, ""]


@pytest.mark.parametrize(("args", "kwargs", "said"), [
    ((), {}, "expected one value, of type Document, for one job, got 0"), ((1, 2), {}, "got 2"),
    ((), {"id": 1}, "got 1"),
    ((Document("x"),), {}, r"Expected `int`, got `str` - at `$.id`"),  # type: ignore[arg-type]
    ((object(),), {}, "cannot be written as JSON")])
def test_what_is_no_job_of_the_task_is_refused_where_it_is_enqueued(args: Any, kwargs: Any, said: str):
    with pytest.raises(InvalidArguments) as caught:
        of(Document).encode(args, kwargs)
    assert said in str(caught.value)


def test_arguments_of_many_are_read_in_one_go_and_only_those_that_do_not_fit_are_missed():
    first, second, third = of(Document).decode_all(['{"id":1}', '{"id":"x"}', '{"id":3}'])
    assert (first, third) == (Document(1), Document(3))
    assert isinstance(second, InvalidArguments)


class TestDeclaring:
    @pytest.fixture
    def app(self) -> Penstock:
        return Penstock("sqlite:///nowhere.db")

    @pytest.mark.parametrize("function", [
        lambda jobs: None, lambda: None, lambda jobs, more: None, lambda *jobs: None])
    def test_a_function_has_one_parameter_that_says_of_which_type(self, app: Penstock, function: Any):
        with pytest.raises(DeclarationError, match=r"expected a function of one parameter, such as jobs: Jobs"):
            app.task(chunk=Chunk(10), name="work")(function)

    @pytest.mark.parametrize(("options", "said"), [
        ({"delivery": "at_most_once"}, "chunk: expected delivery='at_least_once'"),
        ({"pool": "process"}, "pool: expected threads for a task with chunk="),
        ({"chunk": 100}, "chunk: expected a Chunk"),
        ({"limits": [Rate(10, per="second", by="id")]}, "limits: expected no by= that names a parameter"),
        ({"unique": Unique(args=("ids",))}, "unique: no parameter 'ids'; did you mean 'id'?"),
        ({"serial": "customer"}, "serial: no parameter 'customer'"),
    ])
    def test_what_does_not_go_together_is_refused(self, app: Penstock, options: dict[str, Any], said: str):
        def work(jobs: Jobs[Document]) -> None: ...

        with pytest.raises(DeclarationError) as caught:
            app.task(**{"chunk": Chunk(10), **options})(work)
        assert said in str(caught.value)

    def test_keys_of_fields_and_limits_of_the_whole_are_fine(self, app: Penstock):
        def work(jobs: Jobs[Document]) -> None: ...

        app.task(name="one", chunk=Chunk(10), serial="id", concurrency=Concurrency(2, by="text"))(work)
        app.task(name="two", chunk=Chunk(10), limits=[Rate(10, per="second", by="smtp")])(work)

    @pytest.mark.parametrize(("size", "wait"), [(0, 0.0), (10_001, 0.0), (True, 0.0), (1.5, 0.0), (1, -1), (1, 601),
                                                (1, float("nan")), (1, "x")])
    def test_sizes_and_waits_have_bounds(self, size: Any, wait: Any):
        with pytest.raises(DeclarationError, match="chunk: expected a"):
            Chunk(size, wait)
