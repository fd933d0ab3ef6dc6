"""Management locks: their resource, and what ARM refuses because of one.

Owns the locks. Published (lock-resources): a lock holds at its scope and for all below; ReadOnly
refuses writes, deletions and POSTs, CanNotDelete deletions; the deletion of a parent is refused
for a lock on what it holds (recorded, of a resource group).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from erfailover.lab.auth import errors as auth_errors
from erfailover.lab.core import errors
from erfailover.lab.core.errors import Refusal, Refused
from erfailover.lab.core.protocol import Answer, Request, parse_body
from erfailover.lab.core.world import Body

LEVELS = ("CanNotDelete", "ReadOnly")
READ_ONLY = "ReadOnly"


@dataclass(slots=True)
class Locks:
    """Every lock, by its id in lower case."""

    by_id: dict[str, Body] = field(default_factory=dict)

    def around(self, scope: str) -> list[Body]:
        """The locks at, above and below a scope (published: Get-AzResourceLock)."""
        return [
            each
            for each in self.by_id.values()
            if _within(scope, _scope(each)) or _within(_scope(each), scope)
        ]

    def refused(self, method: str, scope: str) -> Refusal | None:
        """Why a request to a resource is refused; None where no lock is in its way."""
        if method in ("GET", "HEAD"):
            return None
        deletes = method == "DELETE"
        found = [
            _scope(each)
            for each in self.by_id.values()
            if (deletes or each["properties"]["level"] == READ_ONLY)
            and (_within(scope, _scope(each)) or (deletes and _within(_scope(each), scope)))
        ]
        return (
            auth_errors.scope_locked(scope, "delete" if deletes else "write", found)
            if found
            else None
        )

    def handle(self, request: Request, scope: str, name: str) -> Answer:
        """One lock, or the list of a scope (published: REST spec resources, 2016-09-01)."""
        lock_id = f"{scope}/providers/Microsoft.Authorization/locks/{name}"
        key = lock_id.lower()
        if not name:
            if request.method != "GET":
                raise Refused(errors.method_not_allowed(request.method, "locks"))
            return Answer(200, {"value": self.around(scope)})
        match request.method:
            case "PUT":
                return self._put(request, lock_id, name)
            case "DELETE":
                return Answer(200 if self.by_id.pop(key, None) else 204)
            case "GET" if key in self.by_id:
                return Answer(200, self.by_id[key])
            case "GET":
                raise Refused(auth_errors.lock_not_found(name))
            case _:
                raise Refused(errors.method_not_allowed(request.method, "locks"))

    def _put(self, request: Request, lock_id: str, name: str) -> Answer:
        properties = parse_body(request).get("properties")
        level = properties.get("level") if isinstance(properties, dict) else None
        spelled = {each.lower(): each for each in LEVELS}.get(str(level).lower())
        if spelled is None:
            raise Refused(errors.property_invalid("level", level, " or ".join(LEVELS)))
        shown: Body = {"level": spelled}
        if isinstance(properties, dict) and properties.get("notes"):
            shown["notes"] = properties["notes"]
        known = lock_id.lower() in self.by_id
        found = {
            "properties": shown,
            "id": lock_id,
            "type": "Microsoft.Authorization/locks",
            "name": name,
        }
        self.by_id[lock_id.lower()] = found
        return Answer(200 if known else 201, found)


def _scope(lock: Body) -> str:
    return str(lock["id"]).rsplit("/providers/Microsoft.Authorization/locks/", 1)[0]


def _within(inner: str, outer: str) -> bool:
    return f"{inner.rstrip('/').lower()}/".startswith(f"{outer.rstrip('/').lower()}/")
