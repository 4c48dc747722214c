"""An ads API as a real HTTP server on the loopback interface: campaigns, ad groups, and their ads and keywords.

    with ads_server() as ads:                        # a thread; ads_server(apart=True): a process of its own
        ads.quota(15_000, seconds=86_400, token="*")            # each developer token's, counted per operation
        ads.fault("drop_after", nth=3)                          # the third call is carried out, and not answered
        ...                                                     # requests to ads.url()
        assert [record.reference for record in ads.records("campaign")] == ["c1", "c2"]
        assert [call.operations for call in ads.calls("operations")] == [2]

All state is in memory and ends with the server. What it understands, below `/v1/customers/CUSTOMER/`:

- `POST operations` with `{"kind", "operations", "partialFailure"}`, an operation being `{VERB: fields, "id", "parent",
  "reference"}` with `create`, `update` or `remove` for a verb (`kind` may stand in each instead), gives
  `{"results": [{"operation": its place, "ok", "id", "code", "message"}]}`;
- `POST KIND/search` with `{"references": […]}` or `{"ids": […]}` gives `{"records": [{"id", "parent", "reference",
  "fields"}]}`;
- `GET KIND?after=ID&count=N` gives `{"records": […], "next": an ID, or null at the end}`.

Every request names a `developer-token`. A refusal of a whole request is `{"error": {"code", "message"}}`.
"""

from tests.servers.ads.log import Call, Operated
from tests.servers.ads.records import KINDS, Record
from tests.servers.ads.server import Ads, ads_server

__all__ = ["KINDS", "Ads", "Call", "Operated", "Record", "ads_server"]
