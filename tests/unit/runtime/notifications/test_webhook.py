"""A webhook gets CloudEvents, its answers decide, and its URL is shown nowhere."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from cloudevents.v1.http import from_http

from erfailover.errors import UsageFailure
from erfailover.runtime.notifications import webhook
from erfailover.runtime.notifications.secret_value import SecretValue
from erfailover.runtime.notifications.target import DeliveryFailed
from erfailover.runtime.notifications.webhook import Webhook, check_url, read_retry_after
from tests.support import receiver as receivers
from tests.support.notifications import AT, SECRET, notify
from tests.support.receiver import CLOSE, HANG, Receiver


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receivers.running(Receiver()) as running:
        yield running


def build(receiver: Receiver) -> Webhook:
    return Webhook(SecretValue("env:HOOK", lambda: f"{receiver.url}/{SECRET}?sig={SECRET}"))


def test_the_event_arrives_as_a_cloudevent(receiver: Receiver) -> None:
    target = build(receiver)
    target.prepare()
    assert receiver.bodies == []
    target.send(notify(data={"state": "FAILED", "spokes": ["a"]}))
    [head], [body] = receiver.heads, receiver.bodies
    assert head["Content-Type"] == "application/cloudevents+json"
    event: Any = from_http(head, _to_bytes(body))
    assert event["id"] == "e1"
    assert event["specversion"] == "1.0"
    assert event["type"] == "io.erfailover.watch.state_changed"
    assert event["subject"] == "site1"
    assert datetime.fromisoformat(event["time"]) == datetime.fromtimestamp(AT, UTC)
    assert event.data["facts"] == {"state": "FAILED", "spokes": ["a"]}
    assert event.data["incident"] == "site1/1"
    assert receiver.paths == [f"/{SECRET}?sig={SECRET}"]


def _to_bytes(body: Any) -> bytes:
    import json

    return json.dumps(body).encode()


@pytest.mark.parametrize("status", [200, 202, 204])
def test_every_2xx_is_success(receiver: Receiver, status: int) -> None:
    receiver.usual = status
    build(receiver).send(notify())


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (500, "the response was HTTP 500 (Internal Server Error)"),
        (404, "the response was HTTP 404 (Not Found)"),
        (302, "the response was HTTP 302 (Found), a redirect, which is not followed"),
        (307, "a redirect, which is not followed"),
        (CLOSE, "no connection, or it broke before the response"),
        (HANG, "no response within 15 s"),
    ],
)
def test_a_failure_names_the_place_and_never_the_url(
    receiver: Receiver,
    status: int,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(1)
    monkeypatch.setattr(webhook, "CONNECT_S", 0.3)
    monkeypatch.setattr(webhook, "ANSWER_S", 0.3 if status == HANG else 15.0)
    receiver.usual = status
    receiver.headers = {"Location": f"{receiver.url}/elsewhere/{SECRET}"}
    with pytest.raises(DeliveryFailed) as caught:
        build(receiver).send(notify())
    expected = message.replace("15 s", "0 s")
    assert str(caught.value).startswith("webhook env:HOOK: ")
    assert expected in str(caught.value)
    assert len(receiver.paths) == 1, "not followed, not repeated"
    assert SECRET not in chain(caught.value) + caplog.text


def test_nothing_of_the_url_is_logged_at_any_level(
    receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(1)
    logging.getLogger("urllib3").setLevel(logging.DEBUG)
    build(receiver).send(notify())
    assert len(receiver.bodies) == 1
    assert SECRET not in caplog.text


def chain(error: BaseException | None) -> str:
    """Return an error and all that led to it."""
    return f"{error!r}{chain(error.__context__)}" if error else ""


def test_a_refused_url_is_read_again_because_it_may_have_been_replaced(receiver: Receiver) -> None:
    urls = [f"{receiver.url}/old", f"{receiver.url}/new"]
    target = Webhook(SecretValue("env:HOOK", lambda: urls.pop(0)))
    receiver.statuses = [401]
    target.prepare()
    with pytest.raises(DeliveryFailed):
        target.send(notify())
    target.send(notify())
    target.send(notify())
    assert receiver.paths == ["/old", "/new", "/new"]


def test_a_secret_that_cannot_be_read_again_is_a_failed_delivery(receiver: Receiver) -> None:
    def fail() -> str:
        raise UsageFailure("the variable HOOK of watch.notifications is not set", "Set it.")

    with pytest.raises(DeliveryFailed, match="the variable HOOK"):
        Webhook(SecretValue("env:HOOK", fail)).send(notify())


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.example.com/x",
        "https://user:pass@hooks.example.com:8443/x",
        "http://127.0.0.1:8080/x",
        "http://[::1]:8080/x",
        "http://localhost/x",
    ],
)
def test_https_and_this_machine_are_accepted(url: str) -> None:
    check_url(url, "env:HOOK")


@pytest.mark.parametrize(
    "url",
    [
        f"http://hooks.example.com/{SECRET}",
        f"http://127.0.0.1.example.com/{SECRET}",
        f"ftp://127.0.0.1/{SECRET}",
        f"https:///{SECRET}",
        f"https://host:port/{SECRET}",
        f"https://[::1/{SECRET}",
        SECRET,
        "",
    ],
)
def test_other_urls_are_refused_without_being_repeated(url: str) -> None:
    with pytest.raises(UsageFailure) as caught:
        check_url(url, "file:hook.txt")
    assert "file:hook.txt" in str(caught.value)
    assert SECRET not in chain(caught.value)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "120"}, 120.0),
        ({"retry-after": " 7 "}, 7.0),
        ({"Retry-After": "0"}, 0.0),
        ({"Retry-After": "9" * 400}, 3600.0),
        ({"Retry-After": "-5"}, None),
        ({"Retry-After": "1e9"}, None),
        ({"Retry-After": "soon"}, None),
        (
            {
                "Retry-After": "Wed, 21 Oct 2026 07:28:30 GMT",
                "Date": "Wed, 21 Oct 2026 07:28:00 GMT",
            },
            30.0,
        ),
        (
            {
                "Retry-After": "Wed, 21 Oct 2020 07:28:30 GMT",
                "Date": "Wed, 21 Oct 2026 07:28:00 GMT",
            },
            0.0,
        ),
        ({"Retry-After": "Wed, 21 Oct 2026 07:28:30 GMT"}, None),
    ],
)
def test_retry_after_counts_within_bounds(headers: dict[str, str], seconds: float | None) -> None:
    assert read_retry_after(headers) == seconds


def test_a_busy_server_s_pause_is_reported(receiver: Receiver) -> None:
    receiver.usual, receiver.headers = 429, {"Retry-After": "42"}
    with pytest.raises(DeliveryFailed, match="HTTP 429") as caught:
        build(receiver).send(notify())
    assert caught.value.retry_after_s == 42.0
