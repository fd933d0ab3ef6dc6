"""The web server of the watch: read-only, on this machine or with TLS and token; events."""

from __future__ import annotations

import json
import logging
import socket
import sys
import time
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest

from erfailover.commands.watch.web import server, sessions
from erfailover.commands.watch.web.server import WatchServer
from erfailover.commands.watch.web.settings import (
    Address,
    WebSettings,
    parse_listen,
    read_settings,
)
from erfailover.errors import UsageFailure
from tests.support.watch_server import LOOPBACK, TOKEN, Watched, serving, write_certificate
from tests.support.watch_views import NOW, make_failed_view, make_mixed_view, make_view


@pytest.fixture(scope="module")
def shared() -> Iterator[Watched]:
    with serving() as watched:
        yield watched


@pytest.fixture
def watched(shared: Watched) -> Watched:
    shared.views, shared.at = [make_view()], NOW
    return shared


class TestReadOnly:
    def test_the_page_the_metrics_and_the_health_are_there(self, watched: Watched) -> None:
        page = watched.ask("/")
        assert (page.status, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
        assert "Healthy" in page.text
        assert (
            'erfailover_watch_state{site="poc",state="HEALTHY"} 1.0' in watched.ask("/metrics").text
        )
        assert watched.ask("/livez").text == watched.ask("/readyz").text == "ok\n"
        assert watched.ask("/elsewhere").status == 404

    def test_a_scraper_may_ask_for_openmetrics(self, watched: Watched) -> None:
        answer = watched.ask("/metrics", headers={"Accept": "application/openmetrics-text"})
        assert answer.headers["Content-Type"].startswith("application/openmetrics-text")
        assert answer.text.endswith("# EOF\n")

    @pytest.mark.parametrize("path", ["/", "/events", "/metrics", "/login", "/x"])
    @pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
    def test_nothing_can_be_changed(self, watched: Watched, path: str, method: str) -> None:
        answer = watched.ask(path, method)
        assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")

    @pytest.mark.parametrize("path", ["/", "/events", "/metrics", "/livez"])
    def test_a_head_has_no_body(self, watched: Watched, path: str) -> None:
        answer = watched.ask(path, "HEAD")
        assert (answer.status, answer.text) == (200, "")

    @pytest.mark.parametrize("path", ["/", "/x", "/metrics", "/assets/page.js"])
    def test_a_browser_may_load_nothing_else_and_frame_nothing(
        self, watched: Watched, path: str
    ) -> None:
        headers = watched.ask(path).headers
        policy = headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Server"] == "erfailover"

    @pytest.mark.parametrize("host", ["attacker.example", "127.0.0.1.attacker.example", "10.0.0.1"])
    def test_no_other_name_leads_to_a_loopback_address(self, watched: Watched, host: str) -> None:
        answer = watched.ask("/", headers={"Host": host})
        assert (answer.status, host in answer.text) == (421, True)
        assert "Healthy" not in answer.text
        assert watched.ask("/", headers={"Host": "LocalHost:9817"}).status == 200

    def test_a_bug_is_logged_and_not_shown(
        self, watched: Watched, caplog: pytest.LogCaptureFixture
    ) -> None:
        watched.views = [None]  # type: ignore[list-item]
        with caplog.at_level(logging.ERROR):
            answer = watched.ask("/")
        assert answer.status == 500
        assert "Traceback" not in answer.text
        assert "could not answer /" in caplog.text


class TestHealth:
    def test_a_stalled_loop_is_not_alive(self, watched: Watched) -> None:
        watched.at = NOW + 1000.0
        answer = watched.ask("/livez")
        assert answer.status == 503
        assert answer.text == "poc: the watch loop has done nothing for 16 min 41 s.\n"
        assert answer.headers["Content-Type"].startswith("text/plain")

    def test_a_lost_store_is_not_ready_but_alive(self, watched: Watched) -> None:
        watched.views = [make_view(store_problem="HTTP 503")]
        answer = watched.ask("/readyz")
        assert answer.status == 503
        assert answer.text == "poc: the shared store cannot be used: HTTP 503\n"
        assert watched.ask("/livez").status == 200


def read_event(response: HTTPResponse) -> dict[str, object]:
    """Return the next event's data."""
    while True:
        line = response.readline()
        assert line, "the stream has ended"
        if line.startswith(b"data: "):
            data: dict[str, object] = json.loads(line[6:])
            return data


class TestEvents:
    def test_a_change_is_sent_at_once_and_only_a_change(
        self, watched: Watched, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("erfailover.commands.watch.web.application.HEARTBEAT_S", 0.3)
        url = urlsplit(watched.server.url)
        connection = HTTPConnection("127.0.0.1", url.port, timeout=10)
        connection.request("GET", "/events")
        response = connection.getresponse()
        assert response.headers["Content-Type"] == "text/event-stream"
        first = read_event(response)
        assert "Healthy" in str(first["html"])
        assert first["title"] == "Healthy: poc"
        assert first["now"] == NOW
        heartbeat = read_event(response)
        assert "html" not in heartbeat
        began = time.monotonic()
        watched.show(make_failed_view())
        while "html" not in (changed := read_event(response)):
            continue
        assert time.monotonic() - began < 1.0
        assert changed["title"] == "Failed: poc"
        connection.close()

    def test_a_server_that_closes_ends_its_streams_and_frees_its_port(self) -> None:
        with serving() as other:
            url = urlsplit(other.server.url)
            connection = HTTPConnection("127.0.0.1", url.port, timeout=10)
            connection.request("GET", "/events")
            response = connection.getresponse()
            read_event(response)
            began = time.monotonic()
            other.server.close()
            assert time.monotonic() - began < 3.0
            other.server.notify()
            other.server.close()
        response.close()
        connection.close()
        assert url.port is not None
        socket.create_server(("127.0.0.1", url.port)).close()

    def test_there_is_a_limit_to_the_open_pages(
        self, watched: Watched, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("erfailover.commands.watch.web.application.MOST_STREAMS", 0)
        assert watched.ask("/events").status == 503


class TestToken:
    @pytest.fixture
    def guarded(self) -> Iterator[Watched]:
        with serving(WebSettings(LOOPBACK, token=TOKEN)) as watched:
            yield watched

    @pytest.mark.parametrize("path", ["/", "/events", "/metrics", "/x"])
    @pytest.mark.parametrize(
        "headers",
        [
            {},
            {"Authorization": f"Bearer {TOKEN[:-1]}"},
            {"Authorization": f"Basic {TOKEN}"},
            {"Authorization": "Bearer \u00fc".encode().decode("latin-1")},
            {"Cookie": f"{sessions.COOKIE}={TOKEN}"},
            {"Cookie": f"{sessions.COOKIE}=9999999999.{'0' * 64}"},
        ],
        ids=str,
    )
    def test_without_it_nothing_is_shown(
        self, guarded: Watched, path: str, headers: dict[str, str]
    ) -> None:
        answer = guarded.ask(path, headers=headers)
        assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
        assert "poc" not in answer.text

    def test_a_scraper_sends_it_and_an_orchestrator_needs_none(self, guarded: Watched) -> None:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        assert guarded.ask("/metrics", headers=headers).status == 200
        assert guarded.ask("/livez").status == guarded.ask("/readyz").status == 200

    def sign_in(self, watched: Watched, token: str) -> tuple[int, str]:
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = watched.ask("/login", "POST", form, f"token={quote(token)}")
        return answer.status, answer.headers.get("Set-Cookie", "")

    def test_a_browser_signs_in_for_a_shift(self, guarded: Watched) -> None:
        assert 'action="/login"' in guarded.ask("/").text
        status, cookie = self.sign_in(guarded, TOKEN)
        assert status == 303
        assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= {*cookie.split("; ")}
        assert TOKEN not in cookie
        headers = {"Cookie": cookie.split(";")[0]}
        assert "Healthy" in guarded.ask("/", headers=headers).text
        guarded.at = NOW + sessions.LASTS_S
        assert guarded.ask("/", headers=headers).status == 401

    def test_a_wrong_token_is_answered_slowly_and_repeated_nowhere(self, guarded: Watched) -> None:
        began = time.monotonic()
        assert self.sign_in(guarded, "<b>wrong</b>") == (401, "")
        assert time.monotonic() - began >= 1.0

    def test_a_form_that_is_no_form_is_refused(self, guarded: Watched) -> None:
        assert guarded.ask("/login", "POST", body="x").status == 401
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        huge = guarded.ask("/login", "POST", form, f"token={'x' * 100_000}")
        assert huge.status == 413


class TestSessions:
    def test_a_session_is_of_one_token_and_ends(self) -> None:
        cookie = sessions.create_session(TOKEN, NOW)
        assert sessions.is_session(cookie, TOKEN, NOW + sessions.LASTS_S - 1)
        assert not sessions.is_session(cookie, TOKEN, NOW + sessions.LASTS_S)
        assert not sessions.is_session(cookie, TOKEN[::-1], NOW)
        later = f"{int(NOW) + 10**6}.{cookie.partition('.')[2]}"
        assert not sessions.is_session(later, TOKEN, NOW)

    @pytest.mark.parametrize("cookie", ["", ".", "x.y", "\u00fc.\u00fc", "1", "\ud800.\ud800"])
    def test_no_other_text_is_one(self, cookie: str) -> None:
        assert not sessions.is_session(cookie, TOKEN, NOW)


class TestTls:
    def test_the_page_is_served_over_https_and_its_cookie_is_secure(self, tmp_path: Path) -> None:
        ca, certificate = write_certificate(tmp_path)
        with serving(WebSettings(LOOPBACK, certificate, TOKEN)) as watched:
            assert watched.server.url.startswith("https://127.0.0.1:")
            form = {"Content-Type": "application/x-www-form-urlencoded"}
            answer = watched.ask("/login", "POST", form, f"token={TOKEN}", ca)
            assert "Secure" in answer.headers["Set-Cookie"].split("; ")

    def test_a_renewed_certificate_is_used_without_a_restart(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr(server, "CERTIFICATE_CHECK_S", 0.02)
        ca, certificate = write_certificate(tmp_path)
        with serving(WebSettings(LOOPBACK, certificate)) as watched, caplog.at_level("INFO"):
            assert watched.ask("/livez", ca=ca).status == 200
            certificate.key.write_text("broken")
            wait_for_log(caplog, "the previous certificate stays in use")
            assert watched.ask("/livez", ca=ca).status == 200
            other, _ = write_certificate(tmp_path)
            wait_for_log(caplog, "the renewed certificate")
            assert watched.ask("/livez", ca=other).status == 200


def wait_for_log(caplog: pytest.LogCaptureFixture, text: str) -> None:
    until = time.monotonic() + 10.0
    while text not in caplog.text:
        assert time.monotonic() < until
        time.sleep(0.01)


class TestSettings:
    @pytest.mark.parametrize(
        ("text", "address"),
        [
            ("none", None),
            ("127.0.0.1:9817", Address("127.0.0.1", 9817)),
            ("localhost:1", Address("127.0.0.1", 1)),
            ("[::1]:65535", Address("::1", 65535)),
            ("0.0.0.0:443", Address("0.0.0.0", 443)),
            ("watch.example.net:443", Address("watch.example.net", 443)),
        ],
    )
    def test_an_address_is_a_host_and_a_port(self, text: str, address: Address | None) -> None:
        assert parse_listen(text) == address

    @pytest.mark.parametrize("text", ["", "9817", "127.0.0.1", "::1:9817", "a:b", "h:65536", "h:"])
    def test_any_other_text_is_none(self, text: str) -> None:
        with pytest.raises(UsageFailure) as failure:
            parse_listen(text)
        assert "Expected HOST:PORT" in (failure.value.hint or "")

    def test_what_only_this_machine_reaches(self) -> None:
        assert Address("127.8.9.1", 1).is_loopback
        assert Address("::1", 1).is_loopback
        for host in ("0.0.0.0", "::", "10.0.0.1", "watch.example.net"):
            assert not Address(host, 1).is_loopback

    def test_another_address_needs_tls_and_a_token(self, tmp_path: Path) -> None:
        _, certificate = write_certificate(tmp_path)
        token = tmp_path / "token"
        token.write_text(f"{TOKEN}\n")
        for cert, key, file in (
            (None, None, None),
            (None, None, token),
            (certificate.cert, certificate.key, None),
        ):
            with pytest.raises(UsageFailure, match="needs TLS and a token"):
                read_settings("0.0.0.0:9817", cert, key, file)
        settings = read_settings("0.0.0.0:9817", certificate.cert, certificate.key, token)
        assert settings is not None
        assert settings.token == TOKEN
        assert read_settings("127.0.0.1:9817", None, None, None) is not None
        assert read_settings("none", None, None, None) is None

    def test_a_key_needs_its_certificate(self, tmp_path: Path) -> None:
        with pytest.raises(UsageFailure, match="belong together"):
            read_settings("127.0.0.1:1", None, tmp_path / "key", None)

    @pytest.mark.parametrize("content", ["", "short", "x" * 19, "\u00fc" * 40, "\n" + "x" * 40])
    def test_a_token_that_can_be_guessed_is_refused(self, tmp_path: Path, content: str) -> None:
        file = tmp_path / "token"
        file.write_text(content)
        with pytest.raises(UsageFailure) as failure:
            read_settings("127.0.0.1:1", None, None, file)
        assert "no usable token" in failure.value.message
        assert "openssl rand" in (failure.value.hint or "")

    def test_files_that_cannot_be_read_are_named(self, tmp_path: Path) -> None:
        _, certificate = write_certificate(tmp_path)
        missing = tmp_path / "missing"
        for cert, key, token in (
            (missing, certificate.key, None),
            (certificate.cert, missing, None),
            (None, None, missing),
            (None, None, tmp_path),
        ):
            with pytest.raises(UsageFailure, match="cannot be read"):
                read_settings("127.0.0.1:1", cert, key, token)

    def test_a_certificate_and_a_key_that_do_not_match_are_refused(self, tmp_path: Path) -> None:
        _, one = write_certificate(tmp_path)
        (tmp_path / "other").mkdir()
        _, other = write_certificate(tmp_path / "other")
        for key in (other.key, one.cert):
            with pytest.raises(UsageFailure, match="cannot be used"):
                read_settings("127.0.0.1:1", one.cert, key, None)


class TestStart:
    def test_a_port_in_use_says_what_to_do(self) -> None:
        with serving() as watched:
            port = urlsplit(watched.server.url).port
            assert port is not None
            address = Address("127.0.0.1", port)
            second = WatchServer(list, WebSettings(address), lambda: NOW)
            with pytest.raises(UsageFailure) as failure:
                second.start()
            second.close()
        assert f"--listen 127.0.0.1:{port} cannot be used" in failure.value.message
        assert "needs its own port" in (failure.value.hint or "")

    def test_it_can_be_closed_at_once(self, caplog: pytest.LogCaptureFixture) -> None:
        for _ in range(20):
            with serving():
                pass
        assert caplog.text == ""

    def test_an_address_of_another_machine_cannot_be_used(self) -> None:
        other = WatchServer(list, WebSettings(Address("192.0.2.1", 0)), lambda: NOW)
        with pytest.raises(UsageFailure, match="cannot be used"):
            other.start()
        other.close()

    def test_without_the_packages_it_says_how_to_install_them(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delitem(sys.modules, "erfailover.commands.watch.web.application", False)
        monkeypatch.delattr("erfailover.commands.watch.web.application", raising=False)
        monkeypatch.setitem(sys.modules, "aiohttp", None)
        bare = WatchServer(list, WebSettings(LOOPBACK), lambda: NOW)
        with pytest.raises(UsageFailure) as failure:
            bare.start()
        bare.close()
        assert "pip install 'erfailover[watch]'" in (failure.value.hint or "")


def test_300_spokes_of_20_sites_are_rendered_quickly() -> None:
    views = [make_mixed_view(site=f"site-{number}") for number in range(20)]
    with serving(views=views) as watched:
        watched.ask("/")
        began = time.monotonic()
        assert watched.ask("/").status == 200
        assert watched.ask("/metrics").status == 200
        assert time.monotonic() - began < 5.0
