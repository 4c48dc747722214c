"""SCIM 2.0 (RFC 7643, RFC 7644): the destinations `scim.Users`, `scim.Groups` and `scim.Members`, and the sources
`scim.Source` and `scim.MembersOf`.

    class People(Layer[Person]):
        destination = scim.Users                 # match: userName
        def render(self, person, run):
            return {"externalId": person.employee_id, "userName": person.email}

    class Groups(Layer[Group]):
        destination = scim.Groups                # match: displayName

    class Members(Layer[Member]):                # no render
        parent, references = Groups.by("group_id"), [People.by("employee_id")]
        destination = scim.Members

    class Directory(Sync):
        def connect(self, account):
            return scim.connect("https://example.com/scim/v2", token=os.environ["SCIM_TOKEN"])
"""

from penstock.connectors.scim.client import Client, connect
from penstock.connectors.scim.members import Members
from penstock.connectors.scim.resources import Groups, Users
from penstock.connectors.scim.source import MembersOf, Source

__all__ = ["Client", "Groups", "Members", "MembersOf", "Source", "Users", "connect"]
