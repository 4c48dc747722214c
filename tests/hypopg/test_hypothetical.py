"""Hypothetical indexes: what the planner would do with an index that nobody built."""

import psycopg
import pytest

from penstock.advise.asking.database import Limits
from penstock.advise.asking.options import Options
from penstock.advise.session import advise
from penstock.advise.trial.contract import CannotTry
from penstock.advise.trial.hypothetical import Hypothetical
from tests.advise.databases import COUNT, batches, everything, indexes, seen
from tests.databases import database


def test_case_study_q_is_likely_without_building_anything(hypopg_url: str):
    before = everything(hypopg_url)
    (found,) = advise([batches()], hypopg_url)
    assert found.first is not None
    assert found.first.candidate is not None
    assert [key.column for key in found.first.candidate.keys] == ["client_id", "status", "id"]
    assert (found.first.confidence, found.first.by) == ("likely", "hypopg")
    assert "the trap is gone" in found.first.reason
    assert found.first.size
    assert found.first.after is not None
    assert found.first.after.root.children[0].filter is None
    assert everything(hypopg_url) == before


def test_the_extension_is_never_installed_in_the_explained_database(trap_url: str):
    with pytest.raises(CannotTry, match="CREATE EXTENSION hypopg"), Hypothetical(trap_url, Limits(role=None)):
        pass


def test_in_the_copy_it_is_installed_for_the_length_of_a_trial(trap_url: str):
    before = everything(trap_url)
    (found,) = advise([batches()], trap_url, copy=trap_url, options=Options(scratch=False))
    assert found.first is not None
    assert found.first.confidence == "confirmed"
    assert everything(trap_url) == before
    with psycopg.connect(trap_url) as connection:
        assert connection.execute("select count(*) from pg_extension where extname = 'hypopg'").fetchone() == (0,)


def test_a_role_that_only_reads_can_try(hypopg_url: str):
    with psycopg.connect(hypopg_url, autocommit=True) as connection:
        connection.execute("create role advise; grant usage on schema public, extensions to advise;"
                           " grant select on records to advise")
    try:
        (found,) = advise([batches()], hypopg_url)
        assert found.first is not None
        assert found.first.by == "hypopg"
        assert not any("there is no role" in note for note in found.notes)
    finally:
        with psycopg.connect(hypopg_url, autocommit=True) as connection:
            connection.execute("drop owned by advise; drop role advise")


def test_a_scratch_schema_on_an_older_server_makes_do_with_the_sample(hypopg_url: str, server: str):
    """It restores no statistics; the sample's own have to do, and they do for a table that fits the budget."""
    before = everything(hypopg_url)
    with database(server, None) as own:
        (found,) = advise([batches()], hypopg_url, own=own, options=Options(hypothetical=False))
    assert found.first is not None
    assert found.first.by == "scratch"
    assert everything(hypopg_url) == before


def test_siblings_are_asked_about_as_well(hypopg_url: str):
    found, sibling = advise([batches(), seen(COUNT, (6,), fingerprint="f2")], hypopg_url)
    assert found.first is not None
    assert found.first.harmed == ()
    assert sibling.first is None
    assert "records_client_status" in indexes(hypopg_url)
