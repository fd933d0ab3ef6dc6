"""The lab's managed identity, in the form of App Service (documented, version 2019-08-01).

Owns the answer at ``IDENTITY_ENDPOINT``. It serves clients whose other credentials ask
the public cloud about an authority that they do not know: the JavaScript SDK's do, and without
the Internet they then fail. It is of the first tenant, whichever is asked for. It must never log
the header, which is a secret.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Mapping

from erfailover.lab.auth.identity import Identity
from erfailover.lab.auth.tokens import LIFETIME_S, TokenAnswer, TokenIssuer

PATH = "msi/token"
OWN_ID = (
    "/subscriptions/00000000-0000-0000-0000-000000000000/resourcegroups/lab/providers"
    "/Microsoft.ManagedIdentity/userAssignedIdentities/lab"
)
"""The claim ``xms_mirid``: the resource that the identity is (seen in public tokens)."""
HEADER = "X-IDENTITY-HEADER"


def derive_header_value(identity: Identity) -> str:
    """Return the value of ``IDENTITY_HEADER``: a secret derived from the client's."""
    return hashlib.sha256(f"{HEADER}:{identity.client_secret}".encode()).hexdigest()


def answer(
    tokens: TokenIssuer,
    identity: Identity,
    base: str,
    query: Mapping[str, str],
    headers: Mapping[str, str],
) -> TokenAnswer:
    """Answer a request for a token of the managed identity."""
    sent = headers.get(HEADER, "").encode(errors="surrogateescape")
    if not hmac.compare_digest(sent, derive_header_value(identity).encode()):
        return TokenAnswer(401, {"statusCode": 401, "message": "The identity header is wrong."})
    named = query.get("client_id") or identity.client_id
    if named.lower() != identity.client_id:
        return TokenAnswer(400, {"statusCode": 400, "message": f"No managed identity {named}."})
    resource = query.get("resource", "").removesuffix("/.default").rstrip("/")
    if not tokens.is_known_audience(base, resource):
        return TokenAnswer(400, {"statusCode": 400, "message": f"Unknown resource {resource}."})
    token = tokens.issue_access_token(f"{base}/{identity.tenant}/", resource, xms_mirid=OWN_ID)
    return TokenAnswer(
        200,
        {
            "access_token": token,
            "expires_on": str(int(time.time()) + LIFETIME_S),
            "resource": resource,
            "token_type": "Bearer",
            "client_id": identity.client_id,
        },
    )
