"""``erfailover lab capture``: the packets of a link, as tcpdump writes them."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from types import FrameType

import click

from erfailover.lab.cli.client import ask, state_dir_option

_PAUSE_S = 3600.0


@click.command()
@state_dir_option
@click.argument("link", required=False)
@click.argument("file", required=False, type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--seconds",
    type=click.FloatRange(0, min_open=True),
    help="Duration, in real seconds. Default: until Ctrl-C.",
)
@click.option("--list", "list_links", is_flag=True, help="List the links.")
def capture(
    state_dir: Path | None,
    link: str | None,
    file: Path | None,
    seconds: float | None,
    list_links: bool,
) -> None:
    """Write the packets of LINK to FILE, in the format of tcpdump.

    The lab must run with the Linux data plane. Use --list to show its links.
    """
    if list_links:
        for name in ask(state_dir, "GET", "/lab/captures")["links"]:
            click.echo(name)
        return
    if link is None or file is None:
        raise click.UsageError("Specify a LINK and a FILE, or use --list.")
    signal.signal(signal.SIGTERM, _interrupt)
    request = {"link": link, "file": str(file.absolute())}
    number = ask(state_dir, "POST", "/lab/captures", request)["id"]
    try:
        if seconds is None:
            click.echo(f"Capturing on {link}. Press Ctrl-C to stop.", err=True)
        _sleep(seconds)
    except KeyboardInterrupt:
        click.echo(err=True)
    packets = ask(state_dir, "DELETE", f"/lab/captures/{number}")["packets"]
    click.echo(f"{packets} packets captured on {link}.")


def _sleep(seconds: float | None) -> None:
    if seconds is not None:
        time.sleep(seconds)
        return
    while True:
        time.sleep(_PAUSE_S)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
