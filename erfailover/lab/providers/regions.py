"""The regions of Azure's public cloud that a resource group can be created in."""

from __future__ import annotations

_NAMES = """
    australiacentral australiacentral2 australiaeast australiasoutheast austriaeast
    belgiumcentral brazilsouth brazilsoutheast canadacentral canadaeast centralindia centralus
    centraluseuap chilecentral denmarkeast eastasia eastus eastus2 eastus2euap francecentral
    francesouth germanynorth germanywestcentral indonesiacentral israelcentral italynorth
    japaneast japanwest jioindiacentral jioindiawest koreacentral koreasouth malaysiawest
    mexicocentral newzealandnorth northcentralus northeurope norwayeast norwaywest polandcentral
    qatarcentral southafricanorth southafricawest southcentralus southeastasia southindia
    spaincentral swedencentral swedensouth switzerlandnorth switzerlandwest uaecentral uaenorth
    uksouth ukwest westcentralus westeurope westindia westus westus2 westus3
"""
_NAMES_WITHOUT_ZONES = """
    australiacentral australiacentral2 australiasoutheast brazilsoutheast canadaeast
    centraluseuap francesouth germanynorth jioindiacentral jioindiawest koreasouth
    northcentralus norwaywest southafricawest southindia swedensouth switzerlandwest uaecentral
    ukwest westcentralus westindia westus
"""
REGIONS = tuple(_NAMES.split())
"""Names as Azure writes them in a location."""

ZONES = ("1", "2", "3")
WITHOUT_ZONES = frozenset(_NAMES_WITHOUT_ZONES.split())
"""Regions without availability zones (documented)."""
ZONED = frozenset(REGIONS) - WITHOUT_ZONES
