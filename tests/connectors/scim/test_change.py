"""Updates, disables and deletes."""

from collections.abc import Callable
from typing import Any

import pytest

from penstock.connectors import scim
from penstock.domain.errors import Unavailable
from penstock.domain.records import GONE, Change, ChangeKind, Done, Rejected
from penstock.sync.declaring.ports import Run
from tests.connectors.scim.changes import changed, gone, ids, in_group, new
from tests.servers.scim import FaultyProxy, Seen

Stored = Callable[[str], list[dict[str, Any]]]


@pytest.fixture
def ada(run: Run, way: str, proxy: FaultyProxy) -> Done:
    (outcome,) = scim.Users.create([new("ada", nickName="A")], run)
    assert isinstance(outcome, Done)
    proxy.seen.clear()
    return outcome


def test_an_update_replaces_what_it_names_and_nothing_else(run: Run, ada: Done, way: str, stored: Stored,
                                                          proxy: FaultyProxy) -> None:
    (outcome,) = scim.Users.update([changed(ada.remote_id or "", {"displayName": "Ada L."})], run)
    (user,) = stored("Users")
    assert (user["displayName"], user["nickName"], user["active"]) == ("Ada L.", "A", True)
    assert outcome == Done(ada.remote_id, user["meta"]["version"])
    assert [seen.method for seen in proxy.writes] == ["POST" if way == "bulk" else "PATCH"]


def test_a_known_version_is_sent(run: Run, ada: Done, way: str, proxy: FaultyProxy) -> None:
    ids(scim.Users.update([changed(ada.remote_id or "", {"displayName": "B"}, ada.version)], run))
    (seen,) = proxy.writes
    sent = seen.operations[0]["version"] if way == "bulk" else seen.headers["If-Match"]
    assert sent == ada.version


def test_without_etags_no_version_is_sent(run: Run, proxy: FaultyProxy, singly: None) -> None:
    proxy.offer(etag={"supported": False})
    (ada,) = ids(scim.Users.create([new("ada")], run))
    ids(scim.Users.update([changed(ada, {"displayName": "B"}, 'W/"1"')], run))
    assert "If-Match" not in proxy.writes[-1].headers


def test_a_resource_changed_meanwhile_is_read_and_written_once_more(run: Run, ada: Done, stored: Stored,
                                                                   proxy: FaultyProxy) -> None:
    ids(scim.Users.update([changed(ada.remote_id or "", {"nickName": "by somebody else"})], run))
    proxy.seen.clear()
    (outcome,) = scim.Users.update([changed(ada.remote_id or "", {"displayName": "B"}, ada.version)], run)
    (user,) = stored("Users")
    assert (user["displayName"], user["nickName"]) == ("B", "by somebody else")
    assert outcome == Done(ada.remote_id, user["meta"]["version"])
    assert len(proxy.writes) == 2


def test_a_resource_that_keeps_changing_is_rejected(run: Run, ada: Done, proxy: FaultyProxy, way: str) -> None:
    if way == "bulk":
        def stale(answer: Any) -> Any:
            return {"Operations": [{**each, "status": "412"} for each in answer["Operations"]]}
        proxy.rewrite("POST", "/Bulk", stale)
    else:
        proxy.error(412, method="PATCH", times=None)
    (outcome,) = scim.Users.update([changed(ada.remote_id or "", {"displayName": "B"}, ada.version)], run)
    assert isinstance(outcome, Rejected)
    assert outcome.code == "412"
    assert len(proxy.writes) == 2


def test_a_break_during_the_second_try_leaves_it_in_doubt(run: Run, proxy: FaultyProxy, singly: None) -> None:
    outcomes = scim.Users.create([new("ada"), new("bob")], run)
    ids(scim.Users.update([changed(key, {"nickName": "x"}) for key in ids(outcomes)], run))
    proxy.drop_after(method="PATCH", after=2)
    stale = [changed(done.remote_id or "", {"displayName": "B"}, done.version)
             for done in outcomes if isinstance(done, Done)]
    with pytest.raises(Unavailable) as caught:
        scim.Users.update(stale, run)
    first, second = caught.value.outcomes
    assert first is None
    assert isinstance(second, Rejected), "its second try was never sent, so the 412 stands"


def test_an_update_of_what_is_gone_is_rejected(run: Run, ada: Done) -> None:
    first, second = scim.Users.update(
        [changed("nobody", {"displayName": "B"}), changed(ada.remote_id or "", {"displayName": "B"})], run)
    assert isinstance(first, Rejected)
    assert first.code == GONE
    assert "/Users/nobody is gone" in first.message
    assert isinstance(second, Done)


