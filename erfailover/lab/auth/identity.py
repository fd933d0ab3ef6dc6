"""Who the lab's tenants, subscriptions and client are, and its secrets.

Owns the made-up directory that the lab stands for. Made once at ``up`` and kept in the state
folder, so that a client's settings outlive a restart.
"""

from __future__ import annotations

import json
import secrets
import uuid
from dataclasses import asdict, dataclass, field, replace
from typing import Any


@dataclass(frozen=True, slots=True)
class Tenant:
    """A tenant: its id, the client's object id in it, and the subscriptions that it owns."""

    id: str
    object_id: str
    subscriptions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Identity:
    """The lab's directory. ``lab_secret`` opens the ``/lab`` paths.

    ``further`` are the tenant's subscriptions beside the first one, which is the default.
    ``others`` are further tenants, to which the client, a multi-tenant application, was added.
    """

    tenant: str
    subscription: str
    client_id: str
    object_id: str
    client_secret: str = field(repr=False)
    lab_secret: str = field(repr=False)
    further: tuple[str, ...] = ()
    others: tuple[Tenant, ...] = ()

    @property
    def subscriptions(self) -> tuple[str, ...]:
        """Every subscription of the first tenant, the default one first."""
        return (self.subscription, *self.further)

    @property
    def tenants(self) -> tuple[Tenant, ...]:
        """Every tenant, the first one first."""
        return (Tenant(self.tenant, self.object_id, self.subscriptions), *self.others)

    def owner_of(self, subscription: str) -> Tenant:
        """Return the tenant that owns a subscription; the first one if none is known to."""
        wanted = subscription.lower()
        return next(
            (each for each in self.tenants if wanted in each.subscriptions), self.tenants[0]
        )

    def tenant_named(self, tenant: str) -> Tenant | None:
        """Return the tenant with an id; None if there is none."""
        return next((each for each in self.tenants if each.id == tenant.lower()), None)

    def with_subscriptions(self, count: int) -> Identity:
        """The same directory with at least so many subscriptions."""
        missing = count - len(self.subscriptions)
        made = tuple(str(uuid.uuid4()) for _ in range(missing))
        return replace(self, further=(*self.further, *made))

    def with_tenants(self, count: int) -> Identity:
        """Return the same directory with at least so many tenants; a new one has a subscription."""
        missing = count - len(self.tenants)
        made = tuple(
            Tenant(str(uuid.uuid4()), str(uuid.uuid4()), (str(uuid.uuid4()),))
            for _ in range(missing)
        )
        return replace(self, others=(*self.others, *made))

    def as_json(self) -> str:
        """The form in which it is kept."""
        return json.dumps(asdict(self), indent=1)


def subscription_name(number: int) -> str:
    """What a subscription is called, by its place among the tenant's."""
    return f"erfailover lab {number + 1}" if number else "erfailover lab"


def make() -> Identity:
    """A new directory with new secrets."""
    return Identity(
        tenant=str(uuid.uuid4()),
        subscription=str(uuid.uuid4()),
        client_id=str(uuid.uuid4()),
        object_id=str(uuid.uuid4()),
        client_secret=secrets.token_urlsafe(30),
        lab_secret=secrets.token_urlsafe(30),
    )


def load(text: str) -> Identity:
    """Read back what ``as_json`` wrote; raises ValueError where it is not that."""
    try:
        found: dict[str, Any] = json.loads(text)
        further = tuple(str(each) for each in found.pop("further", ()))
        others = tuple(
            Tenant(each["id"], each["object_id"], tuple(each["subscriptions"]))
            for each in found.pop("others", ())
        )
        texts = {key: str(value) for key, value in found.items()}
        return Identity(**texts, further=further, others=others)
    except (TypeError, AttributeError, KeyError, json.JSONDecodeError) as error:
        raise ValueError(f"not a lab identity: {error}") from error
