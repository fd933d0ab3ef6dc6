"""Which line of a site file names something."""

from __future__ import annotations

from pathlib import Path

import pytest

from erfailover.config.naming_line import find_naming_line

TEXT = """\
# rg-we and vnet1 in a comment
resource_group: rg-we   # not rg-x
a: vnet10
b: my-vnet1
c: {virtual_network: vnet1}
d: /subscriptions/0F6E/resourceGroups/rg-x/providers/y/vnet1
e: 'vnet2.old'
"""


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("rg-we", 2),
        ("RG-WE", 2),
        ("rg-x", 6),
        ("vnet1", 5),
        ("0f6e", 6),
        ("/subscriptions/0f6e/resourceGroups/rg-x", 6),
        ("vnet2", None),
        ("vnet", None),
        ("", None),
    ],
)
def test_a_name_is_found_as_a_whole_and_not_in_a_comment(
    tmp_path: Path, name: str, line: int | None
) -> None:
    file = tmp_path / "site.yaml"
    file.write_text(TEXT)
    assert find_naming_line(file, name) == line


def test_a_file_that_cannot_be_read_names_nothing(tmp_path: Path) -> None:
    assert find_naming_line(tmp_path / "none.yaml", "vnet1") is None
    (tmp_path / "odd.yaml").write_bytes(b"\xff\xfe vnet1")
    assert find_naming_line(tmp_path / "odd.yaml", "vnet1") is None
