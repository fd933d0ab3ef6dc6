"""``erfailover watch``: a thread for each site, and a web server, until Ctrl-C or SIGTERM."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial

from erfailover.commands.context import Context
from erfailover.commands.watch.leadership import Leadership
from erfailover.commands.watch.notifier import Notifier, send_test
from erfailover.commands.watch.reading import SiteReading
from erfailover.commands.watch.site_watcher import SiteWatcher, Surroundings
from erfailover.commands.watch.stop import Stop
from erfailover.commands.watch.targets import make_targets, open_targets
from erfailover.commands.watch.web.server import WatchServer
from erfailover.commands.watch.web.settings import WebSettings
from erfailover.errors import AzureFailure, Failure, StateFailure, UsageFailure
from erfailover.model.counting import join_names
from erfailover.model.watch import SiteView
from erfailover.reporting.diagram import drawing, layout
from erfailover.reporting.diagram.site import build_sheet
from erfailover.reporting.status.headline import format_headline
from erfailover.runtime.clock import start

log = logging.getLogger("erfailover.progress.watch")

CLOSE_S = 5.0
"""How long the last notifications may take, in seconds of Azure's time."""
READING_S = 0.5
"""How long a reading that is under way may take at the end, in wall seconds."""
FINISH_S = 60.0
"""How long a run that is under way may take at the end, beyond ``timing.step_deadline_s``."""
IDLE_S = 3600.0
"""How long the main thread waits at once, in seconds."""
AFTER_BUG_S = 30.0
"""How soon a site is read again after an unexpected error, in seconds."""


def run(
    contexts: Sequence[Context],
    settings: WebSettings | None,
    wall: Callable[[], float] = time.time,
) -> None:
    """Watch sites until Ctrl-C or SIGTERM; a run that is under way is completed first.

    A second signal ends it at once, with ``KeyboardInterrupt``.

    Args:
        contexts: the sites, each with its own connections.
        settings: how the page is served; None for no web server.
        wall: wall time, in seconds since 1970.

    Raises:
        UsageFailure: a site file cannot be used, a package is missing, or the address is in use.
    """
    insist_on_different_sites(contexts)
    clock = contexts[0].clock
    stop = Stop(clock)
    watchers: list[SiteWatcher] = []
    loops: list[Future[None]] = []
    close_s = CLOSE_S
    server = None
    if settings is not None:
        server = WatchServer(partial(_list_views, watchers), settings, wall)
    try:
        for context in contexts:
            changed = server.notify if server is not None else _do_nothing
            draw = _draw if server is not None and _can_draw() else _draw_nothing
            watchers.append(open_watcher(context, changed, draw, wall))
        if server is not None:
            server.start()
            log.info("page, metrics and health: %s", server.url)
        loops += [start(clock, partial(_loop, watcher, stop), "watch") for watcher in watchers]
        while not all(loop.done() for loop in loops):
            clock.wait_for(lambda: any(loop.done() for loop in loops), IDLE_S)
            _raise_failures(loops)
    except KeyboardInterrupt:
        close_s = 0.0
        _complete(watchers, loops, stop)
        close_s = CLOSE_S
    finally:
        stop.set()
        for watcher in watchers:
            watcher.close(close_s)
        if server is not None:
            server.close()


def _complete(watchers: Sequence[SiteWatcher], loops: Sequence[Future[None]], stop: Stop) -> None:
    """Begin nothing else, and wait for the runs that are under way; a reading is given up.

    Raises:
        KeyboardInterrupt: a run takes too long.
    """
    runs = [loop for watcher, loop in zip(watchers, loops, strict=False) if watcher.gate.close()]
    stop.set()
    names = [watcher.view.site for watcher in watchers if watcher.view.run is not None]
    if names:
        what = join_names(names, len(names))
        log.warning("%s: the switch is completed first; a second signal stops it at once", what)
    longest_s = max(watcher.longest_step_s for watcher in watchers) if runs else 0.0
    if not stop.clock.wait_for(lambda: all(run.done() for run in runs), longest_s + FINISH_S):
        raise KeyboardInterrupt
    speed = getattr(stop.clock, "speed", 1.0)
    stop.clock.wait_for(lambda: all(loop.done() for loop in loops), READING_S * speed)


