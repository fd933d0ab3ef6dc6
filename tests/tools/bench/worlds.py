"""The worlds that are measured: the proof of concept's topology with N spokes, its circuit dark.

Owns their making. The topology is provisioned once; further spokes are added by ARM requests
without HTTP in between, and the result is written down, so that every run begins at the same
moment of the same world. Ids are the same in every run: the drawn durations depend on them.
"""

from __future__ import annotations

import io
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from erfailover.cli.main import invoke
from erfailover.lab.arm import service
from erfailover.lab.auth import identity
from erfailover.lab.auth.identity import Identity
from erfailover.lab.core.clock import Clock, SteppedClock
from erfailover.lab.core.protocol import Request
from erfailover.lab.core.timing import Durations
from erfailover.lab.engine.lab import Lab
from erfailover.lab.engine.throttling import Limits, Throttling
from erfailover.lab.machines.data_plane import DataPlane
from erfailover.lab.server.server import LabServer

SUBSCRIPTION = "0e2f0f0e-6d0b-4c55-9f5f-0000000be7c4"
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-we"
NETWORK = f"{GROUP}/providers/Microsoft.Network"
PRIMARY, BACKUP, FAR = "vnet2", "vnet3", "vnet4"
PRIMARY_GATEWAY = f"{NETWORK}/virtualNetworkGateways/vng1"
BACKUP_GATEWAY = f"{NETWORK}/virtualNetworkGateways/vng2"
FAILED_PEER = "10.4.0.253"
DARK_S = 300.0
"""How long the circuit is dark before a switch: BGP's hold time (180 s) and more."""
BASE = "https://127.0.0.1:1"
SECRETS = {"ERFAILOVER_SHARED_KEY": "b3nchOfK3y5", "ERFAILOVER_ADMIN_PASSWORD": "P4ss-of-the-b3nch"}

Json = Any


def spoke_names(spokes: int) -> list[str]:
    """The spokes' VNets: the proof of concept's one, then further ones."""
    return ["vnet1", *(f"spoke{number:03d}" for number in range(2, spokes + 1))]


def _prefix(number: int) -> str:
    """The address space of a spoke, by its number from 0."""
    return f"172.{16 + number // 256}.{number % 256}.0/24" if number else "10.1.0.0/16"


def spoke_prefixes(spokes: int) -> set[str]:
    """The address spaces of so many spokes."""
    return {_prefix(number) for number in range(spokes)}


def remote_prefixes(prefixes: int) -> list[str]:
    """What the spokes must reach: the proof of concept's office, then further prefixes."""
    further = range(prefixes - 1)
    return ["10.5.0.0/16", *(f"10.{64 + number // 256}.{number % 256}.0/24" for number in further)]


def peering_id(owner: str, other: str) -> str:
    """The id of a peering."""
    return f"{NETWORK}/virtualNetworks/{owner}/virtualNetworkPeerings/{owner}-to-{other}"


@dataclass(frozen=True, slots=True)
class World:
    """A world written down, and the site file for it."""

    spokes: int
    prestaged: bool
    snapshot: bytes
    site: str


@dataclass
class Served:
    """A world that is being served, this process' environment pointed at it."""

    lab: Lab
    clock: Any
    """The lab's; a stepped one is the controller's as well."""
    folder: Path
    environment: dict[str, str]

    def command(self, *arguments: str) -> tuple[int, str, str]:
        """Type a command of erfailover on the lab's own clock: exit code, output, messages."""
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            # The controller has a clock of the same speed, unless both share a stepped one.
            code = invoke(
                list(arguments), self.clock if isinstance(self.clock, SteppedClock) else None
            )
        return code, out.getvalue(), err.getvalue()

    def run_or_raise(self, *arguments: str) -> str:
        """Type a command that must succeed; what it printed."""
        code, out, err = self.command(*arguments)
        if code:
            raise RuntimeError(f"erfailover {' '.join(arguments)}: exit code {code}\n{err}{out}")
        return out


