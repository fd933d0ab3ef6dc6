"""Which events follow from a sequence of readings, and to which incident they belong."""

from __future__ import annotations

from dataclasses import replace

from erfailover.model.watch import Event, EventType, Pause, Severity, WatchReading
from erfailover.model.watch_settings import Watch
from erfailover.planning.watch.assessment import assess
from erfailover.planning.watch.history import SwitchHistory
from erfailover.planning.watch.memory import Memory
from tests.unit.planning.watch.scenes import HOLD_S, NIGHT, RULES, read

OBSERVE = replace(RULES, mode="observe")


def play(
    *readings: WatchReading,
    rules: Watch = OBSERVE,
    pauses: dict[float, Pause] | None = None,
    memory: Memory | None = None,
    history: SwitchHistory | None = None,
) -> list[Event]:
    """The events of all readings; ``pauses`` by the moment of the reading."""
    memory = memory or Memory()
    events: list[Event] = []
    for reading in readings:
        pause = (pauses or {}).get(reading.at - NIGHT)
        result = assess(
            "poc", memory, reading, rules, HOLD_S, history or SwitchHistory(), reading.at, pause
        )
        memory = result.step.memory
        events += result.events
    return events


def at(signals: str, seconds: float, place: str = "primary", backup: str = "U") -> WatchReading:
    return read(signals, NIGHT + seconds, place=place, backup=backup)


STORY = (
    at("UUU", 0),
    at("UUU", 30),
    at("DDU", 60),
    at("DDD", 65),
    at("DDD", 95),
    at("DDD", 125, place="backup"),
    at("UUU", 155, place="backup"),
    at("UUU", 185),
    at("UUU", 215),
)


def test_one_incident_from_leaving_healthy_until_healthy() -> None:
    events = play(*STORY)
    assert [(e.data["before"], e.data["detected"], str(e.severity)) for e in events] == [
        ("UNKNOWN", "HEALTHY", "info"),
        ("HEALTHY", "SUSPECT", "info"),
        ("SUSPECT", "FAILED", "critical"),
        ("FAILED", "ON_BACKUP", "warning"),
        ("ON_BACKUP", "RECOVERING", "info"),
        ("RECOVERING", "HEALTHY", "info"),
    ]
    assert {e.type for e in events} == {EventType.STATE_CHANGED}
    assert {e.incident for e in events[1:]} == {f"poc/path/{NIGHT + 60:.3f}"}
    assert events[0].incident != events[1].incident
    assert [e.resolves for e in events] == [False] * 5 + [True]


def test_a_repetition_has_the_same_ids_and_no_two_events_have_one() -> None:
    events = play(*STORY)
    assert events == play(*STORY)
    assert len({event.id for event in events}) == len(events)


def test_the_next_incident_has_another_key() -> None:
    events = play(*STORY, *(replace(reading, at=reading.at + 9000) for reading in STORY))
    keys = [event.incident for event in events if event.resolves]
    assert len(set(keys)) == 2


def test_a_failure_says_why_nothing_is_switched() -> None:
    failed = next(e for e in play(*STORY) if e.data["detected"] == "FAILED")
    assert failed.text.startswith("FAILED (was SUSPECT): the primary path has failed")
    assert "No switch to ipsec: the mode is observe" in failed.text
    assert "gateway down: gateway shows D" in failed.text


def test_another_reason_to_withhold_a_switch_is_reported_once() -> None:
    readings = (
        at("DDD", 0),
        at("DDD", 5),
        at("DDD", 35),
        at("DDD", 65, backup="D"),
        at("DDD", 95, backup="D"),
    )
    history = SwitchHistory(NIGHT + 60 - RULES.cooldown_s, "switch by anna")
    events = play(*readings, rules=RULES, history=history)
    assert [event.type for event in events] == [
        EventType.STATE_CHANGED,
        EventType.STATE_CHANGED,
        EventType.SWITCH_WITHHELD,
    ]
    assert "the cooldown after switch by anna" in events[1].text
    assert events[2].text == "FAILED: no switch to ipsec: the backup is not ready: vng2 shows it"
    assert (events[2].severity, events[2].incident) == (Severity.WARNING, events[1].incident)


def test_the_end_of_the_hold_time_is_reported_if_failback_is_manual() -> None:
    readings = [at("UUU", seconds, place="backup") for seconds in (0, 60, 120, 150)]
    events = play(*readings, rules=RULES)
    assert [(e.type, e.severity) for e in events] == [
        (EventType.STATE_CHANGED, Severity.INFO),
        (EventType.SWITCH_WITHHELD, Severity.INFO),
    ]
    assert "erfailover switch --to expressroute" in events[1].text


def test_a_backup_that_stays_unready_is_reported_once_and_resolved() -> None:
    readings = [at("UUU", 30 * n, backup="D?"[n % 2]) for n in range(40)]
    events = play(*readings, at("UUU", 1200), at("UUU", 1230))
    backup = [e for e in events if e.type is not EventType.STATE_CHANGED]
    assert [(e.type, e.at - NIGHT, e.resolves) for e in backup] == [
        (EventType.BACKUP_NOT_READY, 900, False),
        (EventType.BACKUP_READY, 1200, True),
    ]
    assert {e.incident for e in backup} == {f"poc/backup/{NIGHT:.3f}"}
    assert backup[0].severity is Severity.WARNING


