"""Every command that talks to Azure says first where it works."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import click
import pytest

from erfailover.azure.client import lab_endpoint
from tests.support.commands import every
from tests.support.stage import Stage

NETWORK = "/subscriptions/{id}/resourceGroups/rg-we/providers/Microsoft.Network/virtualNetworks/"
COMMANDS = {
    "status": [""],
    "diagram": ["", "-f site.svg"],
    "doctor": [""],
    "permissions": ["", "--role-definition switch"],
    "history": [""],
    "verify": [""],
    "switch": [
        "--to ipsec --dry-run",
        "--to ipsec --dry-run -o az",
        "--to ipsec",
        "--to ipsec --yes --planned",
        "--to expressroute --dry-run",
    ],
    "prestage": ["--dry-run", "--yes", ""],
    "unprestage": ["--dry-run", "--yes"],
    "drill run": ["--canary vnet1 --yes", "--canary vnet1"],
    "drill show-circuit-test": [""],
    "drill start": ["--yes", ""],
    "drill stop": ["--yes"],
    "pause": ["--reason test"],
    "resume": [""],
    "init": [f"--from-azure --force --primary-hub {NETWORK}vnet2 --backup-hub {NETWORK}vnet3"],
    "provision": ["--dry-run", "--yes"],
    "destroy": ["--dry-run", "", "--yes"],
    "export": ["terraform", "bicep", "terraform --split code"],
}
"""What to type of each command that takes a site; ``{id}`` is the subscription."""


OFFLINE = {"validate"}
"""Commands that take a site and never talk to Azure."""
ELSEWHERE = {"approve", "watch"}
"""Commands that need more than a site: an approval, or a signal that ends them. See the tests of
the watch."""


def takes_a_site(command: click.Command) -> bool:
    return any("--site" in parameter.opts for parameter in command.params)


def test_no_command_that_takes_a_site_is_forgotten() -> None:
    names = {name for name, command in every() if takes_a_site(command)}
    assert names - OFFLINE - ELSEWHERE == set(COMMANDS)


def place(stage: Stage) -> str:
    return "LAB " + stage.environment["ERFAILOVER_ENDPOINT"].removeprefix("https://")


def first_line(stage: Stage) -> str:
    """The first line that a person sees, messages first; of a script after its first comment."""
    lines = (stage.err + stage.out).splitlines()
    return lines[1] if lines[0] == "#!/bin/sh" else lines[0]


@pytest.mark.parametrize(
    ("command", "options"), [(name, text) for name, all_ in COMMANDS.items() for text in all_]
)
def test_the_first_line_names_the_lab(provisioned: Stage, command: str, options: str) -> None:
    stage = provisioned
    words = f"{command} {options}".format(id=stage.lab.identity.subscription).split()
    assert stage.run(*words) in (0, 3), stage.err
    site = "vnet2" if command == "init" else "poc"
    separators = {f"{site}  ·  {place(stage)}", f"# {site}  |  {place(stage)}"}
    assert first_line(stage) in separators
    streams = [name for name in (stage.out, stage.err) if name]
    is_document = command == "export" and "--split" not in words
    is_document |= words[:1] == ["diagram"] or "--role-definition" in words
    if stage.out and not is_document:
        assert all(place(stage) in "".join(stream.splitlines()[:2]) for stream in streams)


def test_a_failure_names_the_lab_too(provisioned: Stage) -> None:
    stage = provisioned
    site = Path("erfailover.yaml")
    site.write_text(site.read_text().replace("vnet3", "vnet-wrong"))
    for words in (("switch", "--to", "ipsec", "--dry-run"), ("export", "terraform")):
        assert stage.run(*words) == 4
        assert stage.err.splitlines()[0] == f"poc  ·  {place(stage)}"


def test_json_is_as_it_was_and_has_nothing_beside_it(provisioned: Stage) -> None:
    assert provisioned.json("status")["site"] == "poc"
    assert provisioned.err == ""


class Terminal(io.StringIO):
    """Somebody who types a line."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("words", "question"),
    [
        ("switch --to ipsec", "Leave a HEALTHY path?"),
        ("prestage", "Prestage poc?"),
        ("drill start", "Cut the primary path"),
        ("destroy", "Delete 3"),
    ],
)
def test_the_line_above_a_question_names_the_lab(
    provisioned: Stage, monkeypatch: pytest.MonkeyPatch, words: str, question: str
) -> None:
    stage = provisioned
    monkeypatch.setattr("sys.stdin", Terminal("n\n"))
    before = stage.writes()
    assert stage.run(*words.split()) == 3
    lines = stage.err.splitlines()
    [requested] = [number for number, line in enumerate(lines) if line.startswith(question)]
    assert lines[requested - 1] == f"poc  ·  {place(stage)}"
    assert stage.writes() == before
    assert "Nothing was changed." in stage.err


