"""What is logged: one line a record, and never a secret."""

from __future__ import annotations

import json
import logging
import re
import warnings
from collections.abc import Iterator

import pytest

from erfailover.azure.client.request_log import query, shorten_url, strip_queries
from erfailover.runtime import logs

GUID = "0f6e2a52-0000-0000-0000-000000000000"
ARM = f"https://management.azure.com/subscriptions/{GUID}"
NETWORK = "providers/Microsoft.Network"


@pytest.fixture
def lines() -> Iterator[list[str]]:
    """The lines of a log at ``-vv --log-format json``."""
    written: list[str] = []
    logs.begin(2, as_json=True, write=written.append)
    yield written
    logs.end()


@pytest.mark.parametrize(
    ("url", "text"),
    [
        (
            f"{ARM}/resourceGroups/rg/{NETWORK}/virtualNetworks/v?api-version=1",
            "rg/virtualNetworks/v",
        ),
        (f"{ARM}/resourceGroups/rg?api-version=1", "rg"),
        (f"{ARM}/resourcegroups/rg/resources?$skiptoken=abc", "rg/resources?$skiptoken=***"),
        (
            f"{ARM}/{NETWORK}/locations/we/operations/x?api-version=1&t=1&c=MII&s=xyz&h=Q",
            "locations/we/operations/x?t=***&c=***&s=***&h=***",
        ),
        (
            "https://acc.blob.core.windows.net/c/b?comp=lease&sig=abc%2F&se=2026",
            "acc.blob.core.windows.net/c/b?comp=lease&sig=***&se=***",
        ),
        ("https://u:p@host/x", "host/x"),
        ("https://login.example/t/oauth2/v2.0/token", "login.example/t/oauth2/v2.0/token"),
    ],
)
def test_a_url_is_told_short_and_without_what_may_be_secret(url: str, text: str) -> None:
    assert shorten_url(url) == text


def test_of_a_query_only_values_known_to_be_harmless_are_kept() -> None:
    assert query("api-version=2024-05-01&sv=2&code=xyz&empty=") == (
        "api-version=2024-05-01&sv=***&code=***&empty=***"
    )


@pytest.mark.parametrize(
    "secret",
    [
        "Authorization: Bearer abc.DEF-123456",
        "token eyJ0eXAiOiJKV1Qi.eyJhdWQiOiJ4.c2ln",
        '{"sharedKey": "abc.DEF-123456"}',
        "client_secret=abc.DEF-123456&x=1",
        "adminPassword: 'abc.DEF-123456'",
        "GET https://h/p?comp=x&sig=abc.DEF-123456",
        "accessToken='abc.DEF-123456'",
    ],
)
def test_what_looks_like_a_secret_is_cut_whoever_logs_it(secret: str, lines: list[str]) -> None:
    logging.getLogger("erfailover.x").info("%s", secret, extra={"fields": {"also": secret}})
    logging.getLogger("somebody.else").warning("%s", secret)
    assert len(lines) == 2
    for mark in ("abc.DEF", "123456", "eyJhdWQ"):
        assert mark not in "".join(lines)


def test_a_message_of_urllib3_loses_the_query_of_its_url() -> None:
    text = "Max retries exceeded with url: /msi/token?resource=a&x=b (Caused by E('is it?'))"
    assert strip_queries(text) == (
        "Max retries exceeded with url: /msi/token?*** (Caused by E('is it?'))"
    )


def test_plain_text_is_left_as_it_is() -> None:
    for text in (
        "4. connect vnet1 to the gateway in vnet3  (12 s): Connected",
        "Shared keys and passwords are kept in state/secrets.json",
        f"GET {shorten_url(f'{ARM}/resourceGroups/rg')} 200, 3 ms, correlation id {GUID}",
    ):
        assert logs.redact(text) == text


def test_every_record_is_one_json_object_a_line_exceptions_and_warnings_included(
    lines: list[str],
) -> None:
    log = logging.getLogger("erfailover.x")
    log.debug("a\nb %d", 1, extra={"fields": {"wait_s": 1.5}})
    try:
        raise ValueError("bad")
    except ValueError:
        log.exception("it broke")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(True)
        warnings.warn("old", DeprecationWarning, stacklevel=1)
        logging.captureWarnings(False)
    first, second, third = map(json.loads, lines)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", first["time"])
    assert (first["level"], first["message"], first["wait_s"]) == ("debug", "a\nb 1", 1.5)
    assert "ValueError: bad" in second["trace"]
    assert "old" in third["message"]
    assert not [line for line in lines if "\n" in line]


def test_without_v_only_progress_and_warnings_are_logged() -> None:
    written: list[str] = []
    logs.begin(0, as_json=True, write=written.append)
    logging.getLogger("erfailover.azure.request_log").info("GET x")
    logging.getLogger("azure.core").error("chatter")
    logging.getLogger(logs.PROGRESS).info("done")
    logging.getLogger("erfailover.x").warning("mind this")
    logs.end()
    logging.getLogger("erfailover.x").warning("after the end")
    assert [json.loads(name)["message"] for name in written] == ["done", "mind this"]


def test_what_is_printed_becomes_one_record_a_flush(lines: list[str]) -> None:
    file = logs.LogStream()
    file.write("one\n")
    file.write("two\n")
    file.flush()
    file.flush()
    assert [json.loads(line)["message"] for line in lines] == ["one\ntwo"]
