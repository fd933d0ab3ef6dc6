"""The lab's web application: which handler answers which path.

Owns the routes of Entra ID, of the managed identity and of the cloud's metadata; every other path
is ARM's. It decides nothing about resources. Only requests that name a loopback host are
answered, so that no web page elsewhere can reach the lab by a name of its own.
"""

from __future__ import annotations

import json
import re
from urllib.parse import unquote

from aiohttp import web
from aiohttp.typedefs import Handler

from erfailover.lab.arm import directory, service
from erfailover.lab.auth import managed_identity
from erfailover.lab.core import errors
from erfailover.lab.core.protocol import Answer, Request, refused
from erfailover.lab.engine.lab import Lab
from erfailover.lab.server import control_api

LAB = web.AppKey("LAB", Lab)
"""The lab that the application serves."""
BODY_LIMIT = 4 * 2**20
"""ARM's limit for a request's body, in bytes."""
_LOOPBACK = re.compile(r"(localhost|127\.0\.0\.1|\[::1\])(:[0-9]+)?")


def application(lab: Lab) -> web.Application:
    """Return the web application that serves a lab."""
    app = web.Application(client_max_size=BODY_LIMIT, middlewares=[_require_loopback])
    app[LAB] = lab
    app.add_subapp("/lab", control_api.application(lab))
    app.add_routes(
        [
            web.get("/metadata/endpoints", _cloud_metadata),
            web.get(f"/{managed_identity.PATH}", _managed_identity),
            web.post("/{tenant}/oauth2/token", _token),
            web.post("/{tenant}/oauth2/v2.0/token", _token),
            web.get("/{tenant}/.well-known/openid-configuration", _openid_configuration),
            web.get("/{tenant}/v2.0/.well-known/openid-configuration", _openid_configuration),
            web.get("/{tenant}/discovery/keys", _keys),
            web.get("/{tenant}/discovery/v2.0/keys", _keys),
            web.get("/{tenant}/discovery/instance", _instance_discovery),
            web.route("*", "/{path:(?s:.*)}", _arm),
        ]
    )
    return app


@web.middleware
async def _require_loopback(request: web.Request, handler: Handler) -> web.StreamResponse:
    if _LOOPBACK.fullmatch(request.host):
        return await handler(request)
    text = f"The lab answers on this machine only, not as {request.host}."
    refusal = errors.Refusal(421, "MisdirectedRequest", text)
    return _response(request, refused(refusal, None))


def _base(request: web.Request) -> str:
    return f"https://{request.host}"


async def _arm(request: web.Request) -> web.Response:
    try:
        body = await request.read()
    except web.HTTPRequestEntityTooLarge:
        return _response(request, refused(errors.content_too_large(BODY_LIMIT), None))
    lab = request.app[LAB]
    answer = service.handle(
        lab,
        Request(
            request.method,
            unquote(request.rel_url.raw_path),
            {name.lower(): value for name, value in request.query.items()},
            _base(request),
            body,
            request.headers,
        ),
    )
    if answer.pause_s:
        await lab.clock.pause(answer.pause_s)
    if answer.drop and request.transport is not None:
        request.transport.abort()
    return _response(request, answer)


def _response(request: web.Request, answer: Answer) -> web.Response:
    fresh = request.app[LAB].fresh
    headers = dict(answer.headers)
    headers["x-ms-request-id"] = headers["x-ms-correlation-request-id"] = fresh.guid()
    headers["Cache-Control"] = "no-cache"
    if answer.body is None:
        return web.Response(status=answer.status, headers=headers)
    return web.Response(
        status=answer.status,
        body=json.dumps(answer.body).encode(),
        headers=headers,
        content_type="application/json",
        charset="utf-8",
    )


async def _cloud_metadata(request: web.Request) -> web.Response:
    version = request.query.get("api-version", "")
    return web.json_response(directory.cloud_metadata(_base(request), version))


async def _managed_identity(request: web.Request) -> web.Response:
    lab = request.app[LAB]
    answer = managed_identity.answer(
        lab.tokens, lab.identity, _base(request), request.query, request.headers
    )
    return web.json_response(answer.body, status=answer.status)


async def _token(request: web.Request) -> web.Response:
    form = {name: str(value) for name, value in (await request.post()).items()}
    tokens, tenant = request.app[LAB].tokens, request.match_info["tenant"]
    answer = tokens.grant(_base(request), tenant, form)
    return web.json_response(answer.body, status=answer.status)


async def _openid_configuration(request: web.Request) -> web.Response:
    tokens, tenant = request.app[LAB].tokens, request.match_info["tenant"]
    return web.json_response(tokens.configuration(_base(request), tenant))


async def _keys(request: web.Request) -> web.Response:
    return web.json_response(request.app[LAB].tokens.keys())


async def _instance_discovery(request: web.Request) -> web.Response:
    tenant = request.app[LAB].identity.tenant
    names = {"preferred_network": request.host, "preferred_cache": request.host}
    return web.json_response(
        {
            "tenant_discovery_endpoint": (
                f"{_base(request)}/{tenant}/v2.0/.well-known/openid-configuration"
            ),
            "api-version": "1.1",
            "metadata": [{**names, "aliases": [request.host]}],
        }
    )
