"""What is posted can be told from what somebody else posts."""

import json

from penstock.alerts.webhook import body_of, signed, verified
from penstock.domain.alerts import Alert

ALERT = Alert(7, "failing", "sync people", "firing", 1, 2, "it fails", {"sync": "people"})
BODY = body_of(ALERT)


def test_the_body_says_all_of_it_and_a_line_for_chat_programs() -> None:
    assert json.loads(BODY) == {"id": 7, "kind": "failing", "about": "sync people", "state": "firing", "since_at": 1,
                                "changed_at": 2, "summary": "it fails", "details": {"sync": "people"},
                                "text": "[firing] it fails"}


def test_a_signature_holds_for_its_body_secret_and_time() -> None:
    header = signed("secret", BODY, at=1000)
    assert verified("secret", BODY, header, at=1299)
    assert not verified("secret", BODY, header, at=1301)
    assert not verified("secret", BODY, header, at=699)
    assert not verified("other", BODY, header, at=1000)
    assert not verified("secret", BODY + b" ", header, at=1000)
    assert not verified("secret", BODY, header.replace("t=1000", "t=1001"), at=1000)


def test_what_is_no_signature_is_refused() -> None:
    for header in (None, "", "t=1000", "v1=ab", "t=x,v1=ab", "t=1000,v1=é", "t=²,v1=ab"):
        assert not verified("secret", BODY, header, at=1000)


def test_the_signature_is_an_ordinary_hmac() -> None:
    import hashlib
    import hmac
    assert signed("secret", b"body", at=5) == f"t=5,v1={hmac.new(b'secret', b'5.body', hashlib.sha256).hexdigest()}"
