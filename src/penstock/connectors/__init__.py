"""Real sources and destinations: where the records of a layer come from, and where they go.

    SQLSource   a source: any query of SQLite or PostgreSQL
    SQLDestination   a destination: a table of SQLite or PostgreSQL
    CSVSource, JSONLinesSource   sources: files, which prove that they are whole (Manifest, Trailer)
    scim        SCIM 2.0: users, groups and memberships of a service, as destinations and as sources
    http        a client for authors of connectors: pool, credentials, pages, faults told apart
    Console     a destination that prints, for trying a sync without credentials
"""

from penstock.connectors import http, scim
from penstock.connectors.console import Console
from penstock.connectors.files import CSVSource, JSONLinesSource, Manifest, Trailer
from penstock.connectors.sql import SQLDestination, SQLSource

__all__ = [
    "CSVSource",
    "Console",
    "JSONLinesSource",
    "Manifest",
    "SQLDestination",
    "SQLSource",
    "Trailer",
    "http",
    "scim",
]
