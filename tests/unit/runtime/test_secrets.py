"""Secrets: made once, kept by their owner alone, never shown."""

from __future__ import annotations

import json
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from erfailover.errors import UnknownReading, UsageFailure
from erfailover.runtime.secrets import FILE, Secrets, VaultKey

KEY = "shared-key/vng1/vng3"
PASSWORD = "admin-password"
GIVEN = {"ERFAILOVER_SHARED_KEY": "from-the-environment"}


def test_a_generated_secret_is_the_same_next_time(tmp_path: Path) -> None:
    first = Secrets.open(tmp_path / "s", {}).get_value(KEY)
    assert Secrets.open(tmp_path / "s", {}).get_value(KEY) == first
    assert len(first) == 48


def test_every_tunnel_has_a_key_of_its_own(tmp_path: Path) -> None:
    secrets = Secrets.open(tmp_path, {})
    assert secrets.get_value(KEY) != secrets.get_value("shared-key/vng2/vng3")


def test_the_file_is_its_owner_s_alone(tmp_path: Path) -> None:
    folder = tmp_path / "state" / "site"
    Secrets.open(folder, {}).get_value(KEY)
    assert stat.S_IMODE((folder / FILE).stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert [path.name for path in folder.iterdir()] == [FILE]


def test_a_folder_that_others_may_read_is_closed(tmp_path: Path) -> None:
    folder = tmp_path / "open"
    folder.mkdir(mode=0o755)
    Secrets.open(folder, {}).get_value(KEY)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_the_environment_goes_before_what_is_kept(tmp_path: Path) -> None:
    value = Secrets.open(tmp_path, {}).get_value(KEY)
    assert Secrets.open(tmp_path, GIVEN).get_value(KEY) == "from-the-environment"
    assert Secrets.open(tmp_path, {}).get_value(KEY) == value


def test_a_connection_carries_a_key_once_it_was_given_it(tmp_path: Path) -> None:
    secrets = Secrets.open(tmp_path, {})
    assert not secrets.has_current_value("/c/One", KEY)
    secrets.note_written("/c/One", KEY)
    again = Secrets.open(tmp_path, {})
    assert again.has_current_value("/C/one", KEY)
    assert not again.has_current_value("/c/two", KEY)


def test_a_new_key_in_the_environment_has_to_be_given_to_every_connection(tmp_path: Path) -> None:
    secrets = Secrets.open(tmp_path, {})
    secrets.note_written("/c/one", KEY)
    secrets.note_written("/c/two", KEY)
    rotated = Secrets.open(tmp_path, GIVEN)
    assert not rotated.has_current_value("/c/one", KEY)
    rotated.note_written("/c/one", KEY)
    after = Secrets.open(tmp_path, {})
    assert after.get_value(KEY) == "from-the-environment"
    assert after.has_current_value("/c/one", KEY)
    assert not after.has_current_value("/c/two", KEY)


def test_asking_whether_a_connection_carries_a_key_makes_none(tmp_path: Path) -> None:
    assert not Secrets.open(tmp_path, {}).has_current_value("/c/one", KEY)
    assert not (tmp_path / FILE).exists()


def test_forgetting_leaves_nothing(tmp_path: Path) -> None:
    secrets = Secrets.open(tmp_path, {})
    secrets.note_written("/c/one", KEY)
    secrets.forget()
    secrets.forget()
    assert not (tmp_path / FILE).exists()
    assert not secrets.has_current_value("/c/one", KEY)


def test_a_generated_password_has_three_kinds_of_characters(tmp_path: Path) -> None:
    password = Secrets.open(tmp_path, {}).get_value(PASSWORD)
    assert any(name.islower() for name in password)
    assert any(name.isupper() for name in password)
    assert any(name.isdigit() for name in password)
    assert 12 <= len(password) <= 72


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("ERFAILOVER_SHARED_KEY", ""),
        ("ERFAILOVER_SHARED_KEY", "kéy"),
        ("ERFAILOVER_SHARED_KEY", "k" * 129),
        ("ERFAILOVER_ADMIN_PASSWORD", "Short1!"),
        ("ERFAILOVER_ADMIN_PASSWORD", "onlylowercaseletters"),
        ("ERFAILOVER_ADMIN_PASSWORD", "Aa1" * 30),
    ],
)
def test_a_given_secret_that_azure_would_not_take_is_refused_without_being_shown(
    tmp_path: Path, variable: str, value: str
) -> None:
    with pytest.raises(UsageFailure) as caught:
        Secrets.open(tmp_path, {variable: value})
    assert variable in caught.value.message
    assert not value or value not in f"{caught.value.message} {caught.value.hint}"


