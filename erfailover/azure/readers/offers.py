"""Asks Azure what it offers in a region: three questions and one for each image, all at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, TypeVar

from erfailover.azure.client.answers import wrap_parse_errors
from erfailover.azure.client.clients import Clients
from erfailover.azure.reader import Reader
from erfailover.errors import AzureErrorKind, AzureFailure
from erfailover.model.arm_json import get_section, list_objects, list_texts, parse_text
from erfailover.model.observed import Reading, attempt
from erfailover.model.resource_ids import NETWORK_PROVIDER
from erfailover.model.site import Site
from erfailover.planning.provision.offers import RegionAvailability, normalize_region
from erfailover.runtime.clock import run_all

T = TypeVar("T")
SIZES_DEADLINE_S = 60.0
"""The sizes of a region come in one answer of some megabytes."""


@wrap_parse_errors("reading of offers")
def ask(reader: Reader, site: Site) -> RegionAvailability:
    """Return what Azure offers for a site's topology, in the site's region.

    Published (REST, Providers Get): a resource type names its locations, and by ``zoneMappings``
    the availability zones of each. (Resource SKUs List): a size's ``restrictions``.
    """
    place = normalize_region(site.location)
    machines = site.topology.machines.values() if site.topology else ()
    sizes = sorted({machine.size for machine in machines})
    images = sorted({machine.image for machine in machines})
    questions: list[Callable[[], Any]] = [partial(_read_provider, reader)]
    questions += [partial(_read_sizes, reader, place)] if sizes else []
    questions += [partial(_has_image, reader, place, image) for image in images]
    readings = run_all(reader.clock, [partial(attempt, question) for question in questions])
    provider, offered = readings[0], readings[1] if sizes else Reading({})
    return RegionAvailability(
        _map_reading(provider, _list_regions),
        _map_reading(provider, partial(_list_zones, place)),
        {size: _map_reading(offered, partial(_explain_unavailable, size)) for size in sizes},
        dict(zip(images, readings[1 + bool(sizes) :], strict=True)),
    )


def _map_reading(reading: Reading[Any], use: Callable[[Any], T]) -> Reading[T]:
    return Reading(None, reading.unknown) if reading.value is None else Reading(use(reading.value))


def _read_provider(reader: Reader) -> dict[str, Any]:
    def call(clients: Clients) -> dict[str, Any]:
        value = clients.resource.providers.get(NETWORK_PROVIDER).as_dict()
        objects = list_objects(value.get("resourceTypes"))
        return {parse_text(row.get("resourceType")).lower(): row for row in objects}

    return reader.call_clients(f"GET provider {NETWORK_PROVIDER}", call)


def _list_regions(types: dict[str, Any]) -> frozenset[str]:
    section = get_section(types, "virtualnetworkgateways")
    return frozenset(map(normalize_region, list_texts(section.get("locations"))))


def _list_zones(place: str, types: dict[str, Any]) -> frozenset[str]:
    return frozenset(
        zone
        for row in list_objects(get_section(types, "publicipaddresses").get("zoneMappings"))
        if normalize_region(parse_text(row.get("location"))) == place
        for zone in list_texts(row.get("zones"))
    )


def _read_sizes(reader: Reader, place: str) -> dict[str, Iterable[Any]]:
    """Return the sizes of a region, in lower case, each with its restrictions."""

    def call(clients: Clients) -> dict[str, Iterable[Any]]:
        rows = (
            item.as_dict()
            for item in clients.compute.resource_skus.list(filter=f"location eq '{place}'")
        )
        return {
            parse_text(row.get("name")).lower(): list_objects(row.get("restrictions"))
            for row in rows
            if row.get("resourceType") == "virtualMachines"
        }

    return reader.call_clients(f"GET sizes in {place}", call, SIZES_DEADLINE_S)


def _explain_unavailable(size: str, offered: dict[str, Iterable[Any]]) -> str:
    """Why a size is not available; empty if it is. One that lacks a zone is available."""
    if size.lower() not in offered:
        return "is not offered in this region"
    for item in offered[size.lower()]:
        if item.get("type") == "Location":
            return f"is restricted for this subscription: {item.get('reasonCode')}"
    return ""


def _has_image(reader: Reader, place: str, image: str) -> bool:
    publisher, offer, sku, version = image.split(":")

    def call(clients: Clients) -> bool:
        value = clients.compute.virtual_machine_images.list(place, publisher, offer, sku)
        names = {str(item.name) for item in value}
        return bool(names) if version == "latest" else version in names

    try:
        return reader.call_clients(f"GET versions of {image}", call)
    except AzureFailure as failure:
        if failure.kind is AzureErrorKind.NOT_FOUND:
            return False
        raise
