"""The policy: a pure decision with a reason for each head."""

from penstock.admission.policy import Head, Room, decide


def head(id: int, *, sync: str = "s", account: str = "a", priority: int = 0, at: int = 0) -> Head:
    return Head(id, sync, f"p{id}", account, priority, at)


def admitted(*heads: Head, running: dict[tuple[str, str], int] | None = None, **rooms: Room) -> list[int]:
    return [each.head.run_id for each in decide(heads, running or {}, rooms) if each.admit]


def test_the_most_urgent_then_the_longest_waiting_then_the_oldest():
    heads = [head(1, account="a", at=5), head(2, account="b", priority=1, at=9), head(3, account="c", at=1),
             head(4, account="d", at=1)]
    assert admitted(*heads, s=Room(9, 1)) == [2, 3, 4, 1]
    assert admitted(*heads, s=Room(2, 1)) == [2, 3]


def test_room_of_the_sync_counts_what_runs():
    assert admitted(head(1), running={("s", "b"): 2}, s=Room(2, 1)) == []
    assert admitted(head(1), running={("s", "b"): 1, ("t", "b"): 5}, s=Room(2, 1)) == [1]


def test_room_of_the_account_counts_what_runs_and_what_is_admitted_now():
    assert admitted(head(1), running={("s", "a"): 1}, s=Room(9, 1)) == []
    assert admitted(head(1), head(2), s=Room(9, 1)) == [1]
    assert admitted(head(1), head(2), head(3), s=Room(9, 2)) == [1, 2]


def test_one_sync_takes_no_room_of_another():
    assert admitted(head(1), head(2, sync="t"), s=Room(1, 1), t=Room(1, 1)) == [1, 2]


def test_each_that_is_held_says_why():
    heads = [head(1), head(2), head(3, account="b"), head(4, sync="gone")]
    decisions = decide(heads, {("s", "c"): 1}, {"s": Room(2, 1)})
    assert {each.head.run_id: each.reason for each in decisions} == {
        1: "there is room", 2: "2 runs of s are under way", 3: "2 runs of s are under way",
        4: "no worker declares the sync 'gone'"}
    (_, held) = decide([head(1), head(2)], {}, {"s": Room(9, 1)})
    assert held.reason == "account a has 1 under way"