def test_a_disabled_user_is_kept_and_an_update_enables_again(run: Run, ada: Done, stored: Stored) -> None:
    ids(scim.Users.disable([gone(ada.remote_id or "")], run))
    assert stored("Users")[0]["active"] is False
    ids(scim.Users.update([changed(ada.remote_id or "", {"displayName": "Back"})], run))
    assert stored("Users")[0]["active"] is True


def test_an_update_may_say_itself_who_is_active(run: Run, ada: Done, stored: Stored) -> None:
    ids(scim.Users.update([changed(ada.remote_id or "", {"active": False})], run))
    assert stored("Users")[0]["active"] is False


def test_a_user_who_is_gone_counts_as_disabled(run: Run, way: str) -> None:
    assert scim.Users.disable([gone("nobody")], run) == [Done("nobody")]


def test_groups_are_not_disabled() -> None:
    assert not hasattr(scim.Groups, "disable")


def test_deletes(run: Run, ada: Done, stored: Stored) -> None:
    outcomes = scim.Users.delete([gone(ada.remote_id or ""), gone("nobody")], run)
    assert outcomes == [Done(ada.remote_id), Done("nobody")], "what is gone already counts as done"
    assert stored("Users") == []


def test_a_404_that_no_scim_service_gave_deletes_nothing(run: Run, proxy: FaultyProxy, singly: None) -> None:
    proxy.answer(404, b"<html>nginx: no such page</html>", {"Content-Type": "text/html"}, method="DELETE")
    with pytest.raises(Unavailable, match="expected a SCIM 2.0 service.*no such page") as caught:
        scim.Users.delete([gone("x")], run)
    assert not caught.value.sent


def test_ids_are_quoted_in_paths(run: Run, proxy: FaultyProxy, singly: None) -> None:
    assert scim.Users.delete([gone("a/b?c")], run) == [Done("a/b?c")]
    assert proxy.writes[0].path == "/Users/a%2Fb%3Fc"


def test_a_change_without_a_remote_id_is_never_sent(run: Run, proxy: FaultyProxy) -> None:
    with pytest.raises(ValueError, match="has no remote id"):
        scim.Users.delete([Change(ChangeKind.DELETE, "E1")], run)
    assert proxy.writes == []


@pytest.fixture
def no_patch(proxy: FaultyProxy) -> None:
    proxy.offer(patch={"supported": False})


def test_without_patch_a_put_gives_back_what_it_does_not_change(run: Run, no_patch: None, ada: Done, way: str,
                                                               stored: Stored, proxy: FaultyProxy) -> None:
    outcomes = scim.Users.update([changed("nobody", {"displayName": "X"}),
                                  changed(ada.remote_id or "", {"displayName": "B"}, 'W/"stale"')], run)
    (user,) = stored("Users")
    assert (user["displayName"], user["nickName"]) == ("B", "A")
    assert isinstance(outcomes[0], Rejected)
    assert outcomes[1] == Done(ada.remote_id, user["meta"]["version"])
    (seen,) = proxy.writes
    assert (seen.operations[0]["method"] if way == "bulk" else seen.method) == "PUT"


def test_a_put_keeps_the_members_of_a_group(run: Run, proxy: FaultyProxy, way: str, stored: Stored,
                                            server: Any) -> None:
    (user,) = ids(scim.Users.create([new("ada")], run))
    (group,) = ids(scim.Groups.create([Change(ChangeKind.CREATE, "g", {"displayName": "G"})], run))
    ids(scim.Members.create([in_group(group, user)], run))
    proxy.offer(patch={"supported": False})
    with scim.connect(proxy.url, token=server.token) as fresh:
        ids(scim.Groups.update([changed(group, {"displayName": "H"})], Run(run.subject, client=fresh)))
    (there,) = stored("Groups")
    assert there["displayName"] == "H"
    assert [member["value"] for member in there["members"]] == [user]


def test_a_put_over_somebody_elses_change_is_made_again_from_a_fresh_read(
        run: Run, no_patch: None, ada: Done, way: str, stored: Stored, proxy: FaultyProxy, server: Any) -> None:
    def interfere(seen: Seen) -> None:
        with scim.connect(proxy.upstream, token=server.token) as other:
            ids(scim.Users.update([changed(ada.remote_id or "", {"nickName": "Z"})], Run(run.subject, client=other)))
    proxy.meanwhile(interfere, method="POST" if way == "bulk" else "PUT")
    ids(scim.Users.update([changed(ada.remote_id or "", {"displayName": "B"})], run))
    (user,) = stored("Users")
    assert (user["displayName"], user["nickName"]) == ("B", "Z")