class Worlds:
    """Makes worlds, each once."""

    def __init__(self) -> None:
        result = identity.make_identity()
        self.identity: Identity = replace(result, subscription=SUBSCRIPTION)
        self._made: dict[tuple[int, bool, int, bool, bool], World] = {}
        self._authority = tempfile.TemporaryDirectory(prefix="erfailover-bench-")

    def renew_authority(self) -> None:
        """Use a certificate authority of this process' own from now on, after a fork."""
        self._inherited = self._authority  # the other process removes it
        self._authority = tempfile.TemporaryDirectory(prefix="erfailover-bench-")

    def close(self) -> None:
        """Remove what was written."""
        self._authority.cleanup()

    @property
    def folder(self) -> Path:
        """A folder that is removed by ``close``."""
        return Path(self._authority.name)

    def get(
        self,
        spokes: int,
        prestaged: bool,
        prefixes: int = 1,
        *,
        dark: bool = True,
        machines: bool = False,
    ) -> World:
        """The world of so many spokes; the far end announces some prefixes.

        Args:
            spokes: how many.
            prestaged: whether their peerings with the backup hub are there.
            prefixes: how many the far end announces.
            dark: whether the circuit has failed.
            machines: whether every spoke has a machine.
        """
        key = spokes, prestaged, prefixes, dark, machines
        if key not in self._made:
            self._made[key] = self._grown(*key)
        return self._made[key]

    @contextmanager
    def serve(
        self,
        snapshot: bytes | None,
        site: str,
        seed: int | None,
        clock: Clock | None = None,
        plane: DataPlane | None = None,
    ) -> Iterator[Served]:
        """Serve a world, or an empty one, over HTTPS with durations drawn by a seed."""
        when = clock or SteppedClock()
        lab = Lab(
            when,
            identity_=self.identity,
            seed=1,
            draw_seed=seed,
            refuse_lab_paths=True,
            plane=plane,
        )
        if snapshot is not None:
            lab.restore(snapshot)
            lab.durations = Durations(seed)
            lab.throttling = Throttling(Limits())
        with (
            tempfile.TemporaryDirectory(prefix="erfailover-bench-") as path,
            LabServer(lab, Path(self._authority.name)) as server,
        ):
            folder = Path(path)
            (folder / "erfailover.yaml").write_text(site)
            variables = {
                **server.build_environment(),
                **SECRETS,
                "ERFAILOVER_STATE_DIR": str(folder / "state"),
                "ERFAILOVER_SITE": str(folder / "erfailover.yaml"),
            }
            with _environment(variables):
                yield Served(lab, when, folder, variables)

    @cached_property
    def init_site(self) -> str:
        """The site file of the proof of concept."""
        with self.serve(None, "", None) as served:
            (served.folder / "erfailover.yaml").unlink()
            with redirect_stderr(io.StringIO()), redirect_stdout(io.StringIO()):
                code = invoke(["init", "--site", served.environment["ERFAILOVER_SITE"]])
            if code:
                raise RuntimeError(f"erfailover init: exit code {code}")
            return (served.folder / "erfailover.yaml").read_text()

    @cached_property
    def _provisioned(self) -> bytes:
        with self.serve(None, self.init_site, None) as served:
            served.run_or_raise("provision", "--yes")
            _let_pass(served.lab, 60.0)
            return served.lab.snapshot()

    def _grown(
        self, spokes: int, prestaged: bool, prefixes: int, dark: bool, machines: bool
    ) -> World:
        lab = Lab(SteppedClock(), identity_=self.identity, seed=1)
        lab.restore(self._provisioned)
        lab.throttling = Throttling(None)
        # Routing follows once, at the end: it would be worked out anew at every write.
        listeners, lab.world.listeners = lab.world.listeners, []
        grower = _Grower(lab)
        for number, name in enumerate(spoke_names(spokes)):
            if number:
                grower.spoke(name, _prefix(number))
            if number and machines:
                grower.machine(name)
            if prestaged:
                grower.prestage(name)
        if prefixes > 1:
            grower.premises(remote_prefixes(prefixes)[1:])
        lab.world.listeners = listeners
        if dark:
            grower.fail()
        _let_pass(lab, DARK_S)
        return World(
            spokes, prestaged, lab.snapshot(), _site(self.init_site, spokes, prestaged, prefixes)
        )


def _site(init: str, spokes: int, prestaged: bool, prefixes: int) -> str:
    """The site file: networks that exist already, so no topology; no probes, for routes decide."""
    site: Json = yaml.safe_load(init)
    for key in ("topology", "probes"):
        site.pop(key)
    site["remote_prefixes"] = remote_prefixes(prefixes)
    uses = {"allow_forwarded_traffic": True, "use_remote_gateways": True}
    lends = {"allow_forwarded_traffic": True, "allow_gateway_transit": True}
    ready = {"allow_forwarded_traffic": True}
    site["spokes"] = [
        {
            "virtual_network": name,
            "spoke_to_primary": _site_peering(name, PRIMARY, uses, {}),
            "primary_to_spoke": _site_peering(PRIMARY, name, lends, {}),
            "spoke_to_backup": _site_peering(name, BACKUP, ready if prestaged else "absent", uses),
            "backup_to_spoke": _site_peering(BACKUP, name, lends if prestaged else "absent", lends),
        }
        for name in spoke_names(spokes)
    ]
    return yaml.safe_dump(site, sort_keys=False)


