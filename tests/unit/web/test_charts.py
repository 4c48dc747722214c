"""Charts are shapes with a text beside them; nothing that is said in one becomes markup."""

from xml.etree import ElementTree

from penstock.web.charts import Column, Part, bar, columns, spark

EVIL = '"><script>alert(1)</script>'


def test_every_chart_is_whole_and_says_what_it_shows():
    for chart in (spark([1, None, 3, 2], EVIL), spark([], EVIL), spark([7], EVIL), spark([0, 0], EVIL),
                  bar([Part(3, "good", EVIL), Part(0, "bad", "")], EVIL, total=7), bar([], EVIL),
                  columns([Column(EVIL, (Part(1, "good", ""), Part(2, "bad", ""))), Column("", ())], EVIL),
                  columns([], EVIL)):
        svg = ElementTree.fromstring(str(chart))
        assert svg.get("aria-label") == EVIL
        assert "script" not in {each.tag for each in svg.iter()}


def test_a_bar_shares_its_width():
    svg = ElementTree.fromstring(str(bar([Part(1, "good", "one"), Part(3, "bad", "three")], "bar", total=8)))
    assert [(each.get("x"), each.get("width")) for each in svg.iter("rect")] == [("0.00", "12.50"), ("12.50", "37.50")]


def test_columns_stand_on_one_another_up_to_the_highest():
    parts = (Part(1, "good", ""), Part(3, "bad", ""))
    svg = ElementTree.fromstring(str(columns([Column("a", parts)], "c", height=100)))
    shown = [each for each in svg.iter("rect") if each.get("class") != "f-none"]
    assert [(each.get("y"), each.get("height")) for each in shown] == [("75.0", "25.0"), ("0.0", "75.0")]
