"""The web application of ``erfailover watch``: paths, access, headers, live events.

Read-only: every method except GET and HEAD is refused, apart from signing in. On a loopback address
only requests that name a loopback host are answered, so that no web page elsewhere can reach it by
another name.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from aiohttp import web
from aiohttp.typedefs import Handler
from prometheus_client import CollectorRegistry

from erfailover import __version__
from erfailover.commands.watch.web import metrics, sessions
from erfailover.model.watch import SiteView
from erfailover.reporting.watch import health, page
from erfailover.reporting.watch.assets import read_asset

log = logging.getLogger("erfailover.watch.web")

HEARTBEAT_S = 5.0
"""The longest pause between two events, in wall seconds; the page calls 12 s a lost connection."""
SEND_LIMIT_S = 20.0
"""A browser that takes longer to accept an event is disconnected; it connects again by itself."""
MOST_STREAMS = 100
RETRY_MS = 2000
"""How soon a browser connects again."""
WRONG_TOKEN_S = 1.0
"""How long the answer to a wrong token takes."""
BODY_LIMIT = 8192
ASSETS = {
    "page.css": "text/css",
    "page.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}
OPEN_PATHS = frozenset({"/livez", "/readyz", "/login", *(f"/assets/{name}" for name in ASSETS)})
"""The paths that need no token: an orchestrator asks two, the login page needs the others."""
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Server": "erfailover",
}
UNAUTHORIZED, NOT_ALLOWED, MISDIRECTED, UNAVAILABLE = 401, 405, 421, 503
_LOOPBACK = re.compile(r"(localhost|127(\.[0-9]{1,3}){3}|\[::1\])(:[0-9]+)?", re.IGNORECASE)


@dataclass(eq=False)
class WebState:
    """What the application shows, and to whom.

    Attributes:
        get_views: the watched sites at this moment; called in the server's thread.
        now: wall seconds.
        token: what a client must send; None if none is needed.
        is_loopback: whether only this machine reaches it.
        is_secure: whether it is served over https.
    """

    get_views: Callable[[], Sequence[SiteView]]
    now: Callable[[], float]
    token: str | None
    is_loopback: bool
    is_secure: bool
    started: float = 0.0
    is_closing: bool = False
    changed: set[asyncio.Event] = field(default_factory=set)
    """One for each browser that is connected."""
    _rendered: tuple[list[SiteView], str] = ([], "")

    def render(self) -> tuple[Sequence[SiteView], str]:
        """Return the sites, and the changing part of the page: many browsers share one text."""
        views = [replace(view, heartbeat_at=None) for view in self.get_views()]
        if not self._rendered[1] or views != self._rendered[0]:
            self._rendered = views, page.render_sites(views)
        return self._rendered

    def wake(self) -> None:
        """Have every browser sent what has changed."""
        for event in self.changed:
            event.set()


STATE = web.AppKey("STATE", WebState)
REGISTRY = web.AppKey("REGISTRY", CollectorRegistry)


def make_application(state: WebState) -> web.Application:
    """Return the web application."""
    app = web.Application(client_max_size=BODY_LIMIT, middlewares=[_guard])
    app[STATE] = state
    app[REGISTRY] = metrics.build_registry(state.get_views)
    app.on_response_prepare.append(_add_headers)
    app.add_routes(
        [
            web.get("/", _handle_page),
            web.get("/events", _handle_events),
            web.get("/metrics", _handle_metrics),
            web.get("/livez", _handle_livez),
            web.get("/readyz", _handle_readyz),
            web.get("/login", _handle_login_page),
            web.post("/login", _handle_login),
            *(web.get(f"/assets/{name}", _handle_asset) for name in ASSETS),
        ]
    )
    return app


def compute_page_version() -> str:
    """Return what changes if the page, its script or its style does."""
    names = ("page.html", "sites.html", *ASSETS)
    text = "".join(map(read_asset, names)) + __version__
    return hashlib.sha256(text.encode()).hexdigest()[:12]


PAGE_VERSION = compute_page_version()


@web.middleware
async def _guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse what may not be asked; answer a failure without its traceback."""
    state = request.app[STATE]
    if state.is_loopback and not _LOOPBACK.fullmatch(request.host):
        text = f"This server answers as 127.0.0.1 or localhost only, not as {request.host}.\n"
        return web.Response(status=MISDIRECTED, text=text)
    signs_in = request.path == "/login" and state.token is not None
    if request.method not in ("GET", "HEAD") and not (signs_in and request.method == "POST"):
        allowed = "GET, HEAD, POST" if signs_in else "GET, HEAD"
        return web.Response(
            status=NOT_ALLOWED, headers={"Allow": allowed}, text="This server is read-only.\n"
        )
    if request.path not in OPEN_PATHS and not _is_allowed(request, state):
        return _answer_unauthorized(request)
    try:
        return await handler(request)
    except (web.HTTPException, ConnectionError, asyncio.CancelledError):
        raise
    except Exception:
        log.exception("the page could not answer %s", request.path)
        return web.Response(status=500, text="An error of erfailover; its log has the details.\n")


