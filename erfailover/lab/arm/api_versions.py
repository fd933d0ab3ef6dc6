"""The api-versions that ARM accepts; pure.

The lab answers every one alike, in the form of today's. Versions are dates; ARM's own codes
for a missing, malformed and unknown one (documented messages, their lists left short).
"""

from __future__ import annotations

import datetime as dt
import re

from erfailover.lab.core import errors
from erfailover.lab.core.errors import Refusal

OLDEST = dt.date(2015, 1, 1)
NEWEST = dt.date(2026, 12, 31)
"""The lab takes a version of a later date only when that day has come."""
_FORM = re.compile(r"(\d{4})-(\d{2})-(\d{2})(-[a-z0-9.]+)?", re.IGNORECASE)


LISTED = {
    "Microsoft.Network": """
        2026-03-01 2025-07-01 2025-05-01 2025-03-01 2025-01-01 2024-10-01 2024-07-01 2024-05-01
        2024-03-01 2024-01-01 2023-11-01 2023-09-01 2021-08-01 2018-11-01
    """,
    "Microsoft.Compute": """
        2026-04-01 2025-11-01 2025-04-01 2024-11-01 2024-07-01 2024-03-01 2023-09-01 2021-07-01
    """,
    "Microsoft.Resources": "2025-04-01 2024-11-01 2024-07-01 2021-04-01 2019-10-01",
}
"""What each provider lists, newest first: versions of REST specifications and of SDKs. That a
version which is not listed is taken as well is the lab's own leniency: az mixes many."""


def list_versions(namespace: str, newest: str) -> list[str]:
    """Return the versions that a provider lists, none newer than ``newest`` if that is given."""
    return [version for version in LISTED[namespace].split() if not newest or version <= newest]


def validate_offered(version: str, type_: str, newest: str) -> Refusal | None:
    """Return the refusal of a version newer than ``newest``; None if it is offered.

    Reported: azure-powershell 12061, 404 ``InvalidResourceType``.
    """
    namespace, _, name = type_.partition("/")
    spelled = {name.lower(): name for name in LISTED}.get(namespace.lower())
    if not newest or version <= newest or spelled is None or not name:
        return None
    return errors.resource_type_not_in_version(
        spelled, name, version, list_versions(spelled, newest)
    )


def validate_version(version: str, type_: str, today: dt.date) -> Refusal | None:
    """Return the refusal of an api-version; ``type_`` is the resource type, if any."""
    if not version:
        return errors.api_version_missing()
    match = _FORM.fullmatch(version)
    if match is None:
        return errors.api_version_invalid(version)
    try:
        date = dt.date(int(match[1]), int(match[2]), int(match[3]))
    except ValueError:
        return errors.api_version_invalid(version)
    if OLDEST <= date <= max(today, NEWEST):
        return None
    return errors.api_version_unknown(version, type_)
