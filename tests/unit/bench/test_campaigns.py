"""The arm *before* of case-a: what two trees differ by."""

from typing import Any

from bench.campaigns.before import Changes


def group(bid: int, notes: str = "", **keywords: int) -> dict[str, Any]:
    row = {"name": "all", "bid": bid, "status": "enabled", "notes": notes}
    return {"row": row, "ad": {}, "keyword": {name: {"row": {"text": name, "match_type": "exact", "bid": bid,
                                                             "status": "enabled"}}
                                              for name, bid in keywords.items()}}


def test_what_two_trees_differ_by():
    changes = Changes()
    changes.compare("ad_group", {"g1": group(5, lamp=1, table=2), "g2": group(5, chair=1), "g3": group(5, "old")},
                    {"g1": group(6, lamp=1, table=3, sofa=4), "g3": group(5, "new"), "g4": group(7, bed=1)}, "c1")

    found = {step: [(reference, above, payload and payload["bid"]) for reference, above, payload in each]
             for step, each in changes.steps.items() if each}
    assert found == {
        ("ad_group", "create"): [("g4", "c1", 7)],
        ("ad_group", "update"): [("g1", "c1", 6)],
        ("ad_group", "remove"): [("g2", None, None)],
        ("keyword", "create"): [("sofa", "g1", 4), ("bed", "g4", 1)],
        ("keyword", "update"): [("table", "g1", 3)],
        ("keyword", "remove"): [("chair", None, None)],
    }, "g3 differs in nothing that is sent"
