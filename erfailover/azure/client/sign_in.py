"""What azure-identity and Entra say if there is no token, and the command that gets one. Pure.

A claims challenge comes with Conditional Access, continuous access evaluation and Azure's demand
for multifactor authentication: reads pass, the first write does not. Only the operator can answer
it, by signing in with the claims that Azure names.
"""

from __future__ import annotations

import re

NOT_SET_UP = (
    "unavailable",
    "not found on path",
    "is not installed",
    "could not be found",
    "package to be installed",
    "az login",
)
"""What a credential of azure-identity's chain says that has nothing to try with (1.27)."""

TELLING = ("--claims-challenge", "aadsts")
"""What an answer of Entra's has, or a message that names the claims it asks for: shown whole."""

AGAIN = "then run the command again"
LONGEST = 600
"""Letters kept of what other credentials say."""

_COMMAND = re.compile(r"\baz (?:login|account)\b[^\n]*--[^\n]*")
_CODE = re.compile(r"AADSTS\d+", re.IGNORECASE)


def format_attempts(error: Exception) -> str:
    """Return what azure-identity said: of credentials that are not set up, only the names.

    In a chain's message each credential begins a line with a tab; its own message may have
    several lines. A credential that has worked before fails without the chain around it.
    """
    text = str(error)
    tried = [_join_lines(part) for part in re.split(r"\n\t", text)[1:]]
    if not tried:
        return _join_lines(text) if _is_telling(text) else get_first_line(error)
    telling = [name for name in tried if _is_telling(name) or not _is_not_set_up(name)]
    others = [name.partition(":")[0] for name in tried if name not in telling]
    lines = [name if _is_telling(name) else name[:LONGEST] for name in telling]
    if others:
        lines.append(f"not set up: {', '.join(others)}")
    return "; ".join(lines)


def suggest_remedy(text: str) -> str | None:
    """Return the command that a message of Entra's or azure-identity's asks for; None for none."""
    if not _is_telling(text):
        return None
    command = _COMMAND.search(text)
    if command is not None:
        return f"Run: {command.group().strip()}; {AGAIN}."
    code = _CODE.search(text)
    if code is None:
        return None
    return (
        "Entra rejected the credential: https://login.microsoftonline.com/error?code="
        f"{code.group()[6:]} explains why. As a user, sign in again: az login --tenant TENANT "
        "--scope SCOPE; for an application, follow that page. If ERFAILOVER_ENDPOINT and "
        f"AZURE_AUTHORITY_HOST are set, check that both are right; {AGAIN}."
    )


def explain_challenge(header: str | None) -> str | None:
    """Return the command that answers a claims challenge of a 401; None if it has none.

    Args:
        header: ``WWW-Authenticate`` (published: "Claims challenges, claims requests, and client
            capabilities").
    """
    claims = re.search(r'\bclaims="([^"]+)"', header or "")
    if claims is None or "insufficient_claims" not in (header or ""):
        return None
    tenant = re.search(r'\bauthorization_uri="https://[^/"]+/([^/"]+)', header or "")
    in_tenant = f" --tenant {tenant[1]}" if tenant else ""
    return (
        f"Azure requires more claims (Conditional Access, MFA). Run: az login{in_tenant} "
        f"--claims-challenge {claims[1]}; {AGAIN}. This needs az 2.76 or later."
    )


def _is_telling(text: str) -> bool:
    return any(mark in text.lower() for mark in TELLING)


def _is_not_set_up(text: str) -> bool:
    return any(mark in text for mark in NOT_SET_UP)


def _join_lines(text: str) -> str:
    """Return an attempt without azure-identity's advice at the end of the whole message."""
    return " ".join(text.partition("\nTo mitigate this issue")[0].split())


def get_first_line(error: Exception) -> str:
    """Return the first line of an error, its first 300 characters."""
    text = str(getattr(error, "message", None) or error).strip()
    return text.splitlines()[0][:300] if text else type(error).__name__
