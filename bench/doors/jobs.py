"""The designs that case study K began with: one group for each job, and a window that fetches once."""

import time
from typing import Any

import httpx2

from bench.doors.directory import PAGE, Directory
from bench.doors.office import Office
from bench.doors.times import Times

_CORE = "urn:ietf:params:scim:schemas:core:2.0:"
_PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
Users = dict[str, dict[str, Any]]


class Service:
    """A plain client of the directory: waits as it is told to where it is told that these are too many calls."""

    def __init__(self, directory: Directory) -> None:
        self._http = httpx2.Client(base_url=directory.url, timeout=60, trust_env=False,
                                   headers={"Authorization": f"Bearer {directory.token}"})

    def close(self) -> None:
        self._http.close()

    def call(self, method: str, path: str, **options: Any) -> Any:
        while (answer := self._http.request(method, path, **options)).status_code == 429:
            time.sleep(float(answer.headers["Retry-After"]))
        answer.raise_for_status()
        return answer.json() if answer.content else {}

    def users(self) -> Users:
        """All that the directory holds, by e-mail address."""
        found: Users = {}
        while True:
            page = self.call("GET", "/Users", params={"startIndex": len(found) + 1, "count": PAGE})
            found.update({user["userName"]: user for user in page["Resources"]})
            if len(found) >= page["totalResults"]:
                return found

    def group(self, title: str) -> dict[str, Any] | None:
        page = self.call("GET", "/Groups", params={"filter": f'displayName eq "{title}"'})
        return next(iter(page.get("Resources", ())), None)


def serve(service: Service, office: Office, title: str, users: Users) -> None:
    """Bring one group up to date, by what the directory held when it was fetched."""
    wanted = []
    for person in office.people(title):
        user = users.get(person.email)
        if user is None:
            user = users[person.email] = service.call("POST", "/Users", json={
                "schemas": [f"{_CORE}User"], "userName": person.email, "displayName": person.name})
        elif user["displayName"] != person.name:
            users[person.email] = service.call("PATCH", f"/Users/{user['id']}", json=_replace(
                "displayName", person.name)) or {**user, "displayName": person.name}
        wanted.append(user["id"])
    group = service.group(title)
    if group is None:
        group = service.call("POST", "/Groups", json={"schemas": [f"{_CORE}Group"], "displayName": title})
    if sorted(wanted) != sorted(member["value"] for member in group.get("members", ())):
        service.call("PATCH", f"/Groups/{group['id']}", json=_replace("members", [{"value": id} for id in wanted]))


def _replace(path: str, value: Any) -> dict[str, Any]:
    return {"schemas": [_PATCH], "Operations": [{"op": "replace", "path": path, "value": value}]}


def one_by_one(directory: Directory, office: Office, times: Times) -> int:
    """*Before*: a job for each group, one after the other, which fetches all users first. How many windows it took."""
    for title in office.groups:
        _window(directory, office, [title], times)
    return len(office.groups)


def by_windows(directory: Directory, office: Office, times: Times) -> int:
    """*Case study*: fetch once for each window, and begin another group while there is headroom."""
    left, windows = list(office.groups), 0
    while left:
        windows += 1
        left = left[_window(directory, office, left, times):]
    return windows


def _window(directory: Directory, office: Office, titles: list[str], times: Times) -> int:
    """Serve as many of the groups as fit; how many. At least one does, or none ever would."""
    began, served = time.monotonic(), 0
    service = Service(directory)
    try:
        users = service.users()
        for title in titles:
            if served and time.monotonic() - began > times.total - times.headroom:
                break
            serve(service, office, title, users)
            served += 1
    finally:
        service.close()
    directory.counted["over_limit"] += time.monotonic() - began > times.limit
    return served
