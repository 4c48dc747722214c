"""Routes: what looks like an identifier is one of many, what looks like a word stays."""

import pytest

from penstock.domain.routes import route


@pytest.mark.parametrize(("path", "told"), [
    ("/people", "/people"),
    ("/people/17", "/people/*"),
    ("/v2/groups/17/members/4f1c22", "/v2/groups/*/members/*"),
    ("/scim/v2/Users/0b8a1f0e-6c2f-4a52-9f5e-0c9d0a5f8d11", "/scim/v2/Users/*"),
    ("/objects/DEADBEEF-cafe", "/objects/*"),
    ("/files/aGVsbG8td29ybGQtdGhpcy1pcy1hLXZlcnktbG9uZy1vbmU", "/files/*"),
    ("/users/ada@example.com", "/users/*"),
    ("/users/ada%40example.com/photo", "/users/*/photo"),
    ("/items/a,b,c", "/items/*"),
    ("/oauth2/v1.1/token", "/oauth2/v1.1/token"),
    ("/compute/v1beta1/projects", "/compute/v1beta1/projects"),
    ("/directory/decade/facade", "/directory/decade/facade"),
    ("/v17/customers/17/googleAds:searchStream", "/v17/customers/*/googleAds:searchStream"),
    ("/projects/17:cancel", "/projects/*:cancel"),
    ("/times/12:30", "/times/*"),
    ("/people?page=3&id=17#top", "/people"),
    ("/people/", "/people/"),
    ("", "/"),
    ("/", "/"),
    ("/ÄÖÜ/straße", "/ÄÖÜ/straße"),
    ("/" + "a/" * 50, "/" + "a/" * 19 + "…"),
])
def test_a_path_becomes_a_route(path: str, told: str) -> None:
    assert route(path) == told
