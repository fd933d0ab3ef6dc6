"""How to switch, and what a switch insists on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any

from erfailover.commands.output import Output
from erfailover.errors import Refused, UnknownReading
from erfailover.model.conditions import Condition, ConditionStatus
from erfailover.model.counting import join_names
from erfailover.model.observed import Gateway
from erfailover.model.site import Path, Role
from erfailover.planning.hazards.scene import NAMES as HAZARDS
from erfailover.planning.switch.gates import READINESS

FORCEABLE = READINESS | frozenset(HAZARDS)
"""What ``--force`` overrides: that the path to switch to is not ready, and hazards."""
PATIENCE_S = 60.0
"""How long the gate is read again before it refuses: Azure answers empty lists at times."""
MAX_FAILURES = 5


@dataclass(frozen=True)
class Options:
    """How to switch.

    Attributes:
        target: the path to move to.
        dry_run: show the plan and stop.
        force: override the readiness of the target.
        wait: wait for the hold time of a switch back, instead of refusing.
        undoes: the run that this undoes, in words, so the path it left needs no hold time;
            empty for any other switch.
        planned: take spokes off a path that works.
        canary: the name of the spoke that is moved and verified before the others.
        max_failures: after more failed steps than this, no further spoke starts.
        out: where the plan of a dry run is kept as well.
        saved: the saved plan to apply if Azure has not changed since, and its name.
        probes: the names of further probes to ask continuously meanwhile.
        gateways: what the caller has just read of the hubs' gateways, their tables included; the
            plan then does not read them again.
    """

    target: Path
    dry_run: bool = False
    force: bool = False
    wait: bool = True
    undoes: str = ""
    planned: bool = False
    canary: str | None = None
    max_failures: int = MAX_FAILURES
    out: FilePath | None = None
    saved: tuple[str, Mapping[str, Any]] | None = None
    probes: tuple[str, ...] = ()
    gateways: Mapping[Role, Gateway] = field(default_factory=dict)

    @property
    def undo(self) -> bool:
        """Whether this undoes a switch."""
        return bool(self.undoes)


MANY = 6
"""So many reasons of a refusal are shown; the plan and its JSON have all."""


def insist(output: Output, options: Options, conditions: Iterable[Condition], what: str) -> None:
    """Raise unless every condition holds; ``--force`` overrides what it may, and says so.

    Raises:
        Refused: a condition fails.
        UnknownReading: a condition is unknown.
    """
    bad = [condition for condition in conditions if condition.status is not ConditionStatus.HOLDS]
    if options.force:
        for checked in bad:
            if checked.name in FORCEABLE:
                output.warn(f"Overridden by --force: {checked.name}: {checked.message}")
        bad = [condition for condition in bad if condition.name not in FORCEABLE]
    message = join_names(dict.fromkeys(condition.message for condition in bad), MANY, "; ")
    helps = bool(bad) and all(condition.name in FORCEABLE for condition in bad)
    force = ", or use --force to override." if helps else "; --force does not override it."
    remedies = " ".join(
        [*dict.fromkeys(condition.remedy for condition in bad if condition.remedy)][:MANY]
    )
    hint = f"Nothing was changed. Fix this{force} {remedies}".strip()
    if any(condition.status is ConditionStatus.FAILS for condition in bad):
        raise Refused(f"refusing to {what} to {options.target}: {message}", hint)
    if bad:
        raise UnknownReading(
            f"refusing to {what} to {options.target} on an unknown reading: {message}", hint
        )
