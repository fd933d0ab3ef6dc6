"""What the lab's background process runs: serve a lab until it is told to end.

Owns the process's life: the lock on the state folder, the files that clients need, the note
that says where it serves, and the signals that end it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
import ssl
from functools import partial

from aiohttp import web

from erfailover.lab.core.clock import ScaledClock
from erfailover.lab.engine.lab import Lab
from erfailover.lab.engine.snapshots import SnapshotProblem
from erfailover.lab.server.az_config import write_configuration
from erfailover.lab.server.certificates import authority
from erfailover.lab.server.files import write_private
from erfailover.lab.server.server import client_environment, end, serve, tick
from erfailover.lab.server.state_folder import Folder, LabProblem

log = logging.getLogger("erfailover.lab.daemon")


def run(where: Folder, port: int, speed: float) -> None:
    """Serve from a state folder until told to end; raises LabProblem where a lab does."""
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s", level="INFO")
    with where.hold():
        try:
            asyncio.run(_serve(where, port, speed))
        except OSError as error:
            raise LabProblem(f"the lab cannot serve: {error}") from error


END_AFTER_S = 0.1
"""What a request to end is answered in, before the server goes."""


def _end_soon(loop: asyncio.AbstractEventLoop, ended: asyncio.Event) -> None:
    loop.call_later(END_AFTER_S, ended.set)


async def _bind(
    where: Folder, lab: Lab, context: ssl.SSLContext, port: int
) -> tuple[web.AppRunner, int]:
    """Serve at the port asked for; else at the last one, so that shells need no new variables."""
    kept = where.path / "port"
    if port == 0 and kept.is_file():
        with contextlib.suppress(OSError, ValueError):
            return await serve(lab, context, int(kept.read_text()))
    runner, bound = await serve(lab, context, port)
    write_private(kept, f"{bound}\n".encode())
    return runner, bound


KEEP_EVERY_S = 5.0
"""How often the world is written down while it changes, in wall seconds."""


def read_world(lab: Lab, where: Folder) -> None:
    """Hold what the lab held when it last wrote it down, if anything; else begin empty."""
    try:
        lab.restore(where.world.read_bytes())
    except FileNotFoundError:
        return
    except SnapshotProblem as problem:
        log.warning("the lab begins with an empty world: %s: %s", where.world, problem)
        return
    log.info("the lab holds %d resources again", len(lab.world.resources))


def write_world(lab: Lab, where: Folder) -> None:
    """Write down what the lab holds, whole or not at all."""
    write_private(where.world, lab.snapshot())


async def _keep_world(lab: Lab, where: Folder) -> None:
    changed = asyncio.Event()
    loop = asyncio.get_running_loop()

    def note() -> None:
        loop.call_soon_threadsafe(changed.set)

    lab.listen(note)
    while True:
        await changed.wait()
        changed.clear()
        try:
            write_world(lab, where)
        except Exception:
            log.exception("the lab's world could not be written down")
        await asyncio.sleep(KEEP_EVERY_S)


async def _serve(where: Folder, port: int, speed: float) -> None:
    lab = Lab(ScaledClock(speed), identity_=where.identity(), signing_key=where.signing_key())
    where.keep_signing_key(lab.tokens.private_key())
    read_world(lab, where)
    certificates = authority(where.path)
    runner, bound = await _bind(where, lab, certificates.server_context(), port)
    endpoint = f"https://127.0.0.1:{bound}"
    environment = client_environment(lab, endpoint, certificates.ca_file, where.path)
    environment["AZURE_CONFIG_DIR"] = str(write_configuration(where.az, lab.identity, endpoint))
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    lab.on_stop = partial(_end_soon, loop, ended)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    note = {
        "endpoint": endpoint,
        "port": bound,
        "ca": str(certificates.ca_file),
        "pid": os.getpid(),
        "speed": speed,
        "environment": environment,
    }
    write_private(where.note, json.dumps(note, indent=1).encode())
    log.info("the lab serves at %s, %g times as fast as the wall clock", endpoint, speed)
    tasks = [asyncio.create_task(tick(lab)), asyncio.create_task(_keep_world(lab, where))]
    await ended.wait()
    for task in tasks:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    await end(runner)
    write_world(lab, where)
    where.note.unlink(missing_ok=True)
    log.info("the lab has ended")
