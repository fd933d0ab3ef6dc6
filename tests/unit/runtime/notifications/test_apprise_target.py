"""Apprise sends for real, to a server of its JSON service; nothing of the URL gets out."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from erfailover.errors import UsageFailure
from erfailover.model.watch import Severity
from erfailover.runtime.notifications.apprise_target import AppriseTarget, add_incident
from erfailover.runtime.notifications.secret_value import SecretValue
from erfailover.runtime.notifications.target import DeliveryFailed
from tests.support import receiver as receivers
from tests.support.notifications import SECRET, build_event, notify
from tests.support.receiver import CLOSE, HANG, Receiver


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receivers.running(Receiver()) as running:
        yield running


def build(url: str) -> AppriseTarget:
    return AppriseTarget(SecretValue("env:SLACK", lambda: url))


def build_url(receiver: Receiver) -> str:
    return f"json://user:{SECRET}@127.0.0.1:{receiver.port}/{SECRET}?+X-Token={SECRET}&rto=0.5"


def test_the_text_arrives_as_it_is(receiver: Receiver) -> None:
    target = build(build_url(receiver))
    target.prepare()
    assert receiver.bodies == []
    target.send(notify(text="a <b> & *c* _d_ :smile: \\n"))
    [body] = receiver.bodies
    assert body["title"] == "CRITICAL: site1: a <b> & *c* _d_ :smile: \\n"
    assert body["message"].startswith("a <b> & *c* _d_ :smile: \\n\n")
    assert "Incident: site1/1" in body["message"]
    assert receiver.heads[0]["X-Token"] == SECRET


@pytest.mark.parametrize(
    ("severity", "resolves", "kind"),
    [
        (Severity.INFO, False, "info"),
        (Severity.WARNING, False, "warning"),
        (Severity.CRITICAL, False, "failure"),
        (Severity.CRITICAL, True, "success"),
    ],
)
def test_severity_is_apprise_s_kind(
    receiver: Receiver, severity: Severity, resolves: bool, kind: str
) -> None:
    build(build_url(receiver)).send(notify(severity=severity, resolves=resolves))
    assert receiver.bodies[0]["type"] == kind


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (503, "the response was HTTP 503 (Service Unavailable)"),
        (401, "the response was HTTP 401 (Unauthorized)"),
        (302, "the response was HTTP 302 (Found)"),
        (CLOSE, "Apprise reported a failure"),
        (HANG, "Apprise reported a failure"),
    ],
)
def test_a_failure_and_every_log_level_keep_the_url_secret(
    receiver: Receiver,
    status: int,
    message: str,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(1)
    logging.getLogger("urllib3").setLevel(1)
    receiver.usual, receiver.headers = status, {"Location": f"/{SECRET}"}
    with pytest.raises(DeliveryFailed) as caught:
        build(build_url(receiver)).send(notify())
    assert str(caught.value).startswith("apprise env:SLACK: ")
    assert message in str(caught.value)
    assert len(receiver.bodies) == 1, "no redirect is followed"
    out, err = capfd.readouterr()
    everything = caplog.text + out + err + repr(caught.value) + repr(caught.value.__context__)
    assert SECRET not in everything
    assert SECRET not in repr(build(build_url(receiver)))


@pytest.mark.parametrize(
    "url", [f"nosuch://{SECRET}", SECRET, f"slack://{SECRET}", f"json://{SECRET}:port:x/@"]
)
def test_an_unknown_url_is_refused_without_being_repeated(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(1)
    with pytest.raises(UsageFailure) as caught:
        build(url).prepare()
    assert "env:SLACK" in str(caught.value)
    assert SECRET not in f"{caught.value!r}{caught.value.__context__!r}{caplog.text}"


def test_a_refused_url_is_read_again_because_it_may_have_been_replaced(receiver: Receiver) -> None:
    urls = [f"json://127.0.0.1:{receiver.port}/{name}" for name in ("old", "new")]
    target = AppriseTarget(SecretValue("env:SLACK", lambda: urls.pop(0)))
    receiver.statuses = [403]
    target.prepare()
    with pytest.raises(DeliveryFailed):
        target.send(notify())
    target.send(notify())
    assert receiver.paths == ["/old", "/new"]


def test_pagerduty_gets_one_key_for_an_incident_and_its_end(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    from apprise.plugins import pagerduty

    places = {name: f"{receiver.url}/" for name in pagerduty.PAGERDUTY_API_LOOKUP}
    monkeypatch.setattr(pagerduty, "PAGERDUTY_API_LOOKUP", places)
    monkeypatch.setattr(pagerduty.NotifyPagerDuty, "request_rate_per_sec", 0)
    receiver.usual = 202
    target = build(f"pagerduty://{'i' * 32}@{'a' * 20}")
    target.send(notify("e1", incident="site1/7"))
    target.send(notify("e2", incident="site1/7", resolves=True, severity=Severity.INFO))
    target.send(notify("e3", incident="site1/8"))
    assert [(body["event_action"], body["dedup_key"]) for body in receiver.bodies] == [
        ("trigger", "site1/7"),
        ("resolve", "site1/7"),
        ("trigger", "site1/8"),
    ]


@pytest.mark.parametrize(
    ("url", "result"),
    [
        ("slack://a/b/c", "slack://a/b/c"),
        ("splunk://r@k", "splunk://r@k?entity_id=site1%2F1"),
        ("victorops://r@k?entity_id=mine", "victorops://r@k?entity_id=mine"),
        ("pagerduty://i@k?region=eu", "pagerduty://i@k?region=eu&dedup=site1%2F1&action=map"),
        ("pagerduty://i@k?action=trigger", "pagerduty://i@k?action=trigger&dedup=site1%2F1"),
        ("https://[::1", "https://[::1"),
    ],
)
def test_the_incident_is_added_if_the_service_keeps_incidents(url: str, result: str) -> None:
    assert add_incident(url, build_event()) == result


def test_without_apprise_one_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    with pytest.raises(UsageFailure) as caught:
        build("json://127.0.0.1").prepare()
    assert caught.value.hint == "Install it: pip install 'erfailover[watch]'"


def test_the_modules_load_without_apprise(tmp_path: Path) -> None:
    code = (
        "import sys, erfailover.runtime.notifications.apprise_target, "
        "erfailover.commands.watch.targets, erfailover.commands.watch.notifier\n"
        "assert 'apprise' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
