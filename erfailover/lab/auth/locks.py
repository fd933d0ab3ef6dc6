"""Management locks: the resource type, and the requests that ARM refuses because of one.

Owns the locks. Published (lock-resources): a lock holds at its scope and for all below; ReadOnly
refuses writes, deletions and POSTs, CanNotDelete deletions; the deletion of a parent is refused
for a lock on what it holds (recorded, of a resource group).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from erfailover.lab.auth import errors as auth_errors
from erfailover.lab.core import errors
from erfailover.lab.core.errors import Refusal, RefusalError
from erfailover.lab.core.protocol import Answer, Request, parse_body
from erfailover.lab.core.world import Body

LEVELS = ("CanNotDelete", "ReadOnly")
READ_ONLY = "ReadOnly"


@dataclass(slots=True)
class Locks:
    """Every lock, by its id in lower case."""

    by_id: dict[str, Body] = field(default_factory=dict)

    def list_around(self, scope: str) -> list[Body]:
        """Return the locks at, above and below a scope (published: Get-AzResourceLock)."""
        return [
            lock
            for lock in self.by_id.values()
            if _is_within(scope, _read_scope(lock)) or _is_within(_read_scope(lock), scope)
        ]

    def find_refusal(self, method: str, scope: str) -> Refusal | None:
        """Return the refusal of a request to a resource; None if no lock blocks it."""
        if method in ("GET", "HEAD"):
            return None
        deletes = method == "DELETE"
        locks = [
            _read_scope(lock)
            for lock in self.by_id.values()
            if (deletes or lock["properties"]["level"] == READ_ONLY)
            and (
                _is_within(scope, _read_scope(lock))
                or (deletes and _is_within(_read_scope(lock), scope))
            )
        ]
        return (
            auth_errors.scope_locked(scope, "delete" if deletes else "write", locks)
            if locks
            else None
        )

    def handle(self, request: Request, scope: str, name: str) -> Answer:
        """Answer a request for locks (published: REST spec resources, 2016-09-01)."""
        lock_id = f"{scope}/providers/Microsoft.Authorization/locks/{name}"
        key = lock_id.lower()
        if not name:
            if request.method != "GET":
                raise RefusalError(errors.method_not_allowed(request.method, "locks"))
            return Answer(200, {"value": self.list_around(scope)})
        match request.method:
            case "PUT":
                return self._put(request, lock_id, name)
            case "DELETE":
                return Answer(200 if self.by_id.pop(key, None) else 204)
            case "GET" if key in self.by_id:
                return Answer(200, self.by_id[key])
            case "GET":
                raise RefusalError(auth_errors.lock_not_found(name))
            case _:
                raise RefusalError(errors.method_not_allowed(request.method, "locks"))

    def _put(self, request: Request, lock_id: str, name: str) -> Answer:
        properties = parse_body(request).get("properties")
        level = properties.get("level") if isinstance(properties, dict) else None
        spelled = {known_level.lower(): known_level for known_level in LEVELS}.get(
            str(level).lower()
        )
        if spelled is None:
            raise RefusalError(errors.property_invalid("level", level, " or ".join(LEVELS)))
        kept_properties: Body = {"level": spelled}
        if isinstance(properties, dict) and properties.get("notes"):
            kept_properties["notes"] = properties["notes"]
        exists = lock_id.lower() in self.by_id
        lock = {
            "properties": kept_properties,
            "id": lock_id,
            "type": "Microsoft.Authorization/locks",
            "name": name,
        }
        self.by_id[lock_id.lower()] = lock
        return Answer(200 if exists else 201, lock)


def _read_scope(lock: Body) -> str:
    return str(lock["id"]).rsplit("/providers/Microsoft.Authorization/locks/", 1)[0]


def _is_within(inner: str, outer: str) -> bool:
    return f"{inner.rstrip('/').lower()}/".startswith(f"{outer.rstrip('/').lower()}/")
