"""Which api-versions ARM takes; pure.

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


def version_refused(version: str, type_: str, today: dt.date) -> Refusal | None:
    """Why ARM takes no request with a version; ``type_`` is the resource type, if any."""
    if not version:
        return errors.api_version_missing()
    found = _FORM.fullmatch(version)
    if found is None:
        return errors.api_version_invalid(version)
    try:
        date = dt.date(int(found[1]), int(found[2]), int(found[3]))
    except ValueError:
        return errors.api_version_invalid(version)
    if OLDEST <= date <= max(today, NEWEST):
        return None
    return errors.api_version_unknown(version, type_)
