"""The checks as a class of tests, for pytest or anything else that calls methods named test_….

    class TestMyConnector(ConnectorChecks):
        @pytest.fixture
        def connector_case(self, tmp_path):
            return MyCase(tmp_path)
"""

from penstock.testing.connectors import checks
from penstock.testing.connectors.case import ConnectorCase


class ConnectorChecks:
    """A test for each check. A subclass, called Test…, has a fixture `connector_case` that gives the case."""

    def test_first_sync(self, connector_case: ConnectorCase) -> None:
        checks.first_sync(connector_case)

    def test_unchanged_run(self, connector_case: ConnectorCase) -> None:
        checks.unchanged_run(connector_case)

    def test_changes(self, connector_case: ConnectorCase) -> None:
        checks.changes(connector_case)

    def test_any_page_size(self, connector_case: ConnectorCase) -> None:
        checks.any_page_size(connector_case)

    def test_look_up(self, connector_case: ConnectorCase) -> None:
        checks.look_up(connector_case)

    def test_killed(self, connector_case: ConnectorCase) -> None:
        checks.killed(connector_case)

    def test_killed_for_real(self, connector_case: ConnectorCase) -> None:
        checks.killed_for_real(connector_case)

    def test_answers_lost(self, connector_case: ConnectorCase) -> None:
        checks.answers_lost(connector_case)

    def test_answers_torn(self, connector_case: ConnectorCase) -> None:
        checks.answers_torn(connector_case)

    def test_requests_lost(self, connector_case: ConnectorCase) -> None:
        checks.requests_lost(connector_case)

    def test_throttled(self, connector_case: ConnectorCase) -> None:
        checks.throttled(connector_case)

    def test_source_failing(self, connector_case: ConnectorCase) -> None:
        checks.source_failing(connector_case)

    def test_page_twice(self, connector_case: ConnectorCase) -> None:
        checks.page_twice(connector_case)

    def test_page_cut_short(self, connector_case: ConnectorCase) -> None:
        checks.page_cut_short(connector_case)

    def test_seeded_faults(self, connector_case: ConnectorCase) -> None:
        checks.seeded_faults(connector_case)