@pytest.mark.parametrize(
    ("typed", "code"), [("poc\n", 0), ("y\n", 3), ("yes\n", 3), ("POC\n", 3), ("\n", 3)]
)
def test_destroy_has_the_name_of_the_site_typed(
    provisioned: Stage, monkeypatch: pytest.MonkeyPatch, typed: str, code: int
) -> None:
    stage = provisioned
    monkeypatch.setattr("sys.stdin", Terminal(typed))
    before = len(stage.writes())
    assert stage.run("destroy") == code
    assert "To go ahead, type poc" in stage.err
    assert (len(stage.writes()) > before) is (code == 0)


def test_the_report_and_the_history_say_what_the_run_recorded(provisioned: Stage) -> None:
    stage = provisioned
    stage.do("switch", "--to", "ipsec", "--yes", "--planned", "--report", "run.html")
    line = f"poc  ·  {place(stage)}"
    [run] = stage.json("history")[-1:]
    recorded = run["context"]
    assert recorded["lab"] == place(stage).removeprefix("LAB ")
    assert recorded["subscription"] == stage.lab.identity.subscription
    assert recorded["subscription_from"] == "AZURE_SUBSCRIPTION_ID"
    assert recorded["identity"] == stage.lab.identity.client_id
    assert recorded["tenant"] == stage.lab.identity.tenant
    assert recorded["version"]
    assert line in Path("run.html").read_text("utf-8")
    stage.do("history", "--report", "run.txt")
    assert Path("run.txt").read_text("utf-8").splitlines()[0] == line
    stage.do("history", "--report", "run.json")
    assert json.loads(Path("run.json").read_text("utf-8"))["context"] == recorded
    assert stage.do("history", run["id"]).splitlines()[0] == line


def test_the_picture_says_it_in_its_title_and_at_its_head(provisioned: Stage) -> None:
    stage = provisioned
    text = stage.do("diagram")
    assert f"<title>poc  ·  {place(stage)}: vnet1 is on ExpressRoute" in text
    assert re.search(f"<text [^>]*>poc · {place(stage)}</text>", text)


@pytest.fixture
def as_azure(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the lab for Azure: its address says nothing, and names are asked for."""
    monkeypatch.setattr(lab_endpoint, "get_lab_address", lambda endpoint: "")


def subscription_reads(stage: Stage) -> list[str]:
    return [
        trace_entry.path
        for trace_entry in stage.lab.trace
        if re.fullmatch(r"/subscriptions/[^/]+", trace_entry.path)
    ]


def test_on_azure_it_names_subscription_tenant_cloud_and_identity_for_one_request(
    provisioned: Stage, as_azure: None
) -> None:
    stage = provisioned
    identity = stage.lab.identity
    before = len(subscription_reads(stage))
    text = stage.do("status").splitlines()[0]
    assert f"({identity.subscription})  ·  tenant {identity.tenant}  ·  " in text
    assert not text.startswith(f"poc  ·  subscription {identity.subscription}")
    assert text.endswith(f"  ·  {identity.client_id}")
    assert len(subscription_reads(stage)) == before + 1


def test_names_in_az_s_profile_need_no_request(
    provisioned: Stage, as_azure: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = provisioned
    from erfailover.commands.context import Context
    from erfailover.config.subscription import AzNames

    az_names = AzNames("sub-prod-net", stage.lab.identity.tenant, "contoso.com")
    monkeypatch.setattr(Context, "_names_in_az", az_names)
    text = stage.do("status").splitlines()[0]
    assert f"poc  ·  sub-prod-net ({stage.lab.identity.subscription})" in text
    assert "  ·  tenant contoso.com  ·  " in text
    assert subscription_reads(stage) == []
