"""Provision and destroy, killed on the way: they go on, and take nothing foreign.


Each trial has a lab of its own, and a process of its own that is killed at a write.
"""

from __future__ import annotations

import copy

from erfailover.lab.core import ids
from erfailover.lab.core import resource_types as rt
from erfailover.lab.core.world import Resource
from tests.support.clocks import ResumedClock
from tests.tools.campaign import checks
from tests.tools.campaign.trial import Result, Victim
from tests.tools.campaign.warm import Ran, Warm
from tests.tools.campaign.watch import Seen, Watch

SPEED = 200.0
FOREIGN = "somebody-elses-ip"


def names(warm: Warm) -> dict[str, str]:
    """Every resource there is, with its state."""
    with warm.lab.lock:
        warm.lab.catch_up()
        return {
            str(resource.id).lower(): resource.state
            for resource in warm.lab.world.resources.values()
        }


def try_provision(warm: Warm, desired: dict[str, str], write: int, *, done: bool) -> Result:
    """Provision an empty lab, killed at a write, before or after it was done; then again."""
    runs, sightings = _run_with_kill(warm, "provision", write, done=done)
    lines = list(checks.find_killed_problems(runs, sightings))
    there = names(warm)
    if there != desired:
        lines.append(f"provision converges: {_difference(there, desired)}")
    return _result("provision", write, done, runs, lines)


def try_destroy(warm: Warm, write: int, *, done: bool) -> Result:
    """Destroy a provisioned lab that holds something foreign, killed at a deletion; then again."""
    foreign = add_foreign(warm)
    runs, sightings = _run_with_kill(warm, "destroy", write, done=done)
    lines = list(checks.find_killed_problems(runs, sightings))
    there = names(warm)
    if foreign not in there:
        lines.append("nothing foreign is deleted: the foreign resource is gone")
    remaining = [name for name in there if name != foreign and "/providers/" in name]
    if remaining:
        lines.append(f"nothing is lost sight of: left over: {', '.join(remaining)}")
    return _result("destroy", write, done, runs, lines)


def add_foreign(warm: Warm) -> str:
    """Put a resource of somebody else's into the site's resource group."""
    with warm.lab.lock:
        model = next(warm.lab.world.iter_by_type(rt.PUBLIC_IP))
        text = str(model.id)
        new = ids.parse(text.rsplit("/", 1)[0] + f"/{FOREIGN}")
        assert new is not None
        body = copy.deepcopy(model.body)
        body |= {"id": str(new), "name": FOREIGN, "tags": {"owner": "somebody else"}}
        body["properties"].pop("ipConfiguration", None)
        body["properties"]["ipAddress"] = "203.0.113.250"
        warm.lab.world.add(Resource(new, body, copy.deepcopy(body)))
        warm.lab.world.notify_listeners()
    return str(new).lower()


def _run_with_kill(
    warm: Warm, command: str, write: int, *, done: bool
) -> tuple[list[Ran | None], list[Seen]]:
    arguments = (command, "--yes")
    warm.use_own_state()
    victim = Victim(warm, arguments, speed=SPEED)
    watch = Watch(warm.lab, warm.state, victim=victim.pid, kill_at_write=write, kill_after=done)
    warm.lab.clock = ResumedClock(SPEED, warm.clock.now())
    watch.install()
    runs: list[Ran | None] = []
    with warm.serving() as server:
        watch.begin(1)
        runs.append(victim.run(server.build_environment()))
        warm.clock.sleep(warm.lab.clock.now() - warm.clock.now())
        warm.lab.clock = warm.clock
        for number in (2, 3):
            watch.begin(number)
            runs.append(warm.run(*arguments))
    return runs, watch.seen


def _difference(by_name: dict[str, str], desired: dict[str, str]) -> str:
    missing = [name for name in desired if name not in by_name]
    more = [name for name in by_name if name not in desired]
    other = [name for name in by_name if name in desired and by_name[name] != desired[name]]
    return f"missing {missing}, more {more}, in another state {other}"


def _result(
    command: str, write: int, done: bool, runs: list[Ran | None], lines: list[str]
) -> Result:
    second = runs[1]
    assert second is not None
    return Result(
        id=f"{command}:write:{write}:{'lost' if done else 'before'}:killed",
        problems=lines,
        codes=[None if ran is None else ran.code for ran in runs],
        recovery_s=round(second.seconds, 1),
        detail="\n".join(ran.err for ran in runs if ran is not None) if lines else "",
    )
