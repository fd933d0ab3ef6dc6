"""Marketplace images: the requests that precede the creation of a virtual machine.

Owns the answers below ``.../locations/{location}/publishers``. The lab has the images that the
proof of concept's successors use; any other is not found, as in Azure.
"""

from __future__ import annotations

from dataclasses import dataclass

from erfailover.lab.core.errors import Refusal, RefusalError, not_modelled
from erfailover.lab.core.protocol import Answer, Request
from erfailover.lab.core.world import Body


@dataclass(frozen=True, slots=True)
class Image:
    """A marketplace image; the version is made up, its form is Canonical's."""

    publisher: str
    offer: str
    sku: str
    version: str


IMAGES = (
    Image("Canonical", "ubuntu-24_04-lts", "server", "24.04.202609110"),
    Image("Canonical", "0001-com-ubuntu-server-jammy", "22_04-lts-gen2", "22.04.202609050"),
)


def answer(request: Request, subscription: str, location: str, parts: list[str]) -> Answer:
    """Answer a GET of the versions of an image, or of one of them (recorded form).

    ``parts`` are the parts of the path after ``publishers``. Raises RefusalError.
    """
    low = [part.lower() for part in parts]
    shape = (low[1:3], low[3:4], low[5:6], low[7:8])
    if shape != (["artifacttypes", "vmimage"], ["offers"], ["skus"], ["versions"]) or low[9:]:
        raise RefusalError(not_modelled(f"publishers/{'/'.join(parts)}"))
    if request.method != "GET":
        raise RefusalError(not_modelled(f"{request.method} of an image"))
    key = (low[0], low[4], low[6])
    images = [
        image
        for image in IMAGES
        if (image.publisher.lower(), image.offer, image.sku) == key
        and low[8:] in ([], [image.version])
    ]
    if not images:
        raise RefusalError(Refusal(404, "NotFound", "Artifact: VMImage was not found."))
    if low[8:]:
        return Answer(200, _build_image(images[0], subscription, location))
    rows = [_build_row(image, subscription, location) for image in images]
    if "$expand" in request.query:
        rows = [_build_image(image, subscription, location) for image in images]
    return Answer(200, rows)


def _build_row(image: Image, subscription: str, location: str) -> Body:
    return {
        "location": location,
        "name": image.version,
        "id": (
            f"/Subscriptions/{subscription}/Providers/Microsoft.Compute/Locations/{location}"
            f"/Publishers/{image.publisher}/ArtifactTypes/VMImage/Offers/{image.offer}"
            f"/Skus/{image.sku}/Versions/{image.version}"
        ),
    }


def _build_image(image: Image, subscription: str, location: str) -> Body:
    return {
        "properties": {
            "hyperVGeneration": "V2",
            "architecture": "x64",
            "replicaType": "Managed",
            "automaticOSUpgradeProperties": {"automaticOSUpgradeSupported": True},
            "osDiskImage": {"operatingSystem": "Linux", "sizeInGb": 30},
            "dataDiskImages": [],
            "features": [
                {"name": "SecurityType", "value": "TrustedLaunchAndConfidentialVmSupported"},
                {"name": "IsAcceleratedNetworkSupported", "value": "True"},
            ],
            "imageDeprecationStatus": {"imageState": "Active"},
        },
        **_build_row(image, subscription, location),
    }
