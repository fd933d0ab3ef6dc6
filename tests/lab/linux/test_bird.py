"""What BIRD's control socket answers, from a BIRD that says what the test has written."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest

from erfailover.lab.linux.agent.bird import Bird
from erfailover.lab.linux.agent.daemons import DaemonError

WELCOME = "0001 BIRD 2.0.12 ready.\n"
CUT_SHORT = "1007-Table master4:\n8005 Stopped due to reconfiguration\n"
WHOLE = "1007-Table master4:\n 10.1.0.0/16 unreachable\n0000 \n"


def serve(folder: Path, answers: list[str]) -> Bird:
    """A BIRD's client side; each connection gets the next answer."""
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(folder / "bird.ctl"))
    listening.listen()

    def answer() -> None:
        with listening:
            for text in answers:
                connection, _ = listening.accept()
                with connection:
                    connection.sendall(WELCOME.encode())
                    connection.recv(1000)
                    connection.sendall(text.encode())

    threading.Thread(target=answer, daemon=True).start()
    return Bird("vng1", folder, "", lambda: None)


def test_an_answer_that_a_new_configuration_cut_short_is_asked_for_again(tmp_path: Path) -> None:
    bird = serve(tmp_path, [CUT_SHORT, CUT_SHORT, WHOLE])
    assert "10.1.0.0/16 unreachable" in bird.ask("show route all")


def test_one_that_is_always_cut_short_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DaemonError, match="reconfiguration"):
        serve(tmp_path, [CUT_SHORT] * 5).ask("show route all")


def test_a_refusal_is_not_asked_again(tmp_path: Path) -> None:
    with pytest.raises(DaemonError, match="syntax error"):
        serve(tmp_path, ["9001 syntax error\n", WHOLE]).ask("show nonsense")
