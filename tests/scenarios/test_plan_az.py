"""The plan as az commands: what they come to, and that they stop before they break anything."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support import az as az_cli
from tests.support.az import Az
from tests.support.stage import Stage

FAKE = """#!/bin/sh
echo "$@" >>"$0.calls"
case "$*" in
    *"$AZ_SILENT"*) ;;
    *peeringState*) echo Connected/Succeeded ;;
    *provisioningState*) echo Succeeded ;;
    *useRemoteGateways*"in use"*) echo unused ;;
    *"list-"*) echo 10.5.0.0/16 ;;
    *"$AZ_REFUSED"*) exit 1 ;;
esac
"""


def run_with_fake_az(
    script: str, folder: Path, silent: str = "no-such", refused: str = "no-such"
) -> Any:
    """Run a script with an az that notes what it is told; what it said, and the calls."""
    fake = folder / "bin" / "az"
    fake.parent.mkdir(exist_ok=True)
    fake.write_text(FAKE)
    fake.chmod(0o755)
    calls = Path(f"{fake}.calls")
    calls.write_text("")
    path = f"{fake.parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["/bin/sh"],
        input=script,
        env={"PATH": path, "AZ_SILENT": silent, "AZ_REFUSED": refused},
        capture_output=True,
        text=True,
        check=False,
    )
    return done, calls.read_text().splitlines()


def writes(calls: list[str]) -> list[str]:
    """``create vnet3-to-vnet1``, in order."""
    lines = []
    for call in calls:
        words = call.split()
        if words[2] == "peering" and words[3] != "show":
            lines.append(f"{words[3]} {words[words.index('--name') + 1]}")
    return lines


ALL = [
    "create vnet3-to-vnet1",
    "create vnet1-to-vnet3",
    "update vnet1-to-vnet2",
    "update vnet1-to-vnet3",
    "update vnet2-to-vnet1",
]


def test_the_script_writes_what_the_plan_says_in_its_order(provisioned: Stage) -> None:
    stage = provisioned
    script = stage.do("switch", "--to", "ipsec", "--dry-run", "-o", "az")
    done, calls = run_with_fake_az(script, stage.folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert writes(calls) == ALL
    subscription = stage.lab.identity.subscription
    where = f"--subscription {subscription} --resource-group rg-we --vnet-name vnet1"
    quiet = "--output none"
    assert calls[-2] == (
        f"network vnet peering update {where} --name vnet1-to-vnet3 "
        f"--set useRemoteGateways=true {quiet}"
    )
    remote = (
        f"/subscriptions/{subscription}/resourceGroups/rg-we/providers/Microsoft.Network/"
        "virtualNetworks/vnet3"
    )
    assert (
        f"network vnet peering create {where} --name vnet1-to-vnet3 --remote-vnet {remote} "
        "--allow-vnet-access true --allow-forwarded-traffic true --allow-gateway-transit false "
        f"--use-remote-gateways false {quiet}"
    ) in calls
    assert max(map(len, script.splitlines())) < 150


@pytest.mark.parametrize(
    ("silent", "message"),
    [
        ("list-bgp-peer-status", "STOP: no BGP peer of vng2 is Connected"),
        ("list-learned-routes", "STOP: vng2 has not learned 10.5.0.0/16 by BGP"),
        ("peeringState", "STOP: vnet3-to-vnet1 is not Connected and Succeeded"),
    ],
)
def test_the_script_stops_at_the_gate(provisioned: Stage, silent: str, message: str) -> None:
    stage = provisioned
    script = stage.do("switch", "--to", "ipsec", "--dry-run", "-o", "az")
    done, calls = run_with_fake_az(script, stage.folder, silent=silent)
    assert done.returncode != 0
    assert message in done.stderr
    assert writes(calls) == ALL[:2], "nothing is broken"


def test_the_routes_are_read_once_for_all_prefixes(provisioned: Stage) -> None:
    stage = provisioned
    file = stage.folder / "erfailover.yaml"
    text = file.read_text("utf-8")
    file.write_text(
        text.replace(
            "remote_prefixes: [10.5.0.0/16]", "remote_prefixes: [10.5.0.0/16, 10.5.1.0/24]"
        )
    )
    script = stage.do("switch", "--to", "ipsec", "--dry-run", "-o", "az")
    done, calls = run_with_fake_az(script, stage.folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert sum("list-learned-routes" in call for call in calls) == 1
    lacking = script.replace("-e 10.5.1.0/24 -e 10.5.0.0/16", "-e 10.5.1.0/24")
    assert lacking != script
    done, calls = run_with_fake_az(lacking, stage.folder)
    assert done.returncode != 0
    assert "STOP: vng2 has not learned 10.5.1.0/24 by BGP" in done.stderr
    assert writes(calls) == ALL[:2], "nothing is broken"


def test_where_the_make_is_refused_the_script_says_how_to_take_the_break_back(
    provisioned: Stage,
) -> None:
    stage = provisioned
    script = stage.do("switch", "--to", "ipsec", "--dry-run", "-o", "az")
    done, calls = run_with_fake_az(script, stage.folder, refused="useRemoteGateways=true")
    assert done.returncode != 0
    assert "STOP: step 4 of vnet1 failed; roll it back as described below it" in done.stderr
    assert writes(calls) == ALL[:4]
    after = script[script.index("If step 4 is rejected") :]
    back = after[: after.index("# 5.")].replace("# az", "az").replace("#     ", "    ")
    value, calls = run_with_fake_az("\n".join(back.splitlines()[1:]), stage.folder)
    assert value.returncode == 0
    assert writes(calls) == ["update vnet1-to-vnet3", "update vnet1-to-vnet2"]
    assert "useRemoteGateways=true" in calls[-1]


KIND = "Microsoft.Network/virtualNetworks/virtualNetworkPeerings"


def peerings(stage: Stage) -> dict[str, Any]:
    """Every peering there is, as the lab has it, without what is its own and not of the write."""
    stage.lab.catch_up()
    return {
        str(resource.id): {key: value for key, value in resource.properties.items() if key in TOLD}
        for resource in stage.lab.world.iter_by_type(KIND)
    }


TOLD = {
    "allowVirtualNetworkAccess",
    "allowForwardedTraffic",
    "allowGatewayTransit",
    "useRemoteGateways",
    "doNotVerifyRemoteGateways",
    "peeringState",
    "peeringSyncLevel",
    "remoteVirtualNetwork",
}


@pytest.fixture(scope="module")
def az() -> Az:
    return az_cli.install_az()


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("way", ["ipsec", "expressroute"])
def test_the_script_by_the_real_az_ends_where_a_switch_does(
    provisioned: Stage, az: Az, way: str
) -> None:
    stage = provisioned
    if way == "expressroute":
        stage.do("switch", "--to", "ipsec", "--yes", "--planned")
    else:  # what the tool does not know stays
        with stage.lab.lock:
            stage.resource(KIND, "vnet1-to-vnet2").properties["doNotVerifyRemoteGateways"] = True
    stage.pass_time(200.0)
    script = stage.do("switch", "--to", way, "--dry-run", "-o", "az")
    before = stage.lab.snapshot()
    stage.do("switch", "--to", way, "--yes", "--planned")
    desired = peerings(stage)
    stage.lab.restore(before)
    assert peerings(stage) != desired

    az_cli.play_script(az, stage, script)
    assert peerings(stage) == desired
