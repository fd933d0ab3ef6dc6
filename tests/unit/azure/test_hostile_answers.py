"""What readers and writers make of answers that no document of Azure's describes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import pytest
from azure.core.credentials import AccessToken

from erfailover.azure.client.access import Access
from erfailover.azure.client.clouds import get_cloud_at, get_known_cloud
from erfailover.azure.client.raw_request import PAGES
from erfailover.azure.client.shared_credential import SharedCredential
from erfailover.azure.reader import Reader
from erfailover.azure.session import READ_DEADLINE_S, Session
from erfailover.azure.writer import Writer
from erfailover.errors import AzureErrorKind, AzureFailure
from erfailover.lab.core.clock import SteppedClock
from erfailover.model import resource_ids
from tests.support.hostile_server import HostileServer, serving, whole

SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg"
TABLE = f"{GROUP}/providers/Microsoft.Network/routeTables/rt"
GATEWAY = f"{GROUP}/providers/Microsoft.Network/virtualNetworkGateways/gw"
TOKEN = "e30.secret.token"


class Fixed:
    """A credential with one token."""

    def get_token(self, *_: str, **__: Any) -> AccessToken:
        return AccessToken(TOKEN, 9_999_999_999)


class Shifted(SteppedClock):
    """A clock that can be put ahead."""

    ahead = 0.0

    def now(self) -> float:
        return super().now() + self.ahead


Reply = tuple[int, Any] | tuple[int, Any, dict[str, str]]


@dataclass
class Scene:
    """Reader and writer of a cloud that a test plays, and a host that is none of its."""

    azure: HostileServer
    elsewhere: HostileServer
    clock: Shifted
    reader: Reader
    writer: Writer

    def replies(self, reply: Callable[[str, str], Reply]) -> None:
        """Answer requests by method and path with a status, a body and headers."""

        def answer(head: str) -> list[bytes]:
            method, path, _ = head.split("\r\n", 1)[0].split(" ")
            status, body, *more = reply(method, path.partition("?")[0])
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
            headers = {"Content-Type": "application/json"} | (more[0] if more else {})
            lines = [f"{name}: {value}" for name, value in headers.items()]
            return [whole(content, *lines, status=f"{status} Told")]

        self.azure.answer = answer

    def list_requests(self) -> list[str]:
        """What was requested of the cloud: ``GET /subscriptions/...``."""
        lines = (head.split("\r\n", 1)[0] for head in self.azure.heads)
        return [line.rpartition(" ")[0].partition("?")[0] for line in lines]


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    (tmp_path / "other").mkdir()
    with (
        serving(tmp_path, lambda head: []) as azure,
        serving(tmp_path / "other", lambda head: [whole(b'{"status": "Succeeded"}')]) as elsewhere,
    ):
        bundle = tmp_path / "both.pem"
        bundle.write_bytes(azure.authority.read_bytes() + elsewhere.authority.read_bytes())
        access = Access(replace(get_cloud_at(azure.url, get_known_cloud("public")), ca=bundle))
        access.tenants.home = SharedCredential(lambda: cast(Any, Fixed()))
        clock = Shifted()
        session = Session(clock, SUBSCRIPTION, access)
        yield Scene(azure, elsewhere, clock, Reader(session), Writer(session, lambda: None))
        session.close()
        access.close()


RESOURCE = {"id": TABLE, "name": "rt", "properties": {"provisioningState": "Succeeded"}}
NONSENSE: dict[str, Any] = {
    "html": b"<html>Please sign in</html>",
    "empty": b"",
    "null": None,
    "array": [],
    "text": "text",
    "deep": b"[" * 100_000,
    "deep object": b'{"id":' * 10_000,
    "not utf-8": b'{"id": "\xff\xfe"}',
    "cut": b'{"id": "x", "na',
    "nan": b'{"id": "x", "name": "y", "properties": {"a": NaN}}',
    "infinite": b'{"id": "x", "name": "y", "properties": {"a": 1e999}}',
    "huge": b'{"id": "x", "name": "y", "properties": {"a": ' + b"9" * 6000 + b"}}",
    "half a pair": b'{"id": "\\ud800", "name": "y"}',
    "no id": {"name": "rt", "properties": {}},
    "id is a number": {"id": 1, "name": "rt"},
    "properties are a list": {"id": TABLE, "name": "rt", "properties": []},
    "properties are null": {"id": TABLE, "name": "rt", "properties": None},
}
nonsense = pytest.mark.parametrize("body", NONSENSE.values(), ids=NONSENSE)


@nonsense
@pytest.mark.parametrize("content_type", ["application/json", "text/html", "application/xml", "x"])
def test_a_read_of_nonsense_is_a_server_error_within_the_deadline(
    scene: Scene, body: Any, content_type: str
) -> None:
    scene.replies(lambda method, path: (200, body, {"Content-Type": content_type}))
    with pytest.raises(AzureFailure) as caught:
        scene.reader.get(TABLE)
    assert caught.value.kind is AzureErrorKind.SERVER
    assert len(scene.list_requests()) > 1, "it is repeated as a server error is"
    assert scene.clock.now() <= READ_DEADLINE_S


@nonsense
def test_nonsense_once_is_passed_over(scene: Scene, body: Any) -> None:
    bodies = [body, RESOURCE]
    scene.replies(lambda method, path: (200, bodies.pop(0) if len(bodies) > 1 else bodies[0]))
    assert scene.reader.get(TABLE) == RESOURCE


@pytest.mark.parametrize(
    "body", [b"", {}, {"value": None}, {"value": {}}, {"value": [1]}, b"<html>", "x", None]
)
def test_a_table_that_is_none_is_no_empty_table(scene: Scene, body: Any) -> None:
    scene.replies(lambda method, path: (200, body))
    with pytest.raises(AzureFailure) as caught:
        scene.reader.read_gateway_action(GATEWAY, "get_learned_routes")
    assert caught.value.kind is AzureErrorKind.SERVER
    with pytest.raises(AzureFailure) as caught:
        scene.reader.list_children(GROUP, resource_ids.NETWORK)
    assert caught.value.kind is AzureErrorKind.SERVER
    with pytest.raises(AzureFailure) as caught:
        scene.reader.ask_rows(f"{GROUP}/providers/Microsoft.Authorization/locks", "2016-09-01")
    assert caught.value.kind is AzureErrorKind.SERVER


@pytest.mark.parametrize("status", [203, 206, 299, 304, 305, 404, 520, 599, 999])
def test_a_status_without_a_code_of_azure_s_says_nothing_of_the_resource(
    scene: Scene, status: int
) -> None:
    scene.replies(lambda method, path: (status, b"<html>proxy</html>"))
    with pytest.raises(AzureFailure) as caught:
        scene.reader.get(TABLE)
    assert caught.value.kind is AzureErrorKind.SERVER


def page(link: Any, name: str = "vnet1") -> dict[str, Any]:
    return {"value": [{"id": f"{GROUP}/x/{name}", "name": name}], "nextLink": link}


LISTS: dict[str, Callable[[Scene], Any]] = {
    "sdk": lambda scene: scene.reader.list_networks(SUBSCRIPTION),
    "listed": lambda scene: scene.reader.list_children(GROUP, resource_ids.NETWORK),
    "resources": lambda scene: scene.reader.list_group_resources(GROUP),
    "connections": lambda scene: scene.reader.list_connections(GATEWAY),
    "path": lambda scene: scene.reader.ask_rows(f"{GROUP}/providers/x/locks", "2016-09-01"),
}
every_list = pytest.mark.parametrize("rows", LISTS.values(), ids=LISTS)


@every_list
def test_the_pages_of_a_list_are_joined(scene: Scene, rows: Callable[[Scene], Any]) -> None:
    def reply(method: str, path: str) -> Reply:
        return 200, page(None, "b") if path == "/2" else page(f"{scene.azure.url}/2", "a")

    scene.replies(reply)
    assert [row["name"] for row in rows(scene)] == ["a", "b"]


@every_list
@pytest.mark.parametrize("length", [1, 2, 7])
def test_a_list_that_goes_round_in_circles_is_given_up(
    scene: Scene, rows: Callable[[Scene], Any], length: int
) -> None:
    count = 0

    def reply(method: str, path: str) -> Reply:
        nonlocal count
        count += 1
        return 200, page(f"{scene.azure.url}/{count % length}")

    scene.replies(reply)
    with pytest.raises(AzureFailure, match="repeats a page") as caught:
        rows(scene)
    assert caught.value.kind is AzureErrorKind.SERVER


def test_a_list_without_end_is_given_up(scene: Scene) -> None:
    count = 0

    def reply(method: str, path: str) -> Reply:
        nonlocal count
        count += 1
        return 200, page(f"{scene.azure.url}/{count}")

    scene.replies(reply)
    with pytest.raises(AzureFailure, match=f"more than {PAGES} pages"):
        LISTS["sdk"](scene)
    assert count % PAGES == 0


def test_the_deadline_of_a_read_counts_within_its_pages(scene: Scene) -> None:
    count = 0

    def reply(method: str, path: str) -> Reply:
        nonlocal count
        count += 1
        scene.clock.ahead += 50.0
        return 200, page(f"{scene.azure.url}/{count}")

    scene.replies(reply)
    with pytest.raises(AzureFailure, match="takes too long"):
        LISTS["sdk"](scene)
    assert count == 3


@every_list
def test_a_next_link_elsewhere_is_refused_by_the_name_of_its_host(
    scene: Scene, rows: Callable[[Scene], Any]
) -> None:
    host = scene.elsewhere.url.replace("localhost", "127.0.0.1")
    scene.replies(lambda method, path: (200, page(f"{host}/page2")))
    with pytest.raises(AzureFailure, match=host.removeprefix("https://")) as caught:
        rows(scene)
    assert caught.value.kind is AzureErrorKind.REFUSED
    assert scene.elsewhere.heads == []
    assert len(scene.list_requests()) == 1


@pytest.mark.parametrize("link", [17, [], {"a": 1}, True, "\\\\x", "https://[::1", "ftp://x/y"])
def test_a_next_link_that_is_none_is_no_bug(scene: Scene, link: Any) -> None:
    scene.replies(lambda method, path: (200, page(link)))
    with pytest.raises(AzureFailure):
        LISTS["sdk"](scene)


def reply_with_operation(scene: Scene, header: str, url: str, polled: Callable[[], Reply]) -> None:
    """Let a PUT and a DELETE begin an operation, whose answers a test gives."""

    def reply(method: str, path: str) -> Reply:
        if method == "PUT":
            return 201, RESOURCE | {"properties": {"provisioningState": "Updating"}}, {header: url}
        if method == "DELETE":
            return 202, b"", {header: url}
        if path.endswith("/operation"):
            return polled()
        return 200, RESOURCE

    scene.replies(reply)


@pytest.mark.parametrize("header", ["Azure-AsyncOperation", "Location"])
def test_an_operation_elsewhere_is_not_followed_and_the_resource_is_read_instead(
    scene: Scene, header: str
) -> None:
    reply_with_operation(scene, header, f"{scene.elsewhere.url}/operation", lambda: (200, {}))
    scene.writer.write(TABLE, {"properties": {}}, 60.0)
    assert scene.elsewhere.heads == []
    assert scene.list_requests() == [f"PUT {TABLE}", f"GET {TABLE}"]


POLLED: dict[str, Reply] = {
    "404": (404, {"error": {"code": "NotFound", "message": "no such operation"}}),
    "404 html": (404, b"<html>"),
    "403": (403, {"error": {"code": "AuthorizationFailed", "message": "no"}}),
    "400": (400, {"error": {"code": "InvalidApiVersion", "message": "no"}}),
    "410": (410, b""),
    "error without status": (200, {"error": {"code": "Odd", "message": "no"}}),
    "empty": (200, b""),
    "html": (200, b"<html>"),
    "array": (200, []),
    "status is a list": (200, {"status": []}),
    "status is null": (200, {"status": None}),
    "206": (206, {"status": "Succeeded"}),
    "redirect": (307, b"", {"Location": "https://evil.example.com/"}),
}


@pytest.mark.parametrize("reply", POLLED.values(), ids=POLLED)
def test_what_a_poll_meets_leaves_the_outcome_unknown_and_the_resource_is_read(
    scene: Scene, reply: Reply
) -> None:
    reply_with_operation(
        scene, "Azure-AsyncOperation", f"{scene.azure.url}/operation", lambda: reply
    )
    scene.writer.write(TABLE, {"properties": {}}, 30.0)
    assert scene.list_requests()[0] == f"PUT {TABLE}"
    assert scene.list_requests()[-1] == f"GET {TABLE}"
    assert scene.list_requests().count(f"PUT {TABLE}") == 1


def test_a_failed_operation_is_still_a_refusal(scene: Scene) -> None:
    error = {"code": "RemoteVnetHasNoGateways", "message": "no gateway"}
    body = {"status": "Failed", "error": error}
    reply_with_operation(
        scene, "Azure-AsyncOperation", f"{scene.azure.url}/operation", lambda: (200, body)
    )
    with pytest.raises(AzureFailure, match="RemoteVnetHasNoGateways") as caught:
        scene.writer.write(TABLE, {"properties": {}}, 30.0)
    assert caught.value.kind is AzureErrorKind.REFUSED


@pytest.mark.parametrize("status", [200, 201])
@nonsense
def test_a_write_that_nonsense_answers_is_looked_up(scene: Scene, body: Any, status: int) -> None:
    scene.replies(lambda method, path: (status, body) if method == "PUT" else (200, RESOURCE))
    scene.writer.write(TABLE, {"properties": {}}, 30.0)
    assert scene.list_requests() == [f"PUT {TABLE}", f"GET {TABLE}"]


@pytest.mark.parametrize("status", [200, 202])
def test_a_deletion_that_a_page_answers_is_looked_up(scene: Scene, status: int) -> None:
    gone = (404, {"error": {"code": "ResourceNotFound", "message": "gone"}})
    scene.replies(lambda method, path: (status, b"<html>") if method == "DELETE" else gone)
    scene.writer.delete(TABLE, 30.0)
    assert scene.list_requests() == [f"DELETE {TABLE}", f"GET {TABLE}"]


@pytest.mark.parametrize(
    "code", [None, [], {}, 17, "RetryableError"], ids=["null", "array", "object", "number", "text"]
)
@pytest.mark.parametrize("details", [None, 3, "x", [1], [{"code": []}], {"code": "x"}])
def test_an_error_of_any_shape_is_translated(scene: Scene, code: Any, details: Any) -> None:
    body = {"error": {"code": code, "message": {"a": 1}, "details": details}}
    scene.replies(lambda method, path: (403, body))
    with pytest.raises(AzureFailure) as caught:
        scene.reader.get(TABLE, 5.0)
    kind = AzureErrorKind.CONTENTION if code == "RetryableError" else AzureErrorKind.SERVER
    assert caught.value.kind is kind
    assert caught.value.code == (code if isinstance(code, str) else None)


def test_a_refusal_with_a_code_of_azure_s_is_one(scene: Scene) -> None:
    scene.replies(lambda method, path: (403, {"error": {"code": "Odd", "details": 3}}))
    with pytest.raises(AzureFailure) as caught:
        scene.reader.get(TABLE, 5.0)
    assert (caught.value.kind, caught.value.code) == (AzureErrorKind.REFUSED, "Odd")
    assert len(scene.list_requests()) == 1


def test_the_token_goes_to_the_endpoint(scene: Scene) -> None:
    scene.replies(lambda method, path: (200, RESOURCE))
    scene.reader.get(TABLE)
    assert f"Authorization: Bearer {TOKEN}" in scene.azure.heads[0]