def open_watcher(
    context: Context,
    changed: Callable[[], None],
    draw: Callable[[Context, SiteReading], str],
    wall: Callable[[], float] = time.time,
) -> SiteWatcher:
    """Return the watcher of a site.

    Args:
        context: the site.
        changed: called when the view has changed.
        draw: returns a reading as an SVG.
        wall: wall time, in seconds since 1970.

    Raises:
        UsageFailure: a target of notifications, or the store, cannot be used as configured.
    """
    for target in open_targets(context, log.warning):
        target.close()

    def open_notifier(load: Callable[[], bytes | None], store: Callable[[bytes], None]) -> Notifier:
        targets = make_targets(context)  # a notifier closes its own
        return Notifier(targets, context.clock, load, store, log.warning, wall)

    leadership = Leadership.open(context)
    around = Surroundings(leadership, context.watch_store, open_notifier, changed, draw, wall)
    return SiteWatcher(context, around)


def test_notifications(contexts: Sequence[Context]) -> None:
    """Send a test to every target of every site, and report which have accepted it.

    Raises:
        UsageFailure: a site has no targets, or a target cannot be used as configured.
        StateFailure: a target has not accepted it.
    """
    problems = []
    for context in contexts:
        site = context.site
        targets = open_targets(context, context.output.warn)
        if not targets:
            raise UsageFailure(
                f"{context.site_file} has no targets for notifications",
                "Add watch.notifications: see docs/reference.md.",
            )
        for place, problem in send_test(targets, site.name, time.time(), site.watch.mode, None):
            context.output.print_info(f"{site.name}: {place}: {problem or 'accepted'}")
            problems += [place] if problem else []
    if problems:
        raise StateFailure(f"not accepted: {join_names(problems, len(problems))}")


def insist_on_different_sites(contexts: Sequence[Context]) -> None:
    """Refuse two site files of one site: their watchers would compete for it.

    Raises:
        UsageFailure: two are of the same site.
    """
    files: dict[tuple[str, str | None], Context] = {}
    for context in contexts:
        site = context.site_file.site
        key = site.name, site.subscription
        if key in files:
            raise UsageFailure(
                f"{files[key].site_file} and {context.site_file} are both of the site {site.name}",
                "Give each site file once.",
            )
        files[key] = context


def _loop(watcher: SiteWatcher, stop: Stop) -> None:
    """Watch one site until the end; an unexpected error is logged, and the site is read again."""
    while not stop.is_set:
        try:
            pause_s = watcher.take_turn()
        except AzureFailure as failure:
            log.warning("%s: %s", watcher.view.site, failure.message)
            pause_s = watcher.view.interval_s
        except UsageFailure:
            raise
        except Failure as failure:
            log.warning("%s: %s", watcher.view.site, failure.message)
            pause_s = watcher.view.interval_s
        except Exception:
            if stop.is_set:  # its connections are closed
                return
            log.exception("%s: a bug in erfailover", watcher.view.site)
            pause_s = AFTER_BUG_S
        stop.wait(pause_s)


def _raise_failures(loops: Sequence[Future[None]]) -> None:
    """Raise what has ended a loop."""
    for loop in loops:
        if loop.done():
            loop.result()


def _list_views(watchers: Sequence[SiteWatcher]) -> list[SiteView]:
    return [watcher.view for watcher in watchers]


def _do_nothing() -> None:
    """Do nothing: no page is served."""


def _can_draw() -> bool:
    """Return whether the library that lays out the diagram is installed."""
    try:
        layout.load_library()
    except UsageFailure as failure:
        log.info("the page has no diagram: %s", failure.message)
        return False
    return True


def _draw(context: Context, site_reading: SiteReading) -> str:
    if site_reading.picture is None or site_reading.health is None:
        return ""
    verdict = format_headline(site_reading.health)
    name = context.site_file.site.name
    return drawing.render_inline(build_sheet(site_reading.picture, verdict), f"{name}/")


def _draw_nothing(context: Context, site_reading: SiteReading) -> str:
    return ""
