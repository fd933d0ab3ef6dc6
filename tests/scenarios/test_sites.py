"""``validate`` and ``sites``: a site file alone, and every site file of a folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from erfailover.commands import sites as command
from erfailover.commands.context import Context
from erfailover.commands.status import snapshot
from erfailover.commands.status.snapshot import StatusReading
from erfailover.config.loader import read_template
from tests.support.stage import Stage

VALID = read_template()
BROKEN = VALID.replace("spokes:", "spoke:", 1)
ELSEWHERE = VALID.replace("site: poc", "site: elsewhere", 1).replace("rg-we", "rg-none")


@pytest.fixture
def folder(provisioned: Stage) -> Path:
    """A folder with a good site file, a broken one, one of nothing, and a file of another kind."""
    path = provisioned.folder / "sites"
    path.mkdir()
    for name, content in (
        *(("poc.yaml", VALID), ("broken.yaml", BROKEN), ("elsewhere.yml", ELSEWHERE)),
        *(("notes.yaml", "a: 1\n"), ("README.md", "site: none"), (".hidden.yaml", VALID)),
    ):
        (path / name).write_text(content)
    return path


def test_each_site_file_has_a_line_and_the_exit_code_is_the_highest(
    provisioned: Stage, folder: Path
) -> None:
    stage = provisioned
    assert stage.run("sites", str(folder)) == 4
    heading, broken, elsewhere, poc = stage.out.splitlines()
    assert heading.split() == ["SITE", "VERDICT", "BACKUP", "LAST", "RUN"]
    assert broken.startswith("broken.yaml  line ")
    assert "spokes: missing required key" in broken
    assert "rg-none" in elsewhere
    assert "ExpressRoute, healthy" in poc
    assert "ready" in poc
    assert " provision" in poc
    assert "Skipped, because they have no key site: notes.yaml" in stage.err
    assert "2 of 3 sites are not healthy or could not be read: broken.yaml, elsewhere" in stage.err
    rows = {item["file"]: item for item in stage.json("sites", str(folder))}
    assert {name: row["exit_code"] for name, row in rows.items()} == {
        "broken.yaml": 2,
        "elsewhere.yml": 4,
        "poc.yaml": 0,
    }
    assert rows["poc.yaml"]["last_run"]["command"] == "provision"
    for name in ("broken.yaml", "elsewhere.yml"):
        (folder / name).unlink()
    assert stage.run("sites", str(folder)) == 0
    stage.do("drill", "start", "--yes")
    assert stage.run("sites", str(folder)) == 6
    assert "DRILL: ExpressRoute, NOT healthy" in stage.out


def test_a_site_that_fails_in_any_way_holds_up_no_other(
    provisioned: Stage, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(12):
        text = VALID.replace("site: poc", f"site: site{number}", 1)
        (folder / f"site{number}.yaml").write_text(text)
    read, at_once, most = snapshot.read, 0, 0

    def slow(context: Context) -> StatusReading:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        try:
            if context.site.name == "site3":
                provisioned.clock.sleep(5000.0)
            if context.site.name == "site4":
                raise RuntimeError("something\nunexpected")
            return read(context)
        finally:
            at_once -= 1

    monkeypatch.setattr(snapshot, "read", slow)
    provisioned.run("sites", str(folder))
    lines = {line.split()[0]: line for line in provisioned.out.splitlines()}
    assert len(lines) == 16
    assert "a bug in erfailover: RuntimeError: something" in lines["site4"]
    assert all("ExpressRoute, healthy" in lines[f"site{n}"] for n in range(12) if n != 4)
    assert 2 <= most <= command.AT_ONCE


@pytest.mark.parametrize("wrong", ["nowhere", "erfailover.yaml", "empty", "a\udcff"])
def test_a_folder_without_site_files_is_named(stage: Stage, wrong: str) -> None:
    (stage.folder / "empty").mkdir()
    (stage.folder / "erfailover.yaml").write_text(VALID)
    assert stage.run("sites", wrong) == 2
    assert "site file" in stage.err


def test_a_site_file_is_validated_without_azure(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in list(stage.environment):
        monkeypatch.delenv(name)
    (stage.folder / "erfailover.yaml").write_text(VALID)
    out = stage.do("validate")
    assert out.splitlines()[0] == (
        "erfailover.yaml is valid: site poc, 1 spoke, primary hub vnet2, backup hub vnet3, "
        "1 remote prefix, 2 probes, a drill, a topology."
    )
    assert "warning: no subscription: commands use AZURE_SUBSCRIPTION_ID" in out
    assert stage.json("validate")["valid"] is True
    assert not stage.lab.trace

    (stage.folder / "broken.yaml").write_text(BROKEN)
    assert stage.run("validate", "--site", "broken.yaml") == 2
    assert stage.out == ""
    assert "spokes: missing required key, expected a list" in stage.err
    assert stage.run("validate", "--site", "broken.yaml", "-o", "json") == 2
    value = json.loads(stage.out)
    assert value["valid"] is False
    assert [item["key"] for item in value["problems"]] == ["spokes", "spoke"]
    assert stage.run("validate", "--site", "nowhere.yaml") == 2
    assert "site file not found" in stage.err


def test_files_that_a_site_file_names_and_that_are_not_here_are_a_warning(stage: Stage) -> None:
    text = f"{VALID}\ncloud: {{endpoint: 'https://a', authority: 'https://b', ca: nowhere.pem}}\n"
    (stage.folder / "erfailover.yaml").write_text(text)
    out = " ".join(stage.do("validate").split())
    assert "warning: cloud.ca: 'nowhere.pem' not found in " in out
