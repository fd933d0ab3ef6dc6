"""The names and ids of resources in a site file: their form, type and resource group. Pure.

Does not check whether Azure has the resources.
"""

from __future__ import annotations

from collections.abc import Iterator

from erfailover.config.azure_names import are_names, expected, is_name
from erfailover.config.yaml_source import Keys, Problem
from erfailover.model.probes import interfaces, machines
from erfailover.model.resource_ids import (
    GATEWAY,
    GUID,
    INTERFACE,
    LOCAL_GATEWAY,
    MACHINE,
    NETWORK,
    parse,
)
from erfailover.model.site import Role, Site


def problems(site: Site) -> Iterator[Problem]:
    """Names that no resource group gives an id, and ids that are none."""
    needed = False
    for keys, value, type_ in _named(site):
        if value.startswith("/"):
            yield from _id(keys, value, type_)
        elif not is_name(type_, value):
            yield Problem(keys, expected(type_), repr(value))
        elif not needed and site.resource_group is None:
            needed = True
            yield _without_group(keys, value)
    if site.topology is not None and site.resource_group is None and not needed:
        found = "no such key"
        yield Problem(("resource_group",), "text", found, "provision makes the topology in it")


def _without_group(keys: Keys, value: str) -> Problem:
    return Problem(
        keys,
        "a full resource id, or resource_group beside it",
        repr(value),
        "add resource_group: <name>, or write /subscriptions/.../" + value,
    )


def _named(site: Site) -> Iterator[tuple[Keys, str, str]]:
    for role in Role:
        yield (str(role), "virtual_network"), site.hub(role).virtual_network, NETWORK
        yield (str(role), "gateway"), site.hub(role).gateway, GATEWAY
    for i, spoke in enumerate(site.spokes):
        yield ("spokes", i, "virtual_network"), spoke.virtual_network, NETWORK
    for name, probe in site.probes.items():
        for key, machine in zip(("machine", "through"), machines(probe), strict=False):
            yield ("probes", name, key), machine, MACHINE
        for interface in interfaces(probe):
            yield ("probes", name, "interface"), interface, INTERFACE
    local = getattr(site.drill, "local_network_gateway", None)
    if local is not None:
        yield ("drill", "local_network_gateway"), local, LOCAL_GATEWAY


def is_id(text: str, type_: str) -> bool:
    """Return whether a text is the full id of a resource of a type, with names Azure allows."""
    try:
        id_ = parse(text)
    except ValueError:
        return False
    is_whole = GUID.fullmatch(id_.subscription) is not None and are_names(id_)
    return id_.is_a(type_) and is_whole


def _id(keys: Keys, value: str, type_: str) -> Iterator[Problem]:
    if not is_id(value, type_):
        form = f"/subscriptions/<guid>/resourceGroups/<group>/providers/{type_}/<name>"
        yield Problem(keys, form, repr(value), "'az resource show --query id' prints an id")
