"""``erfailover drill start | stop``: the simulated failure of the primary path, and its repair.

The site file decides which way it is done: ``vpn_stand_in`` if a VPN gateway stands in
for ExpressRoute, ``site_failover`` if the primary is an ExpressRoute gateway.
"""

from __future__ import annotations

from erfailover.commands.context import Context
from erfailover.commands.drill import site_failover, vpn_stand_in
from erfailover.errors import UsageFailure
from erfailover.model.site import Drill


def run(context: Context, *, start: bool, gateway: str | None = None) -> None:
    """Start or stop the drill, and return when the gateway's peers show it.

    Args:
        context: the invocation.
        start: or stop.
        gateway: the name of the primary gateway, as typed on the command line.
    """
    drill = context.site.drill
    if isinstance(drill, Drill):
        vpn_stand_in.run(context, drill, start=start)
    elif drill is not None and start:
        site_failover.start(context, drill, gateway)
    elif not start:
        site_failover.stop(context)
    else:
        raise UsageFailure(
            f"{context.site_file} has no drill",
            "Add a drill: section; see docs/reference.md, or the file that erfailover init writes.",
        )
