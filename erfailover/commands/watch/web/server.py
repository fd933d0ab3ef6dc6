"""The web server of ``erfailover watch``, in a separate thread: it never holds up a switch."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import socket
import ssl
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from erfailover.commands.watch.web.settings import Address, Certificate, WebSettings
from erfailover.errors import Failure, UsageFailure
from erfailover.model.watch import SiteView

if TYPE_CHECKING:
    from aiohttp import web

    from erfailover.commands.watch.web.application import WebState

log = logging.getLogger("erfailover.watch.web")

CERTIFICATE_CHECK_S = 60.0
"""How often the certificate's files are looked at: a renewed one is used without a restart."""
START_S = STOP_S = 10.0
"""How long its thread may take to begin and to end, in seconds."""


class WatchServer:
    """Serves the page, its events, the metrics and the health of the watched sites.

    Attributes:
        url: where it listens; empty before ``start``.
    """

    def __init__(
        self,
        get_views: Callable[[], Sequence[SiteView]],
        settings: WebSettings,
        now: Callable[[], float],
    ) -> None:
        """Prepare it.

        Args:
            get_views: returns the watched sites at this moment; called in the server's thread.
            settings: where it listens.
            now: wall seconds since 1970, on the clock of the views.
        """
        self._get_views = get_views
        self._settings = settings
        self._now = now
        self._loop = asyncio.new_event_loop()
        self._thread: threading.Thread | None = None
        self._state: WebState | None = None
        self.url = ""

    def start(self) -> None:
        """Listen, and serve from now on.

        Raises:
            UsageFailure: a package is missing, the address cannot be used, or the certificate
                cannot be read.
        """
        application = _load_application()
        certificate = self._settings.certificate
        context = certificate.build_context() if certificate else None
        listener = _listen(self._settings.address)
        address = Address(self._settings.address.host, listener.getsockname()[1])
        self.url = f"{'https' if context else 'http'}://{address}"
        self._state = application.WebState(
            self._get_views,
            self._now,
            self._settings.token,
            is_loopback=address.is_loopback,
            is_secure=context is not None,
            started=self._now(),
        )
        app = application.make_application(self._state)
        serving = threading.Event()
        self._thread = threading.Thread(
            target=self._run, args=(app, listener, context, serving), name="watch-web", daemon=True
        )
        self._thread.start()
        serving.wait(START_S)

    def notify(self) -> None:
        """Have the open pages show a change now; callable from any thread, never waits."""
        if self._state is not None and not self._loop.is_closed():
            with contextlib.suppress(RuntimeError):  # closed meanwhile
                self._loop.call_soon_threadsafe(self._state.wake)

    def close(self) -> None:
        """Stop serving; does nothing if it does not serve."""
        if self._thread is not None:
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(STOP_S)
            self._thread = None
        elif not self._loop.is_closed():
            self._loop.close()

    def _run(
        self,
        app: web.Application,
        listener: socket.socket,
        context: ssl.SSLContext | None,
        serving: threading.Event,
    ) -> None:
        asyncio.set_event_loop(self._loop)
        tasks: list[asyncio.Task[None]] = []
        try:
            runner = self._loop.run_until_complete(_serve(app, listener, context))
            certificate = self._settings.certificate
            if context is not None and certificate is not None:
                tasks.append(self._loop.create_task(_renew(certificate, context)))
            self._loop.call_soon(serving.set)
            self._loop.run_forever()
            for task in tasks:
                task.cancel()
            self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
            if self._state is not None:
                self._state.is_closing = True
                self._state.wake()
            self._loop.run_until_complete(_stop(runner))
        except Exception:
            log.exception("the web server failed; the watch goes on without it")
        finally:
            serving.set()
            listener.close()
            self._loop.close()


async def _serve(
    app: web.Application, listener: socket.socket, context: ssl.SSLContext | None
) -> web.AppRunner:
    from aiohttp import web

    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1.0)
    await runner.setup()
    await web.SockSite(runner, listener, ssl_context=context).start()
    return runner


async def _stop(runner: web.AppRunner) -> None:
    """Stop serving and drop the connections that clients keep open."""
    await asyncio.sleep(0.05)  # for the last event to be sent
    server = runner.server
    for connection in server.connections if server else ():
        if connection.transport is not None:
            connection.transport.abort()
    await runner.cleanup()
    await asyncio.sleep(0.01)


async def _renew(certificate: Certificate, context: ssl.SSLContext) -> None:
    """Read the certificate again whenever its files change; keep the last that could be used."""

    def read_times() -> tuple[int, ...]:
        files = (certificate.cert, certificate.key)
        return tuple(file.stat().st_mtime_ns for file in files if file.exists())

    times = read_times()
    while True:
        await asyncio.sleep(CERTIFICATE_CHECK_S)
        if times == (times := read_times()):
            continue
        try:
            certificate.load_into(context)
        except Failure as failure:
            log.warning("the previous certificate stays in use: %s", failure.message)
        else:
            log.info("the renewed certificate %s is in use", certificate.cert)


def _listen(address: Address) -> socket.socket:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        return socket.create_server((address.host, address.port), family=family, backlog=128)
    except OSError as error:
        hint = "Choose another address with --listen HOST:PORT, or --listen none for no page."
        if error.errno == errno.EADDRINUSE:
            hint = (
                "Another program listens there; a second erfailover watch on this machine needs "
                "its own port: --listen 127.0.0.1:PORT, or --listen none."
            )
        why = os.strerror(error.errno) if error.errno else str(error)
        raise UsageFailure(f"--listen {address} cannot be used: {why}", hint) from None


def _load_application() -> Any:
    """Return the module that needs the optional packages.

    Raises:
        UsageFailure: they are not installed.
    """
    try:
        from erfailover.commands.watch.web import application
    except ModuleNotFoundError as error:
        raise UsageFailure(
            f"the page and the metrics need the package {error.name}, which is not installed",
            "Install it: pip install 'erfailover[watch]'. Without them: --listen none.",
        ) from None
    return application
