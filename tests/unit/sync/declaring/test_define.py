"""Declarations are checked when the app is built: every fault at once, each with the nearest name."""

from dataclasses import dataclass
from typing import Any, TypedDict

import msgspec
import pytest
from pydantic import BaseModel

from penstock import Penstock
from penstock.domain.errors import DeclarationError
from penstock.domain.records import Done
from penstock.sync import Layer, Sync
from penstock.sync.declaring.declare import SyncOptions
from penstock.sync.declaring.define import define


@dataclass
class Person:
    id: str
    email: str


class Verbs:
    """A destination that can do everything."""

    def create(self, changes: Any, run: Any) -> list[Done]:
        return []

    update = delete = disable = create


class Base(Layer[Person]):
    key = "id"
    destination = Verbs()

    def source(self, run: Any) -> Any:
        return iter(())


def faults(*layers: type[Layer[Any]], name: str = "people") -> tuple[str, ...]:
    class Declared(Sync[str]):
        pass

    Declared.layers = list(layers)
    with pytest.raises(DeclarationError) as raised:
        define(name, Declared, SyncOptions())
    return raised.value.faults


def test_every_fault_is_told_at_once() -> None:
    class People(Base):
        key, match, scope, on_delete = "idd", "mail", "acount", "disabel"

    assert faults(People, name="People!") == (
        "expected a sync name of 1 to 64 of a-z 0-9 _ . -, got 'People!'",
        "People: key 'idd' is no field of Person; did you mean 'id'?",
        "People: match 'mail' is no field of Person; did you mean 'email'?",
        "People: scope: expected one of subject, account, got 'acount'; did you mean 'account'?",
        "People: on_delete: expected one of delete, disable, keep, got 'disabel'; did you mean 'disable'?",
    )


def test_a_layer_without_verbs_source_or_key() -> None:
    class People(Layer[Person]):
        pass

    assert faults(People) == (
        "People: expected key = the field, or fields, that identify a record for ever; got none",
        "People: expected a source (a generator method, or an object such as SQLSource), got none",
        *(f"People: no verb {verb!r}: write def {verb}(self, changes, run), or give a destination that has it"
          for verb in ("create", "update", "delete")),
    )


def test_a_parent_that_is_no_layer_of_the_sync() -> None:
    class People(Base):
        pass

    class Members(Base):
        parent = People.by("id")

    assert faults(Members) == ("Members: refers to People, which is not among the sync's layers",)


def test_a_circle_of_layers() -> None:
    class One(Base):
        pass

    class Two(Base):
        parent = One.by("id")

    One.references = [Two.by("id")]
    [fault] = faults(One, Two)
    assert fault.startswith("Declared: layers refer to each other in a circle: ")


def test_parents_come_before_children_however_they_are_listed() -> None:
    class People(Base):
        pass

    class Groups(Base):
        pass

    class Members(Base):
        parent, references = Groups.by("id"), [People.by("id")]

    class Declared(Sync[str]):
        layers = [Members, People, Groups]

    ordered = [layer.name for layer in define("people", Declared, SyncOptions()).layers]
    assert ordered[-1] == "Members"
    assert sorted(ordered) == ["Groups", "Members", "People"]


def test_the_verb_of_a_single_change_serves_a_batch() -> None:
    class People(Layer[Person]):
        key = "id"

        def source(self, run: Any) -> Any:
            return iter(())

        def create_one(self, change: Any, run: Any) -> Done:
            return Done(f"r{change}")

        update_one = delete_one = create_one

    class Declared(Sync[str]):
        layers = [People]

    [layer] = define("people", Declared, SyncOptions()).layers
    create = layer.verb("create")
    assert create is not None
    assert create(["a", "b"], None) == [Done("ra"), Done("rb")]
    assert layer.verb("find") is None


class Dictionary(TypedDict):
    id: str
    email: str


class Model(BaseModel):
    id: str
    email: str


class Struct(msgspec.Struct):
    id: str
    email: str


@pytest.mark.parametrize("kind", [Person, Dictionary, Model, Struct])
def test_fields_are_known_of_every_kind_of_record(kind: Any) -> None:
    class People(Base):
        key, match = "idd", "mail"

    People.record_type = classmethod(lambda cls: kind)  # type: ignore[method-assign]
    assert faults(People) == (f"People: key 'idd' is no field of {kind.__name__}; did you mean 'id'?",
                              f"People: match 'mail' is no field of {kind.__name__}; did you mean 'email'?")
    People.key, People.match = "id", "email"

    class Declared(Sync[str]):
        layers = [People]

    [layer] = define("people", Declared, SyncOptions()).layers
    record = kind(id="a", email="b")
    assert (layer.keys([record]), layer.match and layer.match(record)) == (["a"], "b")


def test_fields_of_a_dictionary_are_not_known() -> None:
    class People(Base):
        key, match = "idd", "mail"

    People.record_type = classmethod(lambda cls: dict[str, Any])  # type: ignore[method-assign]

    class Declared(Sync[str]):
        layers = [People]

    [layer] = define("people", Declared, SyncOptions()).layers
    assert layer.keys([{"idd": "a"}]) == ["a"]


