"""The lab over HTTP: ARM's paths, Entra's paths, the lab's own.

Owns the web application; decides nothing about resources. It answers only requests that name
a loopback host, so that no web page elsewhere can reach it by a name of its own.
"""

from __future__ import annotations

import json
from urllib.parse import unquote

from aiohttp import web

from erfailover.lab.arm import directory, service
from erfailover.lab.auth import managed_identity
from erfailover.lab.core import errors
from erfailover.lab.core.protocol import Answer, Request, refused
from erfailover.lab.engine.lab import Lab
from erfailover.lab.server import control_api

BODY_LIMIT = 4 * 2**20
"""ARM's limit for a request's body, in bytes."""
LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})


def application(lab: Lab) -> web.Application:
    """The web application that serves a lab."""
    app = web.Application(client_max_size=BODY_LIMIT)

    async def serve(request: web.Request) -> web.StreamResponse:
        return await _serve(lab, request)

    app.router.add_route("*", "/{path:.*}", serve)
    return app


async def _serve(lab: Lab, request: web.Request) -> web.Response:
    host = request.host.rpartition(":")[0] or request.host
    if host not in LOOPBACK:
        text = f"The lab answers on this machine only, not as {host}."
        return _response(lab, refused(errors.Refusal(421, "MisdirectedRequest", text), None))
    path = unquote(request.rel_url.raw_path)
    first = path.strip("/").split("/", 1)[0].lower()
    base = f"https://{request.host}"
    try:
        body = await request.read()
    except web.HTTPRequestEntityTooLarge:
        return _response(lab, refused(errors.content_too_large(BODY_LIMIT), None))
    if first == "lab":
        return _response(lab, await control_api.handle(lab, request, path, body))
    if first == "metadata":
        version = request.query.get("api-version", "")
        return web.json_response(directory.cloud_metadata(base, version))
    if path.strip("/").lower() == managed_identity.PATH:
        known = lab.identity
        issued = managed_identity.answer(lab.tokens, known, base, request.query, request.headers)
        return web.json_response(issued.body, status=issued.status)
    if first not in {"subscriptions", "tenants"}:
        found = await _entra(lab, request, path, base)
        if found is not None:
            return found
    answer = service.handle(
        lab,
        Request(
            request.method,
            path,
            {name.lower(): value for name, value in request.query.items()},
            base,
            body,
            request.headers,
        ),
    )
    if answer.pause_s:
        await lab.clock.pause(answer.pause_s)
    if answer.drop and request.transport is not None:
        request.transport.abort()
    return _response(lab, answer)


def _response(lab: Lab, answer: Answer) -> web.Response:
    headers = dict(answer.headers)
    headers["x-ms-request-id"] = headers["x-ms-correlation-request-id"] = lab.fresh.guid()
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


async def _entra(lab: Lab, request: web.Request, path: str, base: str) -> web.Response | None:
    parts = path.strip("/").split("/")
    tenant, rest = parts[0], "/".join(parts[1:]).lower()
    match rest:
        case "oauth2/v2.0/token" | "oauth2/token":
            form = {name: str(value) for name, value in (await request.post()).items()}
            answer = lab.tokens.grant(base, tenant, form)
            return web.json_response(answer.body, status=answer.status)
        case "v2.0/.well-known/openid-configuration" | ".well-known/openid-configuration":
            return web.json_response(lab.tokens.configuration(base, tenant))
        case "discovery/v2.0/keys" | "discovery/keys":
            return web.json_response(lab.tokens.keys())
        case "discovery/instance":
            host = base.removeprefix("https://")
            row = {"preferred_network": host, "preferred_cache": host, "aliases": [host]}
            where = f"{base}/{lab.identity.tenant}/v2.0/.well-known/openid-configuration"
            return web.json_response(
                {"tenant_discovery_endpoint": where, "api-version": "1.1", "metadata": [row]}
            )
        case _:
            return None
