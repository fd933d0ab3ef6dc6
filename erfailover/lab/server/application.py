"""The lab's web application: the handler of each path.

Owns the routes of Entra ID, of the managed identity and of the cloud's metadata; every other path
is ARM's. It decides nothing about resources. Only requests that name a loopback host are
answered, so that no web page elsewhere can reach the lab by another name.
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
from erfailover.lab.core.protocol import Answer, Request, answer_refusal
from erfailover.lab.engine.lab import Lab
from erfailover.lab.server import control_api

LAB = web.AppKey("LAB", Lab)
"""The lab that the application serves."""
BODY_LIMIT = 4 * 2**20
"""ARM's limit for a request's body, in bytes."""
_LOOPBACK = re.compile(r"(localhost|127\.0\.0\.1|\[::1\])(:[0-9]+)?")


def make_application(lab: Lab) -> web.Application:
    """Return the web application of a lab."""
    app = web.Application(client_max_size=BODY_LIMIT, middlewares=[_require_loopback])
    app[LAB] = lab
    app.add_subapp("/lab", control_api.make_application(lab))
    app.add_routes(
        [
            web.get("/metadata/endpoints", _handle_cloud_metadata),
            web.get(f"/{managed_identity.PATH}", _handle_managed_identity),
            web.post("/{tenant}/oauth2/token", _handle_token),
            web.post("/{tenant}/oauth2/v2.0/token", _handle_token),
            web.get("/{tenant}/.well-known/openid-configuration", _handle_openid_configuration),
            web.get(
                "/{tenant}/v2.0/.well-known/openid-configuration", _handle_openid_configuration
            ),
            web.get("/{tenant}/discovery/keys", _handle_keys),
            web.get("/{tenant}/discovery/v2.0/keys", _handle_keys),
            web.get("/{tenant}/discovery/instance", _handle_instance_discovery),
            web.route("*", "/{path:(?s:.*)}", _handle_arm),
        ]
    )
    return app


@web.middleware
async def _require_loopback(request: web.Request, handler: Handler) -> web.StreamResponse:
    if _LOOPBACK.fullmatch(request.host):
        return await handler(request)
    text = f"The lab accepts requests on this machine only, not as {request.host}."
    refusal = errors.Refusal(421, "MisdirectedRequest", text)
    return _build_response(request, answer_refusal(refusal, None))


def _get_base_url(request: web.Request) -> str:
    return f"https://{request.host}"


async def _handle_arm(request: web.Request) -> web.Response:
    try:
        body = await request.read()
    except web.HTTPRequestEntityTooLarge:
        return _build_response(request, answer_refusal(errors.content_too_large(BODY_LIMIT), None))
    lab = request.app[LAB]
    answer = service.handle(
        lab,
        Request(
            request.method,
            unquote(request.rel_url.raw_path),
            {name.lower(): value for name, value in request.query.items()},
            _get_base_url(request),
            body,
            request.headers,
        ),
    )
    if answer.pause_s:
        await lab.clock.pause(answer.pause_s)
    if answer.drop and request.transport is not None:
        request.transport.abort()
    return _build_response(request, answer)


def _build_response(request: web.Request, answer: Answer) -> web.Response:
    generator = request.app[LAB].generator
    headers = dict(answer.headers)
    headers["x-ms-request-id"] = headers["x-ms-correlation-request-id"] = generator.make_guid()
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


async def _handle_cloud_metadata(request: web.Request) -> web.Response:
    version = request.query.get("api-version", "")
    return web.json_response(directory.build_cloud_metadata(_get_base_url(request), version))


async def _handle_managed_identity(request: web.Request) -> web.Response:
    lab = request.app[LAB]
    answer = managed_identity.answer(
        lab.tokens, lab.identity, _get_base_url(request), request.query, request.headers
    )
    return web.json_response(answer.body, status=answer.status)


async def _handle_token(request: web.Request) -> web.Response:
    form = {name: str(value) for name, value in (await request.post()).items()}
    tokens, tenant = request.app[LAB].tokens, request.match_info["tenant"]
    answer = tokens.grant(_get_base_url(request), tenant, form)
    return web.json_response(answer.body, status=answer.status)


async def _handle_openid_configuration(request: web.Request) -> web.Response:
    tokens, tenant = request.app[LAB].tokens, request.match_info["tenant"]
    return web.json_response(tokens.get_configuration(_get_base_url(request), tenant))


async def _handle_keys(request: web.Request) -> web.Response:
    return web.json_response(request.app[LAB].tokens.get_public_keys())


async def _handle_instance_discovery(request: web.Request) -> web.Response:
    tenant = request.app[LAB].identity.tenant
    names = {"preferred_network": request.host, "preferred_cache": request.host}
    return web.json_response(
        {
            "tenant_discovery_endpoint": (
                f"{_get_base_url(request)}/{tenant}/v2.0/.well-known/openid-configuration"
            ),
            "api-version": "1.1",
            "metadata": [{**names, "aliases": [request.host]}],
        }
    )
