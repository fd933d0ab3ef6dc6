"""Asks a lab without HTTP in between: fast enough for thousands of requests."""

from __future__ import annotations

import json
from typing import Any

from erfailover.lab.arm import service
from erfailover.lab.core.clock import SteppedClock
from erfailover.lab.core.protocol import Answer, Request
from erfailover.lab.engine.lab import Lab

BASE = "https://127.0.0.1:1"


class Direct:
    """A lab without limits on requests, and its one client."""

    def __init__(self) -> None:
        self.clock = SteppedClock()
        self.lab = Lab(self.clock, seed=1, limits=None)
        self.token = self.lab.tokens.issue_access_token(f"{BASE}/t", BASE)
        self.group = f"/subscriptions/{self.lab.identity.subscription}/resourceGroups/rg"

    def id(self, path: str) -> str:
        """The id of a resource of Microsoft.Network."""
        return f"{self.group}/providers/Microsoft.Network/{path}"

    def reference(self, path: str) -> dict[str, str]:
        """A reference to a resource."""
        return {"id": self.id(path)}

    def ask(self, method: str, path: str, body: Any = None) -> Answer:
        """One request, at the present time."""
        data = b"" if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {self.token}"}
        query = {"api-version": "2024-05-01"}
        where = path if path.startswith("/") else self.id(path)
        return service.handle(self.lab, Request(method, where, query, BASE, data, headers))

    def write(self, path: str, properties: Any, **top: Any) -> Answer:
        """Write a resource; what it starts ends later. It may be refused."""
        return self.ask("PUT", path, {"location": "westeurope", "properties": properties, **top})

    def put(self, path: str, properties: Any, **top: Any) -> None:
        """Write a resource, which must be taken."""
        answer = self.write(path, properties, **top)
        assert answer.status in {200, 201}, answer

    def wait(self, seconds: float) -> None:
        """Let modelled time pass."""
        self.clock.sleep(seconds)
        self.lab.catch_up()

    def settle(self) -> None:
        """Let everything under way end."""
        while (due := self.lab.world.get_next_event_time()) is not None:
            self.wait(max(0.0, due - self.lab.world.now) + 1)
