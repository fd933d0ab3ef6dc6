"""The lock by which a running lab is known."""

from __future__ import annotations

import errno
import subprocess
import sys
from pathlib import Path

import filelock
import pytest

from erfailover.lab.server import state_folder
from erfailover.lab.server.state_folder import LabError, StateFolder

HOLD = """
import sys
from pathlib import Path
from erfailover.lab.server.state_folder import StateFolder
with StateFolder(Path(sys.argv[1])).hold():
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state_folder, "HOLD_TIMEOUT_S", 0.05)


def test_a_folder_is_held_as_long_as_a_lab_serves_from_it(tmp_path: Path) -> None:
    where = StateFolder(tmp_path / "new")
    assert not where.is_held()
    assert not where.path.exists()
    with where.hold():
        assert where.is_held()
        with pytest.raises(LabError, match="A lab is already running in"), where.hold():
            pass
        assert where.is_held()
    assert not where.is_held()
    with where.hold():
        assert where.is_held()


def test_a_folder_is_free_again_when_its_holder_is_killed(tmp_path: Path) -> None:
    where = StateFolder(tmp_path)
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        assert where.is_held()
        holder.kill()
        holder.wait()
        assert not where.is_held()
        assert (tmp_path / "lock").is_file()


def test_the_lock_file_is_its_owners_alone(tmp_path: Path) -> None:
    where = StateFolder(tmp_path)
    with where.hold():
        assert (tmp_path / "lock").stat().st_mode & 0o777 == 0o600


def test_a_platform_without_file_locks_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state_folder, "FileLock", filelock.SoftFileLock)
    where = StateFolder(tmp_path)
    with pytest.raises(LabError, match="this platform does not have"), where.hold():
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_file_system_without_locks_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_: object) -> None:
        raise OSError(errno.ENOSYS, "no locks")

    monkeypatch.setattr("fcntl.flock", missing)
    with pytest.raises(LabError, match="no locks"), StateFolder(tmp_path).hold():
        pass
