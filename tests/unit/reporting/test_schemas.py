"""The published schemas: sound, told in full, of everything that is printed as JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from erfailover.cli.main import invoke
from erfailover.config.loader import read_template
from erfailover.reporting import schemas
from erfailover.reporting.demo import STORY, StageResult, build_summary_data
from tests.support.commands import prints_data
from tests.support.schemas import hold, schema_of
from tests.tools import site_schema

NAMES = schemas.list_names()


def objects(schema: Any, where: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every object in a schema that says what its keys are, and where it stands."""
    if isinstance(schema, dict):
        if "properties" in schema and isinstance(schema["properties"], dict):
            yield where, schema
        for key, value in schema.items():
            yield from objects(value, f"{where}/{key}")
    elif isinstance(schema, list):
        for at, value in enumerate(schema):
            yield from objects(value, f"{where}/{at}")


@pytest.mark.parametrize("name", NAMES)
def test_a_schema_is_sound_and_says_what_it_is_of(name: str) -> None:
    schema = schemas.load_schema(name)
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["$id"] == f"urn:erfailover:schema:{name}"
    assert schema["title"]
    assert schema["description"]


@pytest.mark.parametrize("name", NAMES)
def test_every_object_is_closed_and_every_key_is_described(name: str) -> None:
    for where, body in objects(schemas.load_schema(name)):
        assert body["additionalProperties"] is False, where
        for key, value in body["properties"].items():
            assert value.get("description"), f"{where}: {key}"
        if name not in (schemas.SITE, "init"):
            assert set(body["required"]) == set(body["properties"]), where


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_ends_in_s_is_in_seconds_and_says_so(name: str) -> None:
    for where, body in objects(schemas.load_schema(name)):
        for key, value in body["properties"].items():
            if re.search(r"_s$", key):
                document = (value["description"] + str(body.get("description"))).lower()
                assert "second" in document or key in ("spokes_s",) or "until" in document, (
                    where,
                    key,
                )


def test_every_command_that_prints_data_has_a_schema() -> None:
    for command in prints_data():
        if command == "schema":
            continue
        words = command.split()
        assert schema_of(words) in NAMES, command
        for option in ("--dry-run",):
            if command in ("switch", "prestage", "unprestage", "provision", "destroy"):
                assert schema_of([*words, option]) in NAMES


def test_the_schema_of_the_site_file_is_what_its_types_say() -> None:
    assert site_schema.FILE.read_text("utf-8") == site_schema.text(), (
        "erfailover/model/site.py has changed: run scripts/update-schemas"
    )


def site_problems(text: str) -> list[str]:
    errors = Draft202012Validator(schemas.load_schema(schemas.SITE)).iter_errors(
        yaml.safe_load(text)
    )
    return ["/".join(map(str, item.absolute_path)) for item in errors]


def test_the_site_file_that_init_writes_is_as_the_schema_says() -> None:
    assert site_problems(read_template()) == []


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ("remote_prefixes: [10.5.0.0/16]", "remote_prefixes: [10.5.0.0]", "remote_prefixes/0"),
        ("gateway: vng2", "gatway: vng2", "backup"),  # codespell:ignore gatway
        ("ping: 10.5.0.4", "ping: 10.5.0.400", "probes/office"),
        ("on_ipsec: {}", "on_ipsec: none", "spokes/0/spoke_to_primary/on_ipsec"),
        ("asn: 65000", "asn: many", "topology/gateways/vng1/asn"),
    ],
)
def test_what_is_wrong_with_a_site_file_is_seen_by_an_editor_too(
    old: str, new: str, where: str
) -> None:
    assert old in read_template()
    lines = site_problems(read_template().replace(old, new, 1))
    assert lines
    assert all(name.startswith(where) for name in lines)


def test_init_writes_the_schema_that_its_first_line_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert invoke(["init", "--site", "sub.yaml"]) == 0
    first, rest = Path("sub.yaml").read_text("utf-8").split("\n", 1)
    named = re.fullmatch(r"# yaml-language-server: \$schema=(\S+)", first)
    assert named
    assert json.loads(Path(named.group(1)).read_text("utf-8")) == schemas.load_schema("site")
    assert rest == read_template()


def test_init_leaves_a_file_that_is_no_schema_of_ours_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("erfailover.schema.json").write_text("{}")
    assert invoke(["init", "-o", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["schema_file"] is None
    assert Path("erfailover.schema.json").read_text() == "{}"
    assert Path("erfailover.yaml").read_text("utf-8") == read_template()


def test_init_brings_the_schema_of_another_version_up_to_date(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("erfailover.schema.json").write_text('{"$id": "urn:erfailover:schema:site"}')
    assert invoke(["init"]) == 0
    assert Path("erfailover.schema.json").read_text("utf-8") == schemas.read_text("site")


def test_a_schema_is_printed_as_it_stands_in_its_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["schema", "status"]) == 0
    assert capsys.readouterr().out == schemas.read_text("status")
    assert invoke(["schema", "-o", "json"]) == 0
    text = capsys.readouterr().out
    hold("schemas", text)
    assert [load["name"] for load in json.loads(text)] == NAMES


def test_the_list_of_schemas_fits_80_columns(capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["schema"]) == 0
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 80


def test_version_and_demo_print_what_their_schemas_say(capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["version", "-o", "json"]) == 0
    hold("version", capsys.readouterr().out)
    story = [StageResult(stage) for stage in STORY]
    hold("demo", json.dumps(build_summary_data(story, 1.0)))


def test_a_key_that_no_schema_knows_fails(capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["version", "-o", "json"]) == 0
    body = {**json.loads(capsys.readouterr().out), "new": 1}
    with pytest.raises(AssertionError, match="new"):
        hold("version", json.dumps(body))
