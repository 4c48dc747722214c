"""The random histories of `bench deletes`: the engine deletes nothing wrongly, and an engine that does is caught."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.histories import History, small_groups
from bench.truth import Group, World
from penstock.sync.declaring.guard import Guard
from penstock.sync.deleting.claims import Claims
from penstock.sync.planning import difference


@pytest.fixture
def paths(tmp_path: Path) -> Iterator[str]:
    """URLs of new files, one after the other."""
    return (f"sqlite:///{tmp_path}/store{number}.db" for number in range(1000))


def played(paths: Iterator[str], seeds: range) -> list[World]:
    return [History(next(paths), seed).play() for seed in seeds]


@pytest.mark.parametrize("seeds", [range(1000, 1004), pytest.param(range(1004, 1010), marks=pytest.mark.thorough)])
def test_nothing_is_deleted_wrongly_and_all_that_should_go_goes(paths: Iterator[str], seeds: range) -> None:
    worlds = played(paths, seeds)
    assert [wrong for world in worlds for wrong in world.wrong] == []
    assert [world.left_over() for world in worlds] == [0] * len(seeds)
    assert sum(world.deletes for world in worlds) > 10 * len(seeds)


def test_a_history_plays_on_every_store(store_url: str) -> None:
    world = History(store_url, 7).play()
    assert (world.wrong, world.left_over()) == ([], 0)


def world_of(people: int) -> World:
    """Two groups of one account, whose members are all at the destination."""
    world = World({name: Group("a", {f"a-{number}" for number in range(people)}) for name in ("a-g0", "a-g1")})
    for name, group in world.groups.items():
        for person in group.people:
            world.add(("Members", f"{name}/{person}"))
    return world


def test_two_runs_that_are_served_at_one_time_are_judged_one_by_one() -> None:
    """Each may go as far as a run may."""
    world = world_of(40)
    world.done = [(0, "a", name, "Members") for name in ("a-g0", "a-g1") for _ in range(7)]
    world.judge_numbers()
    assert world.wrong == []
    world.done += [(0, "a", "a-g0", "Members")] * 4
    world.judge_numbers()
    assert world.wrong == ["Members: 11 deletes of this run, of 51 rows"]


def test_who_has_no_claim_may_go_once_every_group_was_read_since() -> None:
    world = world_of(3)
    for now, name, person in ((1, "a-g0", True), (2, "a-g1", False), (3, "a-g0", False), (4, "a-g1", False)):
        world.now = now
        world.groups[name].people = {"a-0", *(["a-1"] if person else [])}
        world.read(name, sorted(world.groups[name].people), whole=True)
        assert world._may_go("a-1", "a") == (now == 4)


def test_small_groups_are_stopped_by_what_a_day_comes_to(paths: Iterator[str]) -> None:
    world = small_groups(next(paths), 30)
    assert world.wrong == []
    assert 0 < world.deletes <= 2 * 30 * 10 // 5


@pytest.mark.thorough
def test_an_engine_without_a_guard_is_caught(paths: Iterator[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Guard, "trips", lambda guard, deletes, live: False)
    wrong = [wrong for world in played(paths, range(3)) for wrong in world.wrong]
    assert [each for each in wrong if "deletes of this" in each]
    assert small_groups(next(paths), 30).wrong


@pytest.mark.thorough
def test_an_engine_that_believes_a_source_that_is_cut_off_is_caught(
        paths: Iterator[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Guard, "trips", lambda guard, deletes, live: False)
    wrong = [wrong for world in played(paths, range(6)) for wrong in world.wrong]
    assert [each for each in wrong if "the source was cut off" in each]


@pytest.mark.thorough
def test_an_engine_that_does_not_wait_for_the_other_groups_is_caught(
        paths: Iterator[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Claims, "_all_read_since", lambda claims, subjects: 2**62)
    wrong = [wrong for world in played(paths, range(8)) for wrong in world.wrong]
    assert [each for each in wrong if "a group of the account has it, or was not read since" in each]


@pytest.mark.thorough
def test_an_engine_that_takes_any_read_for_a_whole_one_is_caught(
        paths: Iterator[str], monkeypatch: pytest.MonkeyPatch) -> None:
    read = difference._read_pages
    monkeypatch.setattr(difference, "_read_pages", lambda *given: read(*given) or True)
    wrong = [wrong for world in played(paths, range(8)) for wrong in world.wrong]
    assert [each for each in wrong if "the source was no proof" in each]
