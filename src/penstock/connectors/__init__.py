"""Real sources and destinations: where the records of a layer come from, and where they go.

    SQLSource   a source: any query of SQLite or PostgreSQL
    scim        destinations of a SCIM 2.0 server: users, groups, memberships
    Console     a destination that prints, for trying a sync without credentials
"""

from penstock.connectors import scim
from penstock.connectors.console import Console
from penstock.connectors.sql import SQLSource

__all__ = ["Console", "SQLSource", "scim"]
