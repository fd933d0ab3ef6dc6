"""``python -m tests.tools.docs.run_on_machine``: a script on a machine, as az would run it.

Usage: python -m tests.tools.docs.run_on_machine MACHINE SCRIPT
    prints what it printed, in the lab that the environment names
"""

from __future__ import annotations

import os
import sys

from azure.identity import DefaultAzureCredential
from azure.mgmt.compute import ComputeManagementClient

GROUP = "rg-we"


def main(machine: str, script: str) -> None:
    """Run the script and print its output."""
    endpoint = os.environ["ERFAILOVER_ENDPOINT"]
    compute = ComputeManagementClient(
        DefaultAzureCredential(),
        os.environ["AZURE_SUBSCRIPTION_ID"],
        base_url=endpoint,
        credential_scopes=[f"{endpoint}/.default"],
    )
    body = {"commandId": "RunShellScript", "script": [script]}
    polling = compute.virtual_machines.begin_run_command(GROUP, machine, body)  # type: ignore[call-overload]
    text = "\n".join(row.message or "" for row in polling.result().value or ())
    print(text.partition("[stdout]\n")[2].partition("\n[stderr]")[0].rstrip())


main(*sys.argv[1:])
