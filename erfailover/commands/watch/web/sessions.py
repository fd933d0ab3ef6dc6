"""Who may read the page: a client that sends the token, or a browser that has signed in with it.

A session is an expiry and its signature, so replicas with the same token accept each other's, and
none is kept. All comparisons take the same time, whatever is compared.
"""

from __future__ import annotations

import hashlib
import hmac

COOKIE = "erfailover-watch"
LASTS_S = 12 * 3600
"""How long a browser stays signed in, in seconds: a shift."""


def is_token(text: str, token: str) -> bool:
    """Return whether a text is the token."""
    return hmac.compare_digest(text.encode("utf-8", "replace"), token.encode())


def is_bearer(header: str, token: str) -> bool:
    """Return whether an ``Authorization`` header holds the token."""
    scheme, _, text = header.partition(" ")
    return scheme.lower() == "bearer" and is_token(text.strip(), token)


def create_session(token: str, now: float) -> str:
    """Return the value of the cookie for a browser that has signed in."""
    expires = str(int(now + LASTS_S))
    return f"{expires}.{_sign(expires, token)}"


def is_session(cookie: str, token: str, now: float) -> bool:
    """Return whether a cookie is a session that has not expired."""
    expires, _, signature = cookie.partition(".")
    if not hmac.compare_digest(
        signature.encode("utf-8", "replace"), _sign(expires, token).encode()
    ):
        return False
    return now < int(expires)


def _sign(expires: str, token: str) -> str:
    content = f"erfailover watch session {expires}".encode("utf-8", "replace")
    return hmac.new(token.encode(), content, hashlib.sha256).hexdigest()
