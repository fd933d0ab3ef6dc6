"""What became of reads that are made at once: readings, or trouble that concerns all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from erfailover.errors import AzureErrorKind, AzureFailure
from erfailover.model.observed import Reading

CONCERNS_ALL = frozenset({AzureErrorKind.AUTHENTICATION, AzureErrorKind.CONNECTION})
"""What concerns every read if every read meets it."""

CONCERNS_SUBSCRIPTION = frozenset(
    {AzureErrorKind.SUBSCRIPTION_NOT_FOUND, AzureErrorKind.OTHER_TENANT}
)
"""What concerns every read in a subscription."""

Outcome = Reading[Any] | AzureFailure
"""A reading, or why it failed."""


def read_outcome(read: Callable[[], Any]) -> Outcome:
    """Read a value; if Azure fails, return that instead."""
    try:
        return Reading(read())
    except AzureFailure as failure:
        return failure


def build_readings(outcomes: Mapping[str, Outcome]) -> dict[str, Reading[Any]]:
    """Return the readings of one picture by key; those that failed with the reason.

    Raises:
        AzureFailure: no read had an answer, or none was signed in.
    """
    failures = [outcome for outcome in outcomes.values() if isinstance(outcome, AzureFailure)]
    common = [failure for failure in failures if failure.kind in CONCERNS_ALL]
    if common and len(common) == len(outcomes):
        raise common[0]
    return {
        key: Reading(None, outcome.message) if isinstance(outcome, AzureFailure) else outcome
        for key, outcome in outcomes.items()
    }
