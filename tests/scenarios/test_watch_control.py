"""Pause, resume and approve a site's watch; what ``status`` says of it."""

from __future__ import annotations

import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from erfailover.commands.context import Context
from erfailover.commands.site_file import SiteFile
from erfailover.commands.watch.leadership import Leadership
from erfailover.errors import StateFailure
from erfailover.model.site import Path as SitePath
from erfailover.model.watch import Approval
from erfailover.runtime.state.documents import LocalDocuments
from erfailover.runtime.state.process import describe_user
from erfailover.runtime.state.watch_records import (
    change_pause,
    read_approval,
    read_pause,
    write_approval,
)
from tests.support.processes import command
from tests.support.stage import Stage

PLAN = "Plan: vnet1 to IPsec\n  1  spoke vnet1: use_remote_gateways off"


@pytest.fixture
def documents(stage: Stage) -> LocalDocuments:
    """The documents of a site that has none yet."""
    stage.do("init")
    name = f"poc-{stage.environment['AZURE_SUBSCRIPTION_ID']}"
    return LocalDocuments(stage.folder / "state" / "sites" / name / "watch" / "documents")


def request_approval(documents: LocalDocuments, age_s: float = 0.0) -> Approval:
    now = time.time()
    approval = Approval("7c2e91", SitePath.IPSEC, now - age_s, now - age_s + 3600.0, PLAN, {})
    write_approval(documents, approval)
    return approval


def test_a_site_is_paused_for_a_time_and_resumed(stage: Stage, documents: LocalDocuments) -> None:
    before = time.time()
    text = stage.do("pause", "--for", "2h", "--reason", "Carrier maintenance")
    pause, resumed_at = read_pause(documents)
    assert pause is not None
    assert (pause.reason, pause.by, resumed_at) == ("Carrier maintenance", describe_user(), None)
    assert before <= pause.since <= time.time()
    assert pause.until == pause.since + 7200.0
    assert f"by {describe_user()}: Carrier maintenance." in text
    assert "no state:, so only the watch on this machine obeys" in stage.err

    result = stage.json("resume", "--reason", "It is done")
    assert result["ended"]["reason"] == "Carrier maintenance"
    assert result["reason"] == "It is done"
    pause, resumed_at = read_pause(documents)
    assert pause is None
    assert resumed_at is not None
    assert "was not paused" in stage.do("resume")
    again = read_pause(documents)[1]
    assert again is not None
    assert again > resumed_at


def test_a_pause_never_shortens_another(stage: Stage, documents: LocalDocuments) -> None:
    assert stage.json("pause", "--for", "1h", "--reason", "first")["replaced"] is None
    longer = stage.json("pause", "--for", "2h", "--reason", "second")
    assert (longer["changed"], longer["replaced"]["reason"]) == (True, "first")
    shorter = stage.json("pause", "--for", "30m", "--reason", "third")
    assert (shorter["changed"], shorter["replaced"]) == (False, None)
    assert shorter["pause"] == longer["pause"]
    assert stage.json("pause", "--reason", "fourth")["pause"]["until"] is None
    assert "poc stays paused until resumed" in stage.do("pause", "--for", "7d", "--reason", "5th")
    pause, _ = read_pause(documents)
    assert pause is not None
    assert (pause.reason, pause.until) == ("fourth", None)


def test_a_pause_that_is_over_does_not_count(stage: Stage, documents: LocalDocuments) -> None:
    stage.do("pause", "--for", "2h", "--reason", "first")

    def age(record):  # type: ignore[no-untyped-def]
        return replace(record, pause=replace(record.pause, until=time.time() - 1.0))

    change_pause(documents, age)
    assert stage.json("pause", "--for", "1m", "--reason", "second")["replaced"] is None
    change_pause(documents, age)
    assert stage.json("resume")["ended"] is None


def test_of_two_pauses_at_once_the_longer_one_applies(
    stage: Stage, documents: LocalDocuments
) -> None:
    popens = [
        command("pause", *words, "--reason", reason, "-o", "json")
        for words, reason in (((), "longer"), (("--for", "1h"), "shorter"))
    ]
    printed = [process.communicate(timeout=60) for process in popens]
    assert [process.returncode for process in popens] == [0, 0], printed
    pause, _ = read_pause(documents)
    assert pause is not None
    assert pause.reason == "longer"
    longer, shorter = (json.loads(out) for out, _ in printed)
    assert longer["changed"] is True
    assert shorter["pause"]["reason"] in ("longer", "shorter")


