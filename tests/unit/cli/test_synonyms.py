"""What people type instead of a command, and where they put its options."""

from __future__ import annotations

import pytest

from erfailover.cli.main import invoke


@pytest.mark.parametrize(
    ("words", "command"),
    [
        (["failover"], "erfailover switch --to ipsec"),
        (["failback"], "erfailover switch --to expressroute"),
        (["undo"], "erfailover switch --undo"),
        (["switch", "ipsec"], "erfailover switch --to ipsec"),
        (["switch", "to-the-moon"], "erfailover switch --to ipsec|expressroute"),
    ],
)
def test_another_name_is_answered_with_the_command_to_type(
    words: list[str], command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke(words) == 2
    assert f"Use: {command}" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    "words",
    [
        ["--site", "none.yaml", "status"],
        ["--site=none.yaml", "-v", "status"],
        ["-vv", "--log-format", "text", "--site", "none.yaml", "status"],
        ["status", "--site", "none.yaml"],
    ],
)
def test_options_of_a_command_may_precede_it(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke(words) == 2
    assert "none.yaml: site file not found" in capsys.readouterr().err


def test_an_option_that_no_command_has_is_still_unknown(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert invoke(["--frobnicate", "status"]) == 2
    assert "No such option" in capsys.readouterr().err


def test_ways_to_say_where_to_go_exclude_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["switch", "--to", "ipsec", "--undo"]) == 2
    assert "--to and --undo cannot be combined." in capsys.readouterr().err


def test_help_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["help", "--help"]) == 0
    assert "Usage: erfailover help" in capsys.readouterr().out
