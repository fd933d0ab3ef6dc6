"""For the record: ticket and reason from the command line to journal, history, report and Azure."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from erfailover.azure.client.bounded_transport import BoundedTransport
from tests.support.pages import check_page
from tests.support.schemas import hold
from tests.support.stage import Stage

GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
REASON = "Carrier outage; see <b>bridge</b>"


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Every request that leaves the process."""
    requests: list[Any] = []
    send = BoundedTransport.send

    def record_request(self: BoundedTransport, request: Any, **kwargs: Any) -> Any:
        requests.append(request)
        return send(self, request, **kwargs)

    monkeypatch.setattr(BoundedTransport, "send", record_request)
    return requests


def test_a_ticket_goes_from_the_command_line_to_journal_history_report_and_azure(
    provisioned: Stage, sent: list[Any]
) -> None:
    stage = provisioned
    items = ("--ticket", "INC-2231", "--reason", REASON, "--report", "night.html")
    out = stage.do("switch", "--to", "ipsec", "--yes", "--planned", *items)
    assert "Ticket INC-2231" in out
    assert f"Reason: {REASON}" in out

    of_arm = [item for item in sent if "/providers/" in item.url]
    assert {item.method for item in of_arm} >= {"GET", "PUT", "POST"}
    for value in of_arm:
        assert re.match(r"erfailover/\S+ ticket/INC-2231 azsdk-", value.headers["User-Agent"])
        assert GUID.fullmatch(value.headers["x-ms-client-request-id"])

    page = (stage.folder / "night.html").read_text("utf-8")
    assert "<b>bridge</b>" not in page
    text = check_page(page)
    assert REASON in text
    assert "INC-2231" in text
    assert "The site before the run vnet1 is on ExpressRoute; healthy." in text
    assert "The site after the run vnet1 is on IPsec; healthy." in text
    assert page.count('class="diagram"') == 2

    last = stage.json("history")[-1]
    assert (last["ticket"], last["reason"]) == ("INC-2231", REASON)
    assert "INC-2231" in stage.do("history")
    message = stage.do("history", last["id"])
    assert "ticket INC-2231" in message
    assert f"reason: {REASON}" in message


def test_a_run_without_a_ticket_names_the_program_alone(
    provisioned: Stage, sent: list[Any]
) -> None:
    provisioned.do("status")
    agents = {item.headers["User-Agent"] for item in sent if "/providers/" in item.url}
    assert agents
    assert all(re.match(r"erfailover/\S+ azsdk-", agent) for agent in agents)


def test_every_command_that_writes_draws_the_site_in_its_report(provisioned: Stage) -> None:
    stage = provisioned
    for command in (["drill", "start"], ["drill", "stop"], ["prestage"], ["unprestage"]):
        items = ("--ticket", "CHG-7", "--report", "run.json")
        stage.do(*command, "--yes", *items)
        stage.pass_time(60.0)
        report = json.loads((stage.folder / "run.json").read_text("utf-8"))
        hold("run-report", json.dumps(report))
        assert report["ticket"] == "CHG-7"
        for when in ("before", "after"):
            assert "vnet1 is on ExpressRoute" in report[when]["verdict"], command
    stage.do("destroy", "--yes", "--report", "run.json")
    report = json.loads((stage.folder / "run.json").read_text("utf-8"))
    assert report["before"]["verdict"].startswith("vnet1 is on ExpressRoute")
    assert report["after"] is None


def test_without_a_report_the_site_is_not_read_once_more(provisioned: Stage) -> None:
    provisioned.do("drill", "start", "--yes")
    assert "for its report" not in provisioned.err
    provisioned.do("history", "--report", "later.json")
    report = json.loads((provisioned.folder / "later.json").read_text("utf-8"))
    assert (report["before"], report["after"]) == (None, None)


def test_the_history_is_exported_run_by_run(provisioned: Stage) -> None:
    stage = provisioned
    stage.do("switch", "--to", "ipsec", "--yes", "--planned")
    lines = stage.do("history", "--format", "jsonl").splitlines()
    assert [json.loads(line)["command"] for line in lines] == ["provision", "switch"]
    for line in lines:
        hold("run", line)
    assert json.loads(lines[1])["result"]["verified"] is True
    last = json.loads(lines[1])["id"]
    assert stage.do("history", last, "--format", "jsonl").splitlines() == lines[1:]
    assert stage.do("history", "--since", "7d", "--format", "jsonl").splitlines() == lines
    assert stage.do("history", "--since", "2100-01-01", "--format", "jsonl") == ""
    assert "No run has started since 2100-01-01 00:00 UTC." in stage.do(
        "history", "--since", "2100-01-01"
    )
    assert stage.json("history", "--since", "2100-01-01") == []


def test_a_state_that_cannot_be_read_costs_no_run_and_no_report(
    provisioned: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    from erfailover.commands.status import snapshot

    def interrupt(_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(snapshot, "read", interrupt)
    items = ("--report", "night.json")
    provisioned.do("switch", "--to", "ipsec", "--yes", "--planned", *items)
    assert "The report will not show the state after the run: skipped" in provisioned.err
    report = json.loads((provisioned.folder / "night.json").read_text("utf-8"))
    hold("report", json.dumps(report))
    assert report["before"] is not None
    assert report["after"] is None
    assert report["outcome"] == "done"
