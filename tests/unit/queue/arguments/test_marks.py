"""Marks are found wherever a type can carry them, and what they mark is hidden wherever it lies."""

from dataclasses import dataclass, field
from typing import Annotated, Any, NamedTuple, TypedDict

import msgspec
import pytest

from penstock import Secret
from penstock.queue.arguments.marks import ALL, marks_of


class Card(msgspec.Struct, rename="camel"):
    card_number: Annotated[str, Secret()]
    owner: str


class Row(msgspec.Struct, array_like=True):
    id: int
    pin: Annotated[str, Secret]


class Pair(NamedTuple):
    name: str
    pin: Annotated[str, Secret]


class Told(TypedDict, total=False):
    pin: Annotated[str, Secret]
    name: str


@dataclass
class Node:
    pin: Annotated[str, Secret]
    left: "Node | None" = None
    others: "list[Node]" = field(default_factory=list)


@dataclass
class Open:
    name: str
    next: "Open | None" = None


@pytest.mark.parametrize(("kind", "value", "shown"), [
    (Annotated[str, Secret], "x", "•••"), (Annotated[str | None, Secret], None, "•••"),
    (Annotated[str, Secret] | None, "x", "•••"), (list[Annotated[str, Secret]], ["x", "y"], ["•••", "•••"]),
    (dict[str, Annotated[str, Secret]], {"a": "x"}, {"a": "•••"}),
    (tuple[int, Annotated[str, Secret]], [1, "x"], ["•••", "•••"]),
    (Card, {"cardNumber": "x", "owner": "y"}, {"cardNumber": "•••", "owner": "y"}),
    (Card | str, "y", "y"), (Row, [1, "x"], "•••"), (Pair, ["a", "x"], "•••"),
    (Told, {"pin": "x", "name": "y"}, {"pin": "•••", "name": "y"}),
    (Node, {"pin": "x", "left": {"pin": "y"}, "others": [{"pin": "z", "left": None}]},
     {"pin": "•••", "left": {"pin": "•••"}, "others": [{"pin": "•••", "left": None}]}),
])
def test_what_is_marked_is_hidden(kind: Any, value: Any, shown: Any):
    marks = marks_of({"given": kind, "other": int})
    assert marks is not None
    assert marks.shown({"given": value, "other": 5}) == {"given": shown, "other": 5}


@pytest.mark.parametrize("kind", [str, Any, Open, list[Open], dict[str, Any], Annotated[int, "no mark"]])
def test_what_is_not_marked_has_no_marks(kind: Any):
    assert marks_of({"given": kind}) is None


def test_an_error_is_cleaned_of_what_it_may_quote():
    marks = marks_of({"token": Annotated[str, Secret], "pin": Annotated[int, Secret], "note": str})
    assert marks is not None
    given = msgspec.json.encode({"token": "a\n'b", "pin": 4711, "note": "plain"}).decode()
    assert marks.cleaned("KeyError: \"a\\n'b\", a\n'b, 4711, plain", given) == 'KeyError: "•••", •••, •••, plain'
    assert ALL.cleaned("plain and 4711", given) == "••• and •••"
    assert ALL.cleaned("text", "no JSON") == ALL.cleaned("text", '[{"key":"text"},"x"]') == "text"