def _is_allowed(request: web.Request, state: WebState) -> bool:
    token = state.token
    return (
        token is None
        or sessions.is_bearer(request.headers.get("Authorization", ""), token)
        or sessions.is_session(request.cookies.get(sessions.COOKIE, ""), token, state.now())
    )


def _answer_unauthorized(request: web.Request) -> web.Response:
    headers = {"WWW-Authenticate": "Bearer"}
    if request.path == "/":
        return _build_login_page("", UNAUTHORIZED, headers)
    text = "This path needs the token: Authorization: Bearer TOKEN.\n"
    return web.Response(status=UNAUTHORIZED, headers=headers, text=text)


async def _add_headers(request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(HEADERS)
    response.headers.setdefault("Cache-Control", "no-store")


async def _handle_page(request: web.Request) -> web.Response:
    state = request.app[STATE]
    html = page.render_page(state.get_views(), state.now(), PAGE_VERSION)
    return web.Response(text=html, content_type="text/html")


async def _handle_asset(request: web.Request) -> web.Response:
    name = request.path.rpartition("/")[2]
    return web.Response(
        text=read_asset(name),
        content_type=ASSETS[name],
        headers={"Cache-Control": "max-age=86400, immutable"},
    )


async def _handle_metrics(request: web.Request) -> web.Response:
    body, content_type = metrics.render_metrics(
        request.app[REGISTRY], request.headers.get("Accept", "")
    )
    return web.Response(body=body, headers={"Content-Type": content_type})


async def _handle_livez(request: web.Request) -> web.Response:
    state = request.app[STATE]
    return _answer_health(health.list_stalled(state.get_views(), state.now()))


async def _handle_readyz(request: web.Request) -> web.Response:
    state = request.app[STATE]
    return _answer_health(health.list_unready(state.get_views(), state.started, state.now()))


def _answer_health(reasons: Sequence[str]) -> web.Response:
    if reasons:
        return web.Response(status=UNAVAILABLE, text="\n".join(reasons) + "\n")
    return web.Response(text="ok\n")


async def _handle_login_page(request: web.Request) -> web.Response:
    if request.app[STATE].token is None:
        raise web.HTTPNotFound
    return _build_login_page("", 200, {})


async def _handle_login(request: web.Request) -> web.Response:
    state = request.app[STATE]
    text = (await request.post()).get("token", "")
    if state.token is None or not isinstance(text, str) or not sessions.is_token(text, state.token):
        await asyncio.sleep(WRONG_TOKEN_S)
        return _build_login_page("This is not the token.", UNAUTHORIZED, {})
    response = web.Response(status=303, headers={"Location": "/"})
    response.set_cookie(
        sessions.COOKIE,
        sessions.create_session(state.token, state.now()),
        max_age=sessions.LASTS_S,
        path="/",
        secure=state.is_secure,
        httponly=True,
        samesite="Strict",
    )
    return response


def _build_login_page(message: str, status: int, headers: dict[str, str]) -> web.Response:
    html = page.render_login(message, PAGE_VERSION)
    return web.Response(status=status, headers=headers, text=html, content_type="text/html")


async def _handle_events(request: web.Request) -> web.StreamResponse:
    """Send the page's content whenever it changes, and the time at least every few seconds."""
    state = request.app[STATE]
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    if request.method == "HEAD":
        return response
    if len(state.changed) >= MOST_STREAMS:
        text = f"{MOST_STREAMS} pages are open already; close one.\n"
        return web.Response(status=UNAVAILABLE, text=text)
    event = asyncio.Event()
    state.changed.add(event)
    try:
        await response.prepare(request)
        await asyncio.wait_for(response.write(b"retry: %d\n\n" % RETRY_MS), SEND_LIMIT_S)
        sent = ""
        while not state.is_closing and _is_allowed(request, state):
            event.clear()
            views, html = state.render()
            message: dict[str, object] = {"now": state.now(), "version": PAGE_VERSION}
            if html != sent:
                message |= {"html": html, "title": page.format_title(views)}
            line = f"data: {json.dumps(message)}\n\n".encode()
            await asyncio.wait_for(response.write(line), SEND_LIMIT_S)
            sent = html
            await _wait(event, HEARTBEAT_S)
    except (ConnectionError, TimeoutError):
        log.debug("a page was disconnected")
    finally:
        state.changed.discard(event)
    return response


async def _wait(event: asyncio.Event, timeout_s: float) -> None:
    try:
        await asyncio.wait_for(event.wait(), timeout_s)
    except TimeoutError:
        return