def test_a_pause_is_counted_by_the_clock_of_the_lab(documents: LocalDocuments) -> None:
    process = command("pause", "--for", "1h", "--reason", "x", speed=60.0)
    process.communicate(timeout=60)
    pause, _ = read_pause(documents)
    assert pause is not None
    assert pause.until == pytest.approx(pause.since + 60.0)


@pytest.mark.parametrize(
    ("words", "wrong"),
    [
        (("pause",), "Missing option '--reason'"),
        (("pause", "--reason", " "), "found none"),
        (("pause", "--reason", "a\nb"), "a line break"),
        (("pause", "--reason", "x" * 501), "found 501"),
        (("pause", "--reason", "x", "--for", "0"), "'0': expected a time such as 30m"),
        (("pause", "--reason", "x", "--for", "0h"), "'0h': expected a time such as 30m"),
        (("pause", "--reason", "x", "--for", "9999d"), "of 365d at most"),
        (("pause", "--reason", "x", "--for", "999999999w"), "of 365d at most"),
        (("pause", "--reason", "x", "--for", "-2h"), "'-2h': expected a time such as 30m"),
        (("pause", "--reason", "x", "--for", "2 hours"), "expected a time such as 30m"),
        (("pause", "--reason", "x", "--for", "\x1b[2J"), "x1b[2J"),
        (("pause", "--reason", "x", "now"), "unexpected extra argument"),
        (("resume", "--reason", ""), "found none"),
        (("resume", "--for", "2h"), "No such option '--for'"),
        (("approve",), "Missing argument 'ID'"),
    ],
)
def test_bad_input_changes_nothing(
    stage: Stage, documents: LocalDocuments, words: tuple[str, ...], wrong: str
) -> None:
    assert stage.run(*words) == 2
    assert wrong in " ".join(stage.err.split())
    assert not documents.folder.exists()


def test_a_state_that_cannot_be_written_is_named(stage: Stage, documents: LocalDocuments) -> None:
    documents.folder.parent.mkdir(parents=True)
    documents.folder.write_text("")
    for words in (("pause", "--reason", "x"), ("resume",), ("approve", "7c2e91", "--yes")):
        assert stage.run(*words) == 5
        assert str(documents.folder) in stage.err
        assert "ERFAILOVER_STATE_DIR" in stage.err


def test_an_approval_is_shown_and_given_once(stage: Stage, documents: LocalDocuments) -> None:
    approval = request_approval(documents)
    assert stage.run("approve", approval.id) == 3
    assert "Cannot prompt" in stage.err
    assert PLAN in stage.err
    assert read_approval(documents) == approval

    text = stage.do("approve", approval.id, "--yes")
    assert PLAN in stage.err
    assert "The switch of poc to ipsec is approved." in text
    given = read_approval(documents)
    assert given is not None
    assert given.approved_by == describe_user()
    assert given.approved_at is not None
    assert given == replace(approval, approved_by=given.approved_by, approved_at=given.approved_at)
    assert stage.run("approve", approval.id, "--yes") == 3
    assert f"was already given by {describe_user()}" in stage.err
    assert read_approval(documents) == given


def test_what_an_approval_prints_as_json(stage: Stage, documents: LocalDocuments) -> None:
    approval = request_approval(documents)
    result = stage.json("approve", approval.id, "--yes", "--quiet")
    assert (result["id"], result["target"]) == (approval.id, "ipsec")
    assert result["approved_by"] == describe_user()
    assert PLAN not in stage.err


def test_an_approval_that_does_not_wait_is_refused(stage: Stage, documents: LocalDocuments) -> None:
    assert stage.run("approve", "7c2e91", "--yes") == 3
    assert "poc waits for no approval" in stage.err
    approval = request_approval(documents)
    assert stage.run("approve", "0ld", "--yes") == 3
    assert "approval 0ld is unknown or was superseded: poc waits for 7c2e91" in stage.err
    assert "erfailover approve 7c2e91" in stage.err
    assert read_approval(documents) == approval
    expired = request_approval(documents, age_s=3601.0)
    assert stage.run("approve", "7c2e91", "--yes") == 3
    assert "approval 7c2e91 expired at" in stage.err
    assert "erfailover switch --to ipsec" in stage.err
    assert read_approval(documents) == expired


