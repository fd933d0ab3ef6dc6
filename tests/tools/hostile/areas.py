"""The areas of hostile conditions, and which tests and campaign troubles cover each."""

from __future__ import annotations

from dataclasses import dataclass

from tests.tools.campaign.report import OTHER
from tests.tools.campaign.troubles import Trouble


@dataclass(frozen=True)
class Area:
    """One kind of hostile condition.

    Attributes:
        name: what happens, in the words of the page.
        tests: paths of test files or folders, relative to the repository.
        troubles: rows of the fault campaign's table.
        seconds: how long the fuzz of answers runs for it, in wall seconds.
    """

    name: str
    tests: tuple[str, ...]
    troubles: tuple[str, ...] = ()
    seconds: float = 0.0


_OUTPUT = (Trouble.OUTPUT_PIPE, Trouble.OUTPUT_IO, Trouble.OUTPUT_SPACE)
_SIGNALS = (Trouble.HANGUP, Trouble.TERM, Trouble.CTRL_C, Trouble.CTRL_C_TWICE)
_LEASE = (Trouble.LEASE_LOST, Trouble.LEASE_GONE, Trouble.LEASE_DAMAGED)
_STORE = (Trouble.JOURNAL_FULL, Trouble.STORE_FAILS, Trouble.STORE_HANGS)
_ELSEWHERE = (Trouble.KILLED, *_OUTPUT, *_SIGNALS, *_LEASE, *_STORE)

AREAS = (
    Area(
        "The process is killed (SIGKILL) at a call",
        ("tests/scenarios/test_resume.py",),
        (Trouble.KILLED, *OTHER.values()),
    ),
    Area(
        "A holder of the lease is paused, silent or taken over; two controllers",
        (
            "tests/scenarios/test_takeover.py",
            "tests/scenarios/test_lease.py",
            "tests/unit/model/test_fencing_model_check.py",
            "tests/unit/azure/test_write_guard.py",
        ),
        _LEASE,
    ),
    Area(
        "Azure refuses, fails or does not answer at a call",
        ("tests/scenarios/test_no_path.py", "tests/unit/azure/test_retries.py"),
        tuple(trouble for trouble in Trouble if trouble not in _ELSEWHERE),
    ),
    Area(
        "Output fails, signals arrive, the session is lost",
        ("tests/scenarios/test_interrupted.py", "tests/unit/runtime/test_executor.py"),
        (*_OUTPUT, *_SIGNALS),
    ),
    Area("The disk is full, the store is silent", ("tests/unit/runtime/test_journal.py",), _STORE),
    Area(
        "The journal or the lease file is damaged",
        ("tests/scenarios/test_damaged_state.py", "tests/unit/runtime/test_state_local.py"),
    ),
    Area(
        "Answers of the wrong shape, type, encoding or status, by chance",
        ("tests/scenarios/test_mutated_answers.py",),
        seconds=120.0,
    ),
    Area(
        "Answers that are endless, huge, slow or from another host",
        (
            "tests/unit/azure/test_hostile_answers.py",
            "tests/unit/azure/test_bounded_transport.py",
            "tests/scenarios/test_silent_server.py",
        ),
    ),
    Area(
        "Site files, plans, queries and command lines",
        (
            "tests/unit/config",
            "tests/unit/cli",
            "tests/unit/commands/test_output_file.py",
            "tests/scenarios/test_bad_input.py",
        ),
    ),
    Area("Control characters and hostile names in output", ("tests/unit/test_printable.py",)),
    Area("Secrets in output, logs and journal", ("tests/unit/runtime/test_secrets.py",)),
    Area(
        "Hostile requests to the lab",
        ("tests/lab/server", "tests/lab/auth", "tests/lab/arm"),
    ),
)
