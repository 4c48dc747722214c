"""The connector kit: whether a source and a destination hold what the engine needs of them, whatever goes wrong.

    case      ConnectorCase: what an author tells of a connector
    checks    what is checked, by name
    suite     the same as a class of tests
    proxy     FaultyProxy, where the connector talks HTTP
    processes processes that are really killed
    faults    the faults, and the boundaries at which they strike
    world     one fresh source, destination and store, and the real engine between them
    reading, sending, mortal    the places of those boundaries: the source, the destination, the store
    verdict   source and destination held against each other
"""

from penstock.testing.connectors.case import ConnectorCase, Held, Records
from penstock.testing.connectors.checks import CHECKS, connector_checks, seeded_faults
from penstock.testing.connectors.proxy import FaultyProxy
from penstock.testing.connectors.suite import ConnectorChecks
from penstock.testing.connectors.verdict import ConnectorFault

__all__ = [
    "CHECKS",
    "ConnectorCase",
    "ConnectorChecks",
    "ConnectorFault",
    "FaultyProxy",
    "Held",
    "Records",
    "connector_checks",
    "seeded_faults",
]
