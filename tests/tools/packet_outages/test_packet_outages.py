"""Outages by packets: the table and the picture of measurements, and that the page has them."""

from __future__ import annotations

from xml.etree import ElementTree

from tests.tools.docs.shell import ROOT
from tests.tools.packet_outages import chart
from tests.tools.packet_outages.rows import CASES, Case, Row
from tests.tools.packet_outages.table import BEGIN, END, FILE, PICTURE, format_table, insert

COLD, UNPLANNED = Case(prestaged=False, planned=True), Case(prestaged=True, planned=False)


def row(case: Case, seed: int, packets_s: float, model_s: float) -> Row:
    return Row(case, seed, packets_s, int(packets_s * 5), model_s, 12.0)


ROWS = [row(COLD, 2, 11.0, 10.0), row(COLD, 1, 9.5, 10.0), row(UNPLANNED, 1, 40.0, 40.04)]


def test_a_row_has_median_and_longest_and_how_far_the_model_is_off() -> None:
    lines = format_table(ROWS).splitlines()[2:]
    assert lines == [
        "| planned, cold | 2 | 10.2 s, at most 11.0 s | 10.0 s, at most 10.0 s "
        "| 12.0 s, at most 12.0 s | -0.5 to +1.0 s |",
        "| unplanned, prestaged | 1 | 40.0 s, at most 40.0 s | 40.0 s, at most 40.0 s "
        "| 12.0 s, at most 12.0 s | 0.0 to 0.0 s |",
    ]


def test_the_picture_has_a_bar_and_three_dots_for_each_switch() -> None:
    picture = ElementTree.fromstring(chart.draw(ROWS))
    tags = [element.tag.rpartition("}")[2] for element in picture.iter()]
    legend = len(chart.LEGEND)
    assert tags.count("circle") == legend + 3 * len(ROWS)
    titles = [text for text in picture.itertext() if text.startswith("seed")]
    assert titles[0].startswith("seed 1: by packets 9.5 s (47 lost), on the model 10.0 s")
    widths = [
        float(element.get("width", "0"))
        for element in picture.iter()
        if element.tag.endswith("rect") and element.get("fill") == "#cfe3f5"
    ]
    assert widths[2] > 3 * widths[0] > 0


def test_the_table_is_put_between_the_marks_of_the_page() -> None:
    page = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    assert insert(page, "| new |\n") == f"before\n{BEGIN}\n\n| new |\n\n{END}\nafter\n"


def test_the_page_has_every_case_and_the_picture() -> None:
    page = (ROOT / FILE).read_text(encoding="utf-8")
    written = page.split(BEGIN)[1].split(END)[0]
    for case in CASES:
        assert f"| {case} |" in written
    assert f"({PICTURE.removeprefix('docs/')})" in page
    ElementTree.parse(ROOT / PICTURE)
