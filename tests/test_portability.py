"""The controller needs nothing that only POSIX systems have; the lab does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

ELSEWHERE = """
import builtins, importlib, os, pkgutil, signal, sys, time
from pathlib import Path

# Libraries have branches of their own for other systems, and take the one of this system here.
for library in {libraries}:
    importlib.import_module(library)

BANNED = {{"fcntl", "grp", "pwd", "resource", "termios"}}
del signal.SIGHUP, os.getuid, time.CLOCK_BOOTTIME
for name in BANNED:
    sys.modules.pop(name, None)
real = builtins.__import__

def import_(name, globals=None, locals=None, fromlist=(), level=0):
    caller = str((globals or {{}}).get("__name__"))
    if name.partition(".")[0] in BANNED and caller.partition(".")[0] == "erfailover":
        raise ModuleNotFoundError(f"{{caller}} imports {{name}}", name=name)
    return real(name, globals, locals, fromlist, level)

builtins.__import__ = import_
"""
LIBRARIES = (
    "asyncio",
    "azure.identity",
    "azure.keyvault.secrets",
    "azure.mgmt.compute",
    "azure.mgmt.network",
    "azure.mgmt.resource",
    "azure.storage.blob",
    "click",
    "cryptography.hazmat.primitives.serialization",
    "filelock",
    "jinja2",
    "jmespath",
    "jwt",
    "platformdirs.unix",
    "psutil",
    "pydantic",
    "rich.console",
    "tenacity",
    "yaml",
)


def elsewhere(script: str, *arguments: str) -> str:
    """What a script prints in a process of its own that lacks what only POSIX systems have."""
    begin = ELSEWHERE.format(libraries=LIBRARIES)
    done = subprocess.run(
        [sys.executable, "-c", f"{begin}\n{script}", *arguments], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_module_of_the_controller_is_imported() -> None:
    text = elsewhere(
        "import erfailover\n"
        "names = [each.name for each in pkgutil.walk_packages(erfailover.__path__, 'erfailover.')\n"
        "         if not each.name.startswith(('erfailover.lab', 'erfailover.__main__'))]\n"
        "for name in names:\n"
        "    importlib.import_module(name)\n"
        "print(len(names), *sorted(name for name in names if name.count('.') == 1))"
    )
    count, *packages = text.split()
    assert int(count) > 150
    assert "erfailover.runtime" in packages


def test_every_command_explains_itself() -> None:
    text = elsewhere(
        "from erfailover.cli import main\n"
        "codes = {name: main.invoke([name, '--help']) for name in main.cli.commands"
        " if name != 'lab'}\n"
        "print(codes)\n"
        "sys.argv = ['erfailover', '--help']\n"
        "main.main()"
    )
    assert "'switch': 0" in text
    assert "': 1" not in text
    assert "130  interrupted" in text


def test_a_lease_of_this_machine_is_acquired_renewed_and_released(tmp_path: Path) -> None:
    text = elsewhere(
        "import getpass\n"
        "def getuser():\n"
        "    raise ModuleNotFoundError('pwd')  # as getpass does on Windows\n"
        "getpass.getuser = getuser\n"
        "from erfailover.runtime.state.local import LocalStore\n"
        "from erfailover.runtime.state.process import build_holder, is_alive\n"
        "me, store = build_holder('status'), LocalStore(Path(sys.argv[1]))\n"
        "print(store.acquire(me, take_over=False).standing, is_alive(me))\n"
        "store.renew()\n"
        "store.append(b'a line\\n')\n"
        "print(store.look().standing)\n"
        "store.release()\n"
        "print(store.look().standing, me.user)",
        str(tmp_path / "state"),
    )
    assert text.split() == ["free", "True", "live", "free", "an", "unknown", "user"]


def test_where_only_a_soft_lock_can_be_had_nothing_is_locked_and_nothing_taken(
    tmp_path: Path,
) -> None:
    script = (
        "import sys, warnings\n"
        "from pathlib import Path\n"
        "sys.modules['fcntl'] = None\n"
        "warnings.simplefilter('ignore')\n"
        "import filelock\n"
        "assert filelock.FileLock is filelock.SoftFileLock\n"
        "from erfailover.errors import StateFailure\n"
        "from erfailover.runtime.state.local import LocalStore\n"
        "from erfailover.runtime.state.process import build_holder\n"
        "try:\n"
        "    LocalStore(Path(sys.argv[1])).acquire(build_holder('status'), take_over=False)\n"
        "except StateFailure as failure:\n"
        "    print(failure.message)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert done.stdout == (
        f"cannot read or write the state of the site in {tmp_path}: fcntl is unavailable\n"
    )
    assert not (tmp_path / "lease.json").exists()


@pytest.mark.parametrize("module", ["fcntl", "grp", "pwd", "resource", "termios"])
def test_the_linter_bans_modules_of_posix_from_the_controller_alone(module: str) -> None:
    def codes(file: str) -> str:
        words = ["ruff", "check", "--select", "TID251", "--output-format", "concise"]
        done = subprocess.run(
            [*words, "--stdin-filename", file, "-"],
            input=f"def f() -> object:\n    import {module}\n\n    return {module}\n",
            cwd=ROOT,
            capture_output=True,
            text=True,
        )
        return done.stdout

    assert f"TID251 `{module}` is banned" in codes("erfailover/runtime/new.py")
    assert codes("erfailover/lab/server/new.py") == "All checks passed!\n"