def test_a_backup_that_recovers_in_time_is_not_reported() -> None:
    readings = [at("UUU", 30 * n, backup="U" if n == 20 else "D") for n in range(40)]
    assert {e.type for e in play(*readings)} == {EventType.STATE_CHANGED}


def test_a_watcher_that_is_cut_off_does_not_blame_the_backup() -> None:
    readings = [read("???", NIGHT + 30 * n, backup="?", witness="D") for n in range(100)]
    events = play(at("UUU", -30), *readings, at("UUU", 3000))
    assert {e.type for e in events} == {EventType.STATE_CHANGED}
    assert [(e.data["detected"], e.severity, e.resolves) for e in events[1:]] == [
        ("UNKNOWN", Severity.INFO, False),
        ("UNKNOWN", Severity.WARNING, False),
        ("HEALTHY", Severity.INFO, True),
    ]
    assert len({e.id for e in events}) == 4


def test_an_unready_backup_is_critical_while_it_carries_the_spokes() -> None:
    readings = [at("DDD", 30 * n, place="backup", backup="D") for n in range(40)]
    events = play(*readings)
    assert [event.severity for event in events] == [Severity.CRITICAL] * 2


def test_a_spoke_without_a_path_and_a_site_without_a_signal_up_are_critical() -> None:
    assert play(at("UUU", 0, place="half stranded"))[0].severity is Severity.CRITICAL
    only = [read("D", NIGHT + 6 * n) for n in range(5)]
    assert play(*only)[-1].severity is Severity.CRITICAL
    one = [at("DUU", 6 * n) for n in range(5)]
    assert play(*one)[-1].severity is Severity.WARNING


def test_a_pause_is_reported_at_both_ends_and_in_what_happens_meanwhile() -> None:
    pause = Pause("work on the circuit", since=NIGHT, until=NIGHT + 100, by="anna")
    readings = [at("UUU", 0), at("DDU", 30), at("DDU", 35), at("UUU", 65), at("UUU", 125)]
    pauses = dict.fromkeys([30.0, 35.0, 65.0, 125.0], pause)
    events = play(*readings, rules=RULES, pauses=pauses)
    kinds = [(e.type, e.data["state"]) for e in events]
    assert kinds == [
        (EventType.STATE_CHANGED, "HEALTHY"),
        (EventType.STATE_CHANGED, "PAUSED"),
        (EventType.PAUSED, "PAUSED"),
        (EventType.STATE_CHANGED, "PAUSED"),
        (EventType.STATE_CHANGED, "PAUSED"),
        (EventType.RESUMED, "HEALTHY"),
    ]
    assert events[2].text == ("paused by anna until 2027-01-15 08:01:40 UTC: work on the circuit")
    assert "FAILED" in events[3].text
    assert "paused by anna: work on the circuit" in events[3].text
    assert events[2].incident == events[5].incident
    assert events[5].resolves


def test_a_lockout_is_reported_until_an_operator_resumes() -> None:
    history = SwitchHistory(None, "", (NIGHT - 5000, NIGHT - 4000))
    readings = [at("DDD", 0), at("DDD", 5), at("DDD", 35)]
    memory = Memory()
    events: list[Event] = []
    for reading in readings:
        result = assess("poc", memory, reading, RULES, HOLD_S, history, reading.at)
        memory = result.step.memory
        events += result.events
    assert [e.data["state"] for e in events] == ["SUSPECT", "LOCKED_OUT", "LOCKED_OUT"]
    assert events[2].severity is Severity.CRITICAL
    assert "max_switches_per_day is 2" in events[2].text
    assert memory.locked_out is not None
    assert result.decision.rule == "locked out"
    resumed = assess("poc", memory.unlock(NIGHT), at("DDD", 65), RULES, HOLD_S, history, NIGHT + 65)
    assert resumed.decision.withheld is None
    assert [(e.type, e.incident, e.resolves) for e in resumed.events] == [
        (EventType.RESUMED, events[2].incident, True)
    ]


def test_a_lockout_by_a_failed_switch_is_reported_with_the_next_reading() -> None:
    events = play(at("DDD", 5), memory=Memory().lock_out("a switch failed"))
    assert [e.data["state"] for e in events] == ["LOCKED_OUT"] * 2
    assert "Locked out: a switch failed" in events[0].text


def test_a_cut_off_is_no_part_of_the_time_that_a_backup_is_not_ready() -> None:
    cut_off = [read("???", NIGHT + 30 * n, backup="?", witness="D") for n in range(100)]
    after = play(at("UUU", -30), *cut_off, at("UUU", 3000, backup="D"), at("UUU", 3030))
    assert {e.type for e in after} == {EventType.STATE_CHANGED}
    during = play(at("UUU", -30, backup="D"), *cut_off)
    assert {e.type for e in during} == {EventType.STATE_CHANGED}


def test_an_incident_of_the_backup_keeps_its_key_if_a_clock_is_set_back() -> None:
    readings = [at("UUU", seconds, backup="D") for seconds in (0, 900, -50)]
    events = [e for e in play(*readings, at("UUU", 0)) if e.type is not EventType.STATE_CHANGED]
    assert [e.type for e in events] == [EventType.BACKUP_NOT_READY, EventType.BACKUP_READY]
    assert len({e.incident for e in events}) == 1


def test_a_backup_not_yet_reported_counts_anew_if_a_clock_is_set_back() -> None:
    readings = [at("UUU", seconds, backup="D") for seconds in (5000, 0, 900)]
    assert [e.at - NIGHT for e in play(*readings) if e.type is EventType.BACKUP_NOT_READY] == [900]
