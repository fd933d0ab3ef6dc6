"""The lab's background process: serve a lab until it is stopped.

Owns the process's life: the lock on the state folder, the files that clients need, the note
with its address, and the signals that end it.
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
from erfailover.lab.core.data_planes import LINUX
from erfailover.lab.engine.lab import Lab
from erfailover.lab.engine.snapshots import SnapshotError
from erfailover.lab.machines.data_plane import DataPlane
from erfailover.lab.machines.model_plane import ModelPlane
from erfailover.lab.server.az_config import write_configuration
from erfailover.lab.server.certificates import load_authority
from erfailover.lab.server.files import make_private_folder, write_private
from erfailover.lab.server.server import build_client_environment, serve, stop_serving, tick
from erfailover.lab.server.state_folder import LabError, StateFolder

log = logging.getLogger("erfailover.lab.daemon")


def run(where: StateFolder, port: int, speed: float, data_plane: str) -> None:
    """Serve from a state folder until stopped; raise LabError if another lab serves there."""
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s", level="INFO")
    with where.hold(), contextlib.closing(make_plane(where, speed, data_plane)) as plane:
        try:
            asyncio.run(_serve(where, port, speed, plane))
        except OSError as error:
            raise LabError(f"The lab cannot open its port: {error}") from error


def make_plane(where: StateFolder, speed: float, name: str) -> DataPlane:
    """Return the data plane of that name; raise LabError if it cannot start."""
    if name != LINUX:
        return ModelPlane()
    from erfailover.lab.linux.launch import AgentError, start_agent
    from erfailover.lab.linux.plane import LinuxPlane

    try:
        make_private_folder(where.disks)
        return LinuxPlane(speed, where.disks, start_agent)
    except AgentError as error:
        raise LabError(f"The Linux data plane cannot start: {error}") from error


END_AFTER_S = 0.1
"""The time to answer a shutdown request before the server stops."""


def _schedule_end(loop: asyncio.AbstractEventLoop, ended: asyncio.Event) -> None:
    loop.call_later(END_AFTER_S, ended.set)


async def _bind(
    where: StateFolder, lab: Lab, context: ssl.SSLContext, port: int
) -> tuple[web.AppRunner, int]:
    """Serve at the requested port, or at the last one so that shells need no new variables."""
    port_file = where.path / "port"
    if port == 0 and port_file.is_file():
        with contextlib.suppress(OSError, ValueError):
            return await serve(lab, context, int(port_file.read_text()))
    runner, bound = await serve(lab, context, port)
    write_private(port_file, f"{bound}\n".encode())
    return runner, bound


KEEP_EVERY_S = 5.0
"""The interval at which a changing world is saved, in wall seconds."""


def read_world(lab: Lab, where: StateFolder) -> None:
    """Restore the lab's last saved state, if any; otherwise start empty."""
    try:
        lab.restore(where.world.read_bytes())
    except FileNotFoundError:
        return
    except SnapshotError as problem:
        log.warning("the lab starts empty: %s cannot be restored: %s", where.world, problem)
        return
    log.info("restored %d resources", len(lab.world.resources))


def write_world(lab: Lab, where: StateFolder) -> None:
    """Save the lab's state atomically."""
    write_private(where.world, lab.snapshot())


async def _save_periodically(lab: Lab, where: StateFolder) -> None:
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
            log.exception("saving the lab's state failed")
        await asyncio.sleep(KEEP_EVERY_S)


async def _serve(where: StateFolder, port: int, speed: float, plane: DataPlane) -> None:
    lab = Lab(
        ScaledClock(speed),
        identity_=where.load_identity(),
        signing_key=where.read_signing_key(),
        plane=plane,
    )
    where.save_signing_key(lab.tokens.export_private_key())
    read_world(lab, where)
    certificates = load_authority(where.path)
    runner, bound = await _bind(where, lab, certificates.make_server_context(), port)
    endpoint = f"https://127.0.0.1:{bound}"
    environment = build_client_environment(lab, endpoint, certificates.ca_file, where.path)
    environment["AZURE_CONFIG_DIR"] = str(write_configuration(where.az, lab.identity, endpoint))
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    lab.on_stop = partial(_schedule_end, loop, ended)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    note = {
        "endpoint": endpoint,
        "port": bound,
        "ca": str(certificates.ca_file),
        "pid": os.getpid(),
        "speed": speed,
        "data_plane": plane.name,
        "environment": environment,
    }
    write_private(where.note, json.dumps(note, indent=1).encode())
    log.info("the lab is running at %s, at %g times real time", endpoint, speed)
    tasks = [asyncio.create_task(tick(lab)), asyncio.create_task(_save_periodically(lab, where))]
    await ended.wait()
    for task in tasks:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    await stop_serving(runner)
    write_world(lab, where)
    where.note.unlink(missing_ok=True)
    log.info("the lab has stopped")
