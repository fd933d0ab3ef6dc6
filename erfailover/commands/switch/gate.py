"""The gate: what is read again immediately before a spoke is taken off its path, and must hold.

What must hold is decided by ``planning.switch.gates``. Never writes.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from itertools import count

from erfailover.azure.client.polling import poll_while_needed
from erfailover.azure.readers.cache import ReadingCache
from erfailover.commands.context import Context
from erfailover.commands.switch.options import PATIENCE_S, Options, insist
from erfailover.errors import AzureFailure, UnknownReading
from erfailover.model.conditions import ConditionStatus
from erfailover.model.durations import format_duration
from erfailover.model.observed import Gateway, SiteSnapshot
from erfailover.model.resource_ids import get_subscription
from erfailover.model.site import ROLE_OF_PATH, Role, Site, Spoke
from erfailover.planning import conditions
from erfailover.planning.switch import gates
from erfailover.runtime import waits
from erfailover.runtime.clock import start

NETWORKS_S = 10.0
"""How old a reading of VNets and peerings may be that the gate rests on, in seconds. What the run
has written is read again. The gateway's is read again at half of ``timing.gate_reading_age_s``."""
TRIES = 3
"""How often a slow reading is requested before the gate gives up: an answer that is lost costs
more than the gate's patience."""
TOKEN_MARGIN_S = 300.0
"""How much longer than a step a token must last: with less left, the SDK replaces it."""
REFRESH_S = 2.0
"""How often the age of the tables is looked at while gates are still to be passed, in seconds."""
PAUSE_S = 5.0
"""The pause before a gate that does not hold is read again, in seconds."""


class Gate:
    """The gate of every spoke of one switch.

    Attributes:
        seen: what each spoke's gate rested on, by spoke, with its own peerings only.
    """

    def __init__(self, context: Context, options: Options, readings: ReadingCache) -> None:
        self._context, self._options, self._readings = context, options, readings
        self._clock = context.clock
        self._arriving = ROLE_OF_PATH[options.target]
        self._leaving = ROLE_OF_PATH[options.target.other]
        self.seen: dict[str, SiteSnapshot] = {}
        self._origin: Future[Gateway | None] | None = None
        self._prepared_since_s = float("-inf")

    @property
    def _site(self) -> Site:
        """The site, with the names that its peerings have by the latest observation."""
        return self._context.site

    @property
    def _limit_s(self) -> float:
        """How old the reading of the gateway may be, since its answer."""
        return self._site.timing.gate_reading_age_s

    def _is_too_old(self, gateway: Gateway | None) -> bool:
        """Whether a reading is; without one, the conditions say what is unknown."""
        return gateway is not None and self._clock.now() - gateway.answered_s > self._limit_s

    def read_ahead(self) -> None:
        """Read the arriving gateway's tables beside the preparation, so that no gate waits."""
        self._prepared_since_s = self._clock.now()
        read = partial(self._readings.get_gateway, self._arriving, 0.0)
        start(self._clock, read, "read the tables again")

    def keep_read(self, needed: Callable[[], bool]) -> None:
        """Read the tables again and again from now on, so that no gate waits for a reading.

        Args:
            needed: whether a gate is still to be passed.
        """

        def keep() -> None:
            while needed():
                # A gate that finds no reading reads for itself, and says why it cannot.
                with suppress(AzureFailure), poll_while_needed(needed):
                    self._readings.get_gateway(self._arriving, self._limit_s / 4)
                self._clock.wait_for(lambda: not needed(), REFRESH_S)

        start(self._clock, keep, "keep the tables read")

    def read_origin(self) -> None:
        """Have the gateway of the hub being left, read in the background: it may never answer."""
        read = partial(self._readings.read_leaving_gateway, self._leaving, self._limit_s / 2)
        self._origin = start(self._clock, read, "read the path being left")

    def enter(self, spoke: Spoke, origin_id: str) -> bool:
        """Reserve room for break and make under Azure's limits, and wait until the gate holds.

        Args:
            spoke: the spoke.
            origin_id: its peering with the hub being left.

        Returns:
            Whether the path being left is known to work.

        Raises:
            Refused: a condition fails.
            UnknownReading: a condition cannot be known.
        """
        make = spoke.get_outward(self._arriving).name
        items = origin_id, self._site.build_peering_id(spoke.virtual_network, make)
        budget = self._context.session.budget
        budget.prepay(items, self._site.timing.step_deadline_s)
        try:
            self._ensure_tokens(spoke)
            waits.tell(waits.Wait("re-checking preconditions"))
            self.wait_for(spoke)
            waits.tell(waits.Wait(""))
        except BaseException:
            budget.forgo(items)
            raise
        return self._is_origin_healthy()

    def _ensure_tokens(self, spoke: Spoke) -> None:
        """Have every token that break and make need, so that neither waits for one."""
        hubs = [self._site.get_hub(role).virtual_network for role in Role]
        ids = map(self._site.build_network_id, (spoke.virtual_network, *hubs))
        subscriptions = dict.fromkeys(get_subscription(id_).lower() for id_ in ids)
        lasts_s = self._site.timing.step_deadline_s + TOKEN_MARGIN_S
        self._context.session.ensure_tokens(subscriptions, lasts_s)

    def _is_origin_healthy(self) -> bool:
        """Return whether the path being left is known to work; a dead gateway is not waited for."""
        if self._origin is None or not self._origin.done() or self._origin.exception():
            return False
        gateway = self._origin.result()
        checks = (
            conditions.check_gateway_connected(gateway, self._leaving),
            conditions.check_gateway_learned(gateway, self._leaving, self._site.remote_prefixes),
        )
        return conditions.combine_verdicts(checks) is ConditionStatus.HOLDS

    def wait_for(self, spoke: Spoke) -> None:
        """Read until every condition of a spoke holds, or patience ends."""
        site, target, clock, role = self._site, self._options.target, self._clock, self._arriving
        networks = [site.get_hub(role).virtual_network, spoke.virtual_network]
        own = site.build_network_id(spoke.virtual_network)
        deadline = clock.now() + PATIENCE_S
        gateway_age_s = min(self._limit_s / 2, clock.now() - self._prepared_since_s)
        ages = NETWORKS_S, gateway_age_s
        for tries in count(1):
            observed = self._readings.observe(networks, role, *ages, of=own)
            checks = tuple(gates.check_gate(site, observed, target, spoke))
            ages = 1.0, 1.0
            late = clock.now() >= deadline
            if self._is_too_old(observed.gateways.get(role)) and not self._options.force:
                if late and tries >= TRIES:
                    raise UnknownReading(
                        f"the reading of the {role} hub's gateway is more than "
                        f"{format_duration(self._limit_s)} old by the time the rest of the gate "
                        f"has been read: too old to disconnect {spoke.name}",
                        "This step changed nothing. Run the same command again, or raise "
                        "timing.gate_reading_age_s in the site file.",
                    )
                continue  # an answer was lost, and is requested again
            holds = conditions.combine_verdicts(checks) is ConditionStatus.HOLDS
            if holds or self._options.force or late:
                break
            unmet = next(
                condition for condition in checks if condition.status is not ConditionStatus.HOLDS
            )
            waits.tell(waits.Wait(f"the gate does not hold yet: {unmet.message}", PAUSE_S))
            clock.sleep(PAUSE_S)
        insist(self._context.output, self._options, checks, f"move {spoke.name}")
        self.seen[spoke.name] = gates.keep_own_peerings(site, observed, spoke)
        for checked in gates.find_out_of_sync(site, observed, role, spoke):
            self._context.output.warn(f"warning: {checked.message}. Later: {checked.remedy}")
