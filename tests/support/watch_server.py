"""A web server of the watch for tests, and a client that keeps what it is answered."""

from __future__ import annotations

import http.client
import ssl
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import trustme

from erfailover.commands.watch.web.server import WatchServer
from erfailover.commands.watch.web.settings import Address, Certificate, WebSettings
from erfailover.model.watch import SiteView
from tests.support.watch_views import NOW, make_view

LOOPBACK = Address("127.0.0.1", 0)
TOKEN = "0123456789abcdef0123456789abcdef"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    text: str


@dataclass
class Watched:
    """What a server shows; tests change it."""

    views: Sequence[SiteView] = field(default_factory=lambda: [make_view()])
    at: float = NOW
    hangs_until: float = 0.0
    """Until this moment of ``time.monotonic``, the server gets no answer."""
    server: WatchServer = field(init=False)

    def get_views(self) -> Sequence[SiteView]:
        time.sleep(max(self.hangs_until - time.monotonic(), 0.0))
        return self.views

    def show(self, *views: SiteView) -> None:
        self.views = views
        self.server.notify()

    def ask(
        self,
        path: str,
        method: str = "GET",
        headers: Mapping[str, str] = {},
        body: str | None = None,
        ca: trustme.CA | None = None,
    ) -> Answer:
        url = urlsplit(self.server.url)
        assert url.hostname
        if url.scheme == "https":
            context = ssl.create_default_context()
            assert ca
            ca.configure_trust(context)
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                "127.0.0.1", url.port, timeout=10, context=context
            )
        else:
            connection = http.client.HTTPConnection(url.hostname, url.port, timeout=10)
        connection.request(method, path, body, dict(headers))
        response = connection.getresponse()
        text = response.read().decode()
        answer = Answer(response.status, {**response.headers}, text)
        connection.close()
        return answer


@contextmanager
def serving(
    settings: WebSettings | None = None, views: Sequence[SiteView] | None = None
) -> Iterator[Watched]:
    """Serve on a free port of this machine."""
    watched = Watched() if views is None else Watched(views)
    settings = settings or WebSettings(LOOPBACK)
    watched.server = WatchServer(watched.get_views, settings, lambda: watched.at)
    watched.server.start()
    try:
        yield watched
    finally:
        watched.server.close()


def write_certificate(folder: Path) -> tuple[trustme.CA, Certificate]:
    """Return an authority, and a certificate for 127.0.0.1 that it has issued."""
    ca = trustme.CA()
    issued = ca.issue_cert("127.0.0.1", "localhost")
    cert, key = folder / "tls.crt", folder / "tls.key"
    issued.private_key_pem.write_to_path(key)
    cert.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    return ca, Certificate(cert, key)
