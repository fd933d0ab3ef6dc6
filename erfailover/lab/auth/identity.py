"""The lab's tenants, subscriptions, client and secrets.

Owns the lab's fictitious directory. Created once at ``up`` and kept in the state
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

    def find_owner(self, subscription: str) -> Tenant:
        """Return the tenant that owns a subscription; the first one if none does."""
        lowered = subscription.lower()
        return next(
            (tenant for tenant in self.tenants if lowered in tenant.subscriptions), self.tenants[0]
        )

    def find_tenant(self, tenant: str) -> Tenant | None:
        """Return the tenant with an id, or None."""
        return next((result for result in self.tenants if result.id == tenant.lower()), None)

    def extend_subscriptions(self, count: int) -> Identity:
        """Return the same directory with at least ``count`` subscriptions."""
        missing = count - len(self.subscriptions)
        added = tuple(str(uuid.uuid4()) for _ in range(missing))
        return replace(self, further=(*self.further, *added))

    def extend_tenants(self, count: int) -> Identity:
        """Return the same directory with at least ``count`` tenants; each has a subscription."""
        missing = count - len(self.tenants)
        added = tuple(
            Tenant(str(uuid.uuid4()), str(uuid.uuid4()), (str(uuid.uuid4()),))
            for _ in range(missing)
        )
        return replace(self, others=(*self.others, *added))

    def to_json(self) -> str:
        """Return the identity as JSON, the form in which it is stored."""
        return json.dumps(asdict(self), indent=1)


def get_subscription_name(number: int) -> str:
    """Return a subscription's name, by its position in the tenant."""
    return f"erfailover lab {number + 1}" if number else "erfailover lab"


def make_identity() -> Identity:
    """Return a new directory with new secrets."""
    return Identity(
        tenant=str(uuid.uuid4()),
        subscription=str(uuid.uuid4()),
        client_id=str(uuid.uuid4()),
        object_id=str(uuid.uuid4()),
        client_secret=secrets.token_urlsafe(30),
        lab_secret=secrets.token_urlsafe(30),
    )


def from_json(text: str) -> Identity:
    """Parse the output of ``to_json``; raise ValueError if it is anything else."""
    try:
        values: dict[str, Any] = json.loads(text)
        further = tuple(str(subscription) for subscription in values.pop("further", ()))
        others = tuple(
            Tenant(tenant["id"], tenant["object_id"], tuple(tenant["subscriptions"]))
            for tenant in values.pop("others", ())
        )
        texts = {key: str(value) for key, value in values.items()}
        return Identity(**texts, further=further, others=others)
    except (TypeError, AttributeError, KeyError, json.JSONDecodeError) as error:
        raise ValueError(f"not a lab identity: {error}") from error
