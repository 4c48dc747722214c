"""Sources that are files: CSV and JSON Lines, plain or compressed with gzip.

The invariant of this package: a read that ends with `Complete` has given every record of a file that was whole, and
that nobody changed or replaced meanwhile. Whatever casts doubt on that (a row that cannot be read, a last line without
its ending, a count that differs, a file without any row) takes the proof away, so that nothing is deleted for it.

    source     what both have in common: declaring, pages, the proof
    csvfile    CSVSource
    jsonlines  JSONLinesSource
    counts     Manifest and Trailer: how many rows the writer of the file says that there are
    location   paths with :subject and :account in them
    lines      the file itself: opened, unpacked, cut into lines, and held against what it was
"""

from penstock.connectors.files.counts import Manifest, Trailer
from penstock.connectors.files.csvfile import CSVSource
from penstock.connectors.files.jsonlines import JSONLinesSource

__all__ = ["CSVSource", "JSONLinesSource", "Manifest", "Trailer"]