@pytest.mark.parametrize("newer", ["superseded", "given", "withdrawn"])
def test_an_approval_that_changes_during_the_prompt_is_refused(
    stage: Stage,
    documents: LocalDocuments,
    monkeypatch: pytest.MonkeyPatch,
    newer: str,
) -> None:
    approval = request_approval(documents)

    def change(*_: object) -> None:
        if newer == "superseded":
            write_approval(documents, replace(approval, id="newer"))
        elif newer == "given":
            write_approval(documents, replace(approval, approved_by="bert@ops2"))
        else:
            (documents.folder / "approval.json").unlink()

    monkeypatch.setattr("erfailover.commands.output.Output.confirm", change)
    assert stage.run("approve", approval.id) == 3
    after = read_approval(documents)
    assert after is None or after.approved_by in (None, "bert@ops2")


@pytest.mark.slow
def test_of_two_approvals_at_once_one_is_given(stage: Stage, documents: LocalDocuments) -> None:
    approval = request_approval(documents)
    with ThreadPoolExecutor(4) as threads:
        popens = list(threads.map(lambda _: command("approve", approval.id, "--yes"), range(4)))
    printed = [process.communicate(timeout=60)[1] for process in popens]
    codes = sorted(process.returncode for process in popens)
    assert codes == [0, 3, 3, 3], printed


def test_status_shows_a_pause_while_it_applies(provisioned: Stage) -> None:
    stage = provisioned
    assert stage.json("status")["pause"] is None
    before = stage.do("status")
    stage.do("pause", "--for", "2h", "--reason", "Carrier maintenance")
    text = stage.do("status")
    assert "*** PAUSED until" in text
    assert f"by {describe_user()}: Carrier maintenance" in " ".join(text.split())
    assert "*** To resume: erfailover resume" in text
    assert "PAUSED" in stage.do("status", "--details")
    pause = stage.json("status")["pause"]
    assert (pause["reason"], pause["by"]) == ("Carrier maintenance", describe_user())
    stage.do("resume")
    assert stage.json("status")["pause"] is None
    assert stage.do("status").splitlines()[1:3] == before.splitlines()[1:3]


@pytest.mark.parametrize("broken", ["damaged", "unreadable"])
def test_status_goes_on_if_the_pause_cannot_be_read(
    provisioned: Stage, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    stage = provisioned
    stage.do("pause", "--reason", "x")
    (file,) = stage.folder.rglob("pause.json")
    if broken == "damaged":
        file.write_text("{")
    else:

        def fail(*_: object) -> None:
            raise StateFailure("the state of the site cannot be reached")

        monkeypatch.setattr(LocalDocuments, "read", fail)
    data = stage.json("status")
    assert data["pause"] is None
    (problem,) = data["state_problems"]
    assert "is damaged" in problem if broken == "damaged" else "cannot be reached" in problem
    assert data["path"] == "expressroute"


def test_the_leadership_is_kept_beside_the_site_s_lease(stage: Stage) -> None:
    stage.do("init")
    context = Context(SiteFile(Path("erfailover.yaml"), os.environ, False))
    leadership = Leadership.open(context)
    assert leadership.try_lead()
    (file,) = stage.folder.rglob("lease.json")
    assert file == context.state_folder / "watch" / "lease.json"
    assert json.loads(file.read_text())["command"] == "watch"
    other = Leadership.open(context)
    assert not other.try_lead()
    assert other.leader == leadership.leader
    stage.do("pause", "--reason", "x")
    leadership.close()
    assert other.try_lead()
    other.close()


def test_help_says_what_a_pause_does_not_stop(stage: Stage) -> None:
    text = " ".join(stage.do("pause", "--help").split())
    assert "A switch that is running is completed." in text


def test_completion_offers_the_approval_that_waits(
    stage: Stage, documents: LocalDocuments, monkeypatch: pytest.MonkeyPatch
) -> None:
    import click

    from erfailover.cli.completion import find_items
    from erfailover.cli.watch import approve

    def offered() -> list[str]:
        return [item.value for item in find_items("approvals", click.Context(approve), "")]

    assert offered() == []
    approval = request_approval(documents)
    assert offered() == [approval.id]
    write_approval(documents, replace(approval, approved_by="bert@ops2"))
    assert offered() == []
