"""HTTPS server for a lab, on this machine only.

Owns the listening socket (127.0.0.1, never another address), its TLS, and the thread that
serves for tests. ``LabServer`` is the lab's interface for all other code.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
import tempfile
import threading
from pathlib import Path
from types import TracebackType

from aiohttp import web

from erfailover.lab.auth import managed_identity
from erfailover.lab.engine.lab import Lab
from erfailover.lab.server.application import make_application
from erfailover.lab.server.certificates import Authority, load_authority
from erfailover.lab.server.files import write_private

log = logging.getLogger("erfailover.lab.server")

HOST = "127.0.0.1"
TICK_S = 0.05
"""The interval at which an idle scaled lab runs due events, in wall seconds."""


async def serve(lab: Lab, context: ssl.SSLContext, port: int) -> tuple[web.AppRunner, int]:
    """Start serving a lab; return the runner, for its clean-up, and the port."""
    runner = web.AppRunner(
        make_application(lab), access_log=None, handle_signals=False, shutdown_timeout=1.0
    )
    await runner.setup()
    site = web.TCPSite(runner, HOST, port, ssl_context=context)
    await site.start()
    bound: int = runner.addresses[0][1]
    return runner, bound


async def stop_serving(runner: web.AppRunner) -> None:
    """Stop serving and drop the connections that clients keep open.

    A TLS connection that is merely closed waits for the client's half, which may never come.
    """
    server = runner.server
    for connection in server.connections if server else ():
        if connection.transport is not None:
            connection.transport.abort()
    await runner.cleanup()
    await asyncio.sleep(0.01)


async def tick(lab: Lab) -> None:
    """Run due events, for a clock that runs by itself."""
    while lab.speed is not None:
        await asyncio.sleep(TICK_S)
        with lab.lock:
            try:
                lab.catch_up()
            except Exception:
                log.exception("the lab failed to process a due event")


def build_client_environment(
    lab: Lab, endpoint: str, ca_file: Path, directory: Path
) -> dict[str, str]:
    """Return the variables that point unmodified clients at the lab.

    The bundle holds the lab's authority alone: whatever goes astray towards the public cloud
    fails at TLS instead of arriving there. ``DefaultAzureCredential`` takes the workload identity
    or, if that cannot reach the public cloud (JavaScript), the managed identity.
    """
    token_file = directory / "federated-token"
    write_private(token_file, lab.tokens.issue_federated_token().encode())
    identity = lab.identity
    variables = {
        "ERFAILOVER_ENDPOINT": endpoint,
        "AZURE_AUTHORITY_HOST": endpoint,
        "AZURE_TENANT_ID": identity.tenant,
        "AZURE_CLIENT_ID": identity.client_id,
        "AZURE_FEDERATED_TOKEN_FILE": str(token_file),
        "AZURE_TOKEN_CREDENTIALS": "prod",
        "IDENTITY_ENDPOINT": f"{endpoint}/{managed_identity.PATH}",
        "IDENTITY_HEADER": managed_identity.derive_header_value(identity),
        "AZURE_SUBSCRIPTION_ID": identity.subscription,
        "REQUESTS_CA_BUNDLE": str(ca_file),
        "NODE_EXTRA_CA_CERTS": str(ca_file),
    }
    if lab.speed is not None:
        variables["ERFAILOVER_CLOCK_SPEED"] = f"{lab.speed:g}"
    return variables


class LabServer:
    """A thread that serves a lab as long as the context lasts.

    ``directory`` keeps the certificate authority; a temporary one is created if none is given.
    """

    def __init__(self, lab: Lab, directory: Path | None = None, port: int = 0) -> None:
        self.lab = lab
        self._keep = None if directory else tempfile.TemporaryDirectory(prefix="erfailover-lab-")
        self.directory = directory or Path(self._keep.name if self._keep else "")
        self._port = port
        self._authority: Authority = load_authority(self.directory)
        self._loop = asyncio.new_event_loop()
        self._thread: threading.Thread | None = None
        self.endpoint = ""

    @property
    def ca_file(self) -> Path:
        """The certificate authority to trust."""
        return self._authority.ca_file

    def build_environment(self) -> dict[str, str]:
        """Return the variables that point unmodified clients at the lab."""
        return build_client_environment(self.lab, self.endpoint, self.ca_file, self.directory)

    def __enter__(self) -> LabServer:
        started = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(started,), name="lab", daemon=True)
        self._thread.start()
        started.wait(30)
        if not self.endpoint:
            self._clean_up()
            raise RuntimeError("the lab's server did not start; see its log")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        if self._thread is not None:
            self._thread.join(10)
        self._clean_up()

    def _clean_up(self) -> None:
        if self._keep is not None:
            self._keep.cleanup()

    def _run(self, started: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            context = self._authority.make_server_context()
            runner, port = self._loop.run_until_complete(serve(self.lab, context, self._port))
            self.endpoint = f"https://{HOST}:{port}"
            ticking = self._loop.create_task(tick(self.lab))
            started.set()
            self._loop.run_forever()
            ticking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                self._loop.run_until_complete(ticking)
            self._loop.run_until_complete(stop_serving(runner))
        except Exception:
            log.exception("the lab's server failed")
        finally:
            started.set()
            self._loop.close()