def _site_peering(owner: str, other: str, expressroute: Json, ipsec: Json) -> Json:
    name = f"{owner}-to-{other}"
    return {"name": name, "on_expressroute": expressroute, "on_ipsec": ipsec}


class _Grower:
    """Adds spokes to a world by ARM requests, one at a time."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._headers = {
            "Authorization": f"Bearer {lab.tokens.issue_access_token(f'{BASE}/t', BASE)}"
        }

    def spoke(self, name: str, prefix: str) -> None:
        """A VNet that uses the primary hub's gateway."""
        self._put(
            f"{NETWORK}/virtualNetworks/{name}",
            {"addressSpace": {"addressPrefixes": [prefix]}},
        )
        self._peer(PRIMARY, name, allowGatewayTransit=True)
        self._peer(name, PRIMARY, useRemoteGateways=True)

    def machine(self, name: str) -> None:
        """A machine in a spoke, like the one of the proof of concept's."""
        network = f"{NETWORK}/virtualNetworks/{name}"
        space = self._ask("GET", network, None)["properties"]["addressSpace"]
        subnet, nic = f"{network}/subnets/{name}-sub1", f"{NETWORK}/networkInterfaces/{name}-nic1"
        self._put(subnet, {"addressPrefix": space["addressPrefixes"][0]})
        place = {"subnet": {"id": subnet}, "privateIPAllocationMethod": "Dynamic"}
        self._put(nic, {"ipConfigurations": [{"name": "ipconfig1", "properties": place}]})
        machines = f"{GROUP}/providers/Microsoft.Compute/virtualMachines"
        like = self._ask("GET", f"{machines}/vm1", None)["properties"]
        image = {**like["storageProfile"]["imageReference"]}
        image.pop("exactVersion", None)
        os_profile = {"computerName": name, "adminUsername": "azureuser"}
        self._put(
            f"{machines}/{name}-vm",
            {
                "hardwareProfile": like["hardwareProfile"],
                "storageProfile": {
                    "imageReference": image,
                    "osDisk": {"createOption": "FromImage", "deleteOption": "Delete"},
                },
                "osProfile": {**os_profile, "adminPassword": SECRETS["ERFAILOVER_ADMIN_PASSWORD"]},
                "networkProfile": {"networkInterfaces": [{"id": nic}]},
            },
        )

    def premises(self, prefixes: list[str]) -> None:
        """A VNet beside the office, behind the far end's gateway, with many prefixes."""
        space = {"addressSpace": {"addressPrefixes": prefixes}}
        self._put(f"{NETWORK}/virtualNetworks/premises", space)
        self._peer(FAR, "premises", allowGatewayTransit=True)
        self._peer("premises", FAR, useRemoteGateways=True)

    def prestage(self, name: str) -> None:
        """The peerings with the backup hub, remote gateways off."""
        self._peer(BACKUP, name, allowGatewayTransit=True)
        self._peer(name, BACKUP)

    def fail(self) -> None:
        """ExpressRoute fails: the primary's far end has an address that nobody has."""
        path = f"{NETWORK}/localNetworkGateways/lng1"
        body = self._ask("GET", path, None)
        body["properties"]["bgpSettings"]["bgpPeeringAddress"] = FAILED_PEER
        self._put(path, body["properties"])

    def _peer(self, owner: str, other: str, **flags: bool) -> None:
        remote = {"remoteVirtualNetwork": {"id": f"{NETWORK}/virtualNetworks/{other}"}}
        self._put(peering_id(owner, other), {**remote, "allowForwardedTraffic": True, **flags})

    def _put(self, path: str, properties: Json) -> None:
        self._ask("PUT", path, {"location": "westeurope", "properties": properties})
        while (
            due := self._lab.world.get_next_event_time()
        ) is not None and self._lab.operations.list_active():
            _let_pass(self._lab, max(0.0, due - self._lab.world.now) + 0.001)

    def _ask(self, method: str, path: str, body: Json) -> Json:
        data = b"" if body is None else json.dumps(body).encode()
        query = {"api-version": "2024-05-01"}
        answer = service.handle(self._lab, Request(method, path, query, BASE, data, self._headers))
        if answer.status not in {200, 201}:
            raise RuntimeError(f"{method} {path}: {answer}")
        return json.loads(json.dumps(answer.body))


def _let_pass(lab: Lab, seconds: float) -> None:
    assert isinstance(lab.clock, SteppedClock)
    lab.clock.sleep(seconds)
    with lab.lock:
        lab.catch_up()


@contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    """This process' environment with some variables, and no other ones of Azure's or ours."""
    before = dict(os.environ)
    for name in [name for name in os.environ if name.startswith(("AZURE_", "ERFAILOVER_"))]:
        if name != "ERFAILOVER_TEST_AZ":
            del os.environ[name]
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
