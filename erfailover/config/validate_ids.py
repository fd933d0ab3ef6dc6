"""The names and ids of resources in a site file: their form, type and resource group. Pure.

Does not check whether Azure has the resources.
"""

from __future__ import annotations

from collections.abc import Iterator

from erfailover.config.azure_names import describe_expected, has_valid_names, is_name
from erfailover.config.yaml_source import Keys, Problem, build_missing
from erfailover.model.probes import list_interfaces, list_machines
from erfailover.model.resource_ids import (
    GATEWAY,
    GUID,
    INTERFACE,
    LOCAL_GATEWAY,
    MACHINE,
    NETWORK,
    ROUTE_TABLE,
    parse,
)
from erfailover.model.site import Role, Site


def find_problems(site: Site) -> Iterator[Problem]:
    """Names without a resource group, and ids that are not valid."""
    needed = False
    for keys, value, type_ in _iter_names(site):
        if value.startswith("/"):
            yield from _check_id(keys, value, type_)
        elif not is_name(type_, value):
            yield Problem(keys, describe_expected(type_), repr(value))
        elif not needed and site.resource_group is None:
            needed = True
            yield _build_group_problem(keys, value)
    if site.topology is not None and site.resource_group is None and not needed:
        remedy = "provision creates the topology in it"
        yield build_missing(("resource_group",), "text", remedy)


def _build_group_problem(keys: Keys, value: str) -> Problem:
    return Problem(
        keys,
        "a full resource id, or a name with resource_group set",
        repr(value),
        "add resource_group: <name>, or write /subscriptions/.../" + value,
    )


def _iter_names(site: Site) -> Iterator[tuple[Keys, str, str]]:
    for role in Role:
        yield (str(role), "virtual_network"), site.get_hub(role).virtual_network, NETWORK
        yield (str(role), "gateway"), site.get_hub(role).gateway, GATEWAY
    for i, spoke in enumerate(site.spokes):
        yield ("spokes", i, "virtual_network"), spoke.virtual_network, NETWORK
    for i, table in enumerate(site.routing):
        yield ("routing", i, "route_table"), table.route_table, ROUTE_TABLE
    for name, probe in site.probes.items():
        for key, machine in zip(("machine", "through"), list_machines(probe), strict=False):
            yield ("probes", name, key), machine, MACHINE
        for interface in list_interfaces(probe):
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
    is_whole = GUID.fullmatch(id_.subscription) is not None and has_valid_names(id_)
    return id_.is_a(type_) and is_whole


def _check_id(keys: Keys, value: str, type_: str) -> Iterator[Problem]:
    if not is_id(value, type_):
        form = f"/subscriptions/<guid>/resourceGroups/<group>/providers/{type_}/<name>"
        yield Problem(keys, form, repr(value), "'az resource show --query id' prints an id")