@pytest.mark.parametrize("record", [
    Person("a", "b"), {"id": "a", "email": "b"}, msgspec.defstruct("P", ["id", "email"])("a", "b"),
])
def test_keys_are_read_from_any_kind_of_record(record: Any) -> None:
    class People(Base):
        pass

    People.record_type = classmethod(lambda cls: None)  # type: ignore[method-assign, assignment]

    class Declared(Sync[str]):
        layers = [People]

    [layer] = define("people", Declared, SyncOptions()).layers
    assert layer.keys([record, record]) == ["a", "a"]


def test_two_syncs_of_one_name() -> None:
    app = Penstock("sqlite:///unused.db")

    class People(Base):
        pass

    class Declared(Sync[str]):
        layers = [People]

    app.sync("people")(Declared)
    with pytest.raises(DeclarationError, match="declared already"):
        app.sync("people")(Declared)


def test_options_of_a_sync() -> None:
    class People(Base):
        pass

    class Declared(Sync[str]):
        layers = [People]

    with pytest.raises(DeclarationError) as raised:
        Penstock("sqlite:///unused.db").sync("people", max_concurrent=0, per_account=-1)(Declared)
    assert raised.value.faults == ("Declared: max_concurrent: expected at least 1, got 0",
                                   "Declared: per_account: expected at least 1, got -1")


def named(name: str, **options: Any) -> type[Layer[Any]]:
    return type(name, (Base,), options)


def test_former_names_that_cannot_be() -> None:
    assert faults(named("People", was="Users"), named("Users"), named("Members", was=("Guests", "a b")),
                  named("Staff", was="Guests")) == (
        "People: was names Users, which is still among the sync's layers: a layer has one state; take away one of the"
        " two",
        "Members: was: expected the former name of the class, got 'a b'",
        "Staff: was names Guests, and so does Members: one state cannot go to two",
    )


def test_former_keys_that_cannot_be() -> None:
    assert faults(named("People", key_was="mail"), named("Users", key_was=("id",))) == (
        "People: key_was 'mail' is no field of Person; did you mean 'email'?",
        "Users: key_was: expected the fields that the key was before, got those that it is: ('id',)",
    )


@pytest.mark.parametrize(("first", "second", "error"), [
    (("people", ()), ("staff", "people"), "was names 'people', which is still a sync of this app"),
    (("staff", "people"), ("people", ()), "'staff' says that it was called so"),
    (("staff", "people"), ("crew", ("people",)), "was names 'people', and so does 'staff'"),
    (("staff", ()), ("crew", "crew"), "was names 'crew', which is still a sync"),
])
def test_former_names_of_a_sync_that_cannot_be(first: Any, second: Any, error: str) -> None:
    app = Penstock("sqlite:///unused.db")
    app.sync(first[0], was=first[1])(type("One", (Sync,), {"layers": [named("People")]}))
    with pytest.raises(DeclarationError, match=error):
        app.sync(second[0], was=second[1])(type("Two", (Sync,), {"layers": [named("People")]}))


def test_options_that_are_misspelt() -> None:
    assert faults(named("People", on_delte="keep", prune_unmanagd=True, batchsize=3)) == (
        "People: on_delte is no option of a layer; did you mean 'on_delete'?",
        "People: prune_unmanagd is no option of a layer; did you mean 'prune_unmanaged'?",
        "People: batchsize is no option of a layer; did you mean 'batch_size'?",
    )


def test_what_people_add_to_a_layer_is_their_own() -> None:
    mine = {"kind": "ad", "mutate": lambda self, changes, run: [], "keys": ("id",), "destinations": [],
            "reference": "R", "sources": 1, "modes": 2, "page_size": 5, "on_error": "skip", "_on_delte": 1}

    class Declared(Sync[str]):
        layers = [named("People", **mine)]

    assert [layer.name for layer in define("people", Declared, SyncOptions()).layers] == ["People"]


@pytest.mark.parametrize(("mode", "on_delete", "verbs"), [
    ("mirror", "disable", ["create", "update", "disable"]), ("mirror", "keep", ["create", "update"]),
    ("upsert", "delete", ["create", "update"]), ("create_only", "delete", ["create"]),
    ("update_only", "delete", ["update", "find"]),
])
def test_each_mode_needs_its_verbs(mode: str, on_delete: str, verbs: list[str]) -> None:
    assert faults(named("People", destination=None, mode=mode, on_delete=on_delete)) == tuple(
        f"People: no verb {verb!r}: write def {verb}(self, changes, run), or give a destination that has it"
        for verb in verbs)


class Unloaded:
    pass


class Odd:
    max_age = 60

    def load(self) -> None: ...


@pytest.mark.parametrize(("snapshot", "fault"), [
    (Unloaded, "Declared: snapshot: expected a class with a method load"),
    (Odd, "Declared: snapshot: max_age: expected a timedelta of more than 0, or None, got 60"),
])
def test_a_snapshot_that_cannot_be(snapshot: type, fault: str) -> None:
    declared = type("Declared", (Sync,), {"layers": [named("People")], "snapshot": snapshot})
    with pytest.raises(DeclarationError, match=fault):
        define("people", declared, SyncOptions())


def test_a_window_is_no_number() -> None:
    declared = type("Declared", (Sync,), {"layers": [named("People")]})
    with pytest.raises(DeclarationError, match=r"Declared: window: expected a Window\(total=…, headroom=…\), got 500"):
        define("people", declared, SyncOptions(window=500))  # type: ignore[arg-type]


def test_a_lag_is_a_time() -> None:
    assert faults(named("People", consistency_lag=5)) == (
        "People: consistency_lag: expected a timedelta of 0 or more, got 5",)
