"""Where the lab answers another way than a recording, and why that stays so.

Owns the list; a test holds that nothing else disagrees and that each of these still does.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Known:
    """One difference that stays: in a recording, at some steps, with its reason."""

    recording: str
    steps: frozenset[int]
    reason: str


_TWICE = (
    "Two creations of one resource group within a second, both answered 201; "
    "the lab answers requests one after the other."
)
_BLOCKED = (
    "Azure could not delete the gateway within the resource group's deletion and gave it up "
    "(ResourceGroupDeletionBlocked); the lab deletes users before what they use."
)
_ESTIMATE = (
    "How often a machine's poll carries Retry-After varies between recordings; the lab sends it "
    "on the first poll of a creation or deletion, as most do."
)
_ROLLING_OUT = (
    "azure-asyncnotification was being rolled out in December 2020: updates of network "
    "interfaces have it in 2 of 16 recorded answers."
)

KNOWN = (
    Known("aso-compute-vm-20220301-crud", frozenset({26}), _ESTIMATE),
    Known("az-network-nic", frozenset({24, 28}), _ROLLING_OUT),
    Known("net-network-createupdatepeering", frozenset({1}), _TWICE),
    Known("net-network-managenetworkpeeringinsamesubscriptiontest", frozenset({1}), _TWICE),
    Known("net-network-verifynetworkpeeringwithnetworkwatchertest", frozenset({1}), _TWICE),
    Known("net-network-verifynetworkpeeringwithnetworkwatchertest", frozenset({15, 16}), _ESTIMATE),
    Known(
        "net-networkinterface-createupdate",
        frozenset({14}),
        "One deletion of a network interface in 2019 carries no Retry-After; the others do.",
    ),
    Known(
        "net-virtualnetworkgateway-cancreatepointtositeconfigurtation", frozenset({33}), _BLOCKED
    ),
    Known("net-virtualnetworkgateway-cancreatesitetositeconnection", frozenset({29}), _BLOCKED),
)

KEY_REASONS = (
    ("absent from the recording too", "the recording's own answer lacks it as well"),
    ("vpnClientConfiguration.", "point-to-site is not modelled"),
    (
        "properties.output",
        "older api-versions give the output as a list; the lab's form is today's",
    ),
    (
        "value[].properties.securityRules[]",
        "the group was made by a deployment that is left out; the presumed one is plain",
    ),
    (
        "value[].properties.subnets",
        "the group was made by a deployment that is left out; the presumed one is not in use",
    ),
    (
        "value[].properties.networkInterfaces",
        "the group was made by a deployment that is left out; the presumed one is not in use",
    ),
)
"""Why a key is missing: a part of the difference's text, and the reason."""


def key_reason(text: str) -> str:
    """Why an answer of the lab lacks a key; empty where nobody has said."""
    return next((reason for part, reason in KEY_REASONS if part in text), "")