def test_a_given_password_is_used(tmp_path: Path) -> None:
    secrets = Secrets.open(tmp_path, {"ERFAILOVER_ADMIN_PASSWORD": "Correct-horse-1"})
    assert secrets.get_value(PASSWORD) == "Correct-horse-1"


@pytest.mark.parametrize("content", ["", "{", "[]", '{"secrets": 3}', '{"secrets": {"a": 1}}'])
def test_a_damaged_file_is_told_and_not_overwritten(tmp_path: Path, content: str) -> None:
    (tmp_path / FILE).write_text(content)
    with pytest.raises(UnknownReading, match="is damaged"):
        Secrets.open(tmp_path, {})
    assert (tmp_path / FILE).read_text() == content


def test_threads_that_ask_at_once_get_the_same_secret(tmp_path: Path) -> None:
    secrets = Secrets.open(tmp_path, {})
    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(lambda _: secrets.get_value(KEY), range(32)))) == 1
    assert json.loads((tmp_path / FILE).read_text())["secrets"] == {KEY: secrets.get_value(KEY)}


def test_no_secret_is_in_what_python_prints_of_it(tmp_path: Path) -> None:
    secrets = Secrets.open(tmp_path, GIVEN)
    secrets.note_written("/c/one", KEY)
    assert "from-the-environment" not in repr(secrets)


VAULT_ID = "https://kv.vault.azure.net/secrets/tunnels"
OLD, NEW = VaultKey(f"{VAULT_ID}/1", "old-key-of-the-vault"), VaultKey(f"{VAULT_ID}/2", "new-one")


def test_of_a_vault_s_key_only_the_version_is_kept(tmp_path: Path) -> None:
    Secrets.open(tmp_path, {}).note_written("/c/one", KEY)
    secrets = Secrets.open(tmp_path, {}, VAULT_ID)
    assert secrets.to_be_read
    assert not secrets.has_current_value("/c/one", KEY)
    secrets.take(OLD)
    assert secrets.get_value(KEY) == OLD.value
    secrets.note_written("/c/one", KEY)
    value = json.loads((tmp_path / FILE).read_text())
    assert value["secrets"] == {}
    assert value["written"] == {"/c/one": OLD.id}
    assert OLD.value not in f"{secrets!r} {OLD!r}"


def test_any_version_will_do_until_the_vault_is_read_or_one_is_named(tmp_path: Path) -> None:
    secrets = Secrets.open(tmp_path, {}, VAULT_ID)
    secrets.take(OLD)
    secrets.note_written("/c/one", KEY)
    assert Secrets.open(tmp_path, {}, VAULT_ID).has_current_value("/c/one", KEY)
    assert Secrets.open(tmp_path, {}, OLD.id).has_current_value("/c/one", KEY)
    assert not Secrets.open(tmp_path, {}, NEW.id).has_current_value("/c/one", KEY)
    assert not Secrets.open(tmp_path, {}, f"{VAULT_ID}2").has_current_value("/c/one", KEY)
    secrets.take(NEW)
    assert not secrets.has_current_value("/c/one", KEY)


def test_who_leaves_the_vault_gets_a_key_of_its_own_again(tmp_path: Path) -> None:
    secrets = Secrets.open(tmp_path, {}, VAULT_ID)
    secrets.take(OLD)
    secrets.note_written("/c/one", KEY)
    again = Secrets.open(tmp_path, {})
    assert not again.has_current_value("/c/one", KEY)
    assert again.get_value(KEY) != OLD.value


def test_a_password_is_no_vault_s_business(tmp_path: Path) -> None:
    assert len(Secrets.open(tmp_path, {}, VAULT_ID).get_value(PASSWORD)) == 40


@pytest.mark.parametrize("value", ["", "x" * 129, "a key\n", "k\u00e9y"])
def test_a_vault_s_key_that_azure_does_not_take_is_refused(tmp_path: Path, value: str) -> None:
    secrets = Secrets.open(tmp_path, {}, VAULT_ID)
    with pytest.raises(UsageFailure, match="is not a valid shared key") as exception_info:
        secrets.take(VaultKey(OLD.id, value))
    assert not value or value not in exception_info.value.message
    assert secrets.to_be_read
