"""From recordings to facts: nothing of a recording's own is kept, what matters is."""

from __future__ import annotations

import datetime as dt
import ipaddress
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tests.tools.replay import bodies, facts, recording
from tests.tools.replay.convert import convert
from tests.tools.replay.facts import Facts
from tests.tools.replay.symbols import Symbols, own_address, template

Json = Any
SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/acme"
VNET = f"{GROUP}/providers/Microsoft.Network/virtualNetworks/acme-net"
OPERATION = "99999999-8888-7777-6666-555555555555"
POLL = (
    f"https://management.azure.com/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Network"
    f"/locations/westus/operations/{OPERATION}?api-version=2018-01-01"
)


def exchange(
    method: str, path: str, status: int, response: Json, request: Json = None, **headers: str
) -> Json:
    """One interaction as az keeps it."""
    uri = path if path.startswith("https:") else f"https://management.azure.com{path}"
    if "api-version" not in uri:
        uri += "?api-version=2018-01-01"
    by_name = {name.replace("_", "-"): [value] for name, value in headers.items()}
    by_name["date"] = ["Thu, 17 Dec 2020 04:55:37 GMT"]
    return {
        "request": {"method": method, "uri": uri, "body": json.dumps(request) if request else None},
        "response": {
            "status": {"code": status},
            "headers": by_name,
            "body": {"string": json.dumps(response) if response is not None else ""},
        },
    }


def vnet(state: str) -> Json:
    return {
        "id": VNET,
        "name": "acme-net",
        "location": "westus",
        "properties": {
            "provisioningState": state,
            "addressSpace": {"addressPrefixes": ["10.0.0.0/16"]},
        },
    }


@pytest.fixture
def result(tmp_path: Path) -> Facts:
    """The facts of a cassette: a VNet is written into a group that is there, polled, read."""
    request = {
        "location": "westus",
        "tags": {"owner": "acme"},
        "properties": {"addressSpace": {"addressPrefixes": ["10.0.0.0/16"]}},
    }
    rows = [
        exchange("PUT", VNET, 201, vnet("Updating"), request, azure_asyncoperation=POLL),
        exchange("GET", POLL, 200, {"status": "InProgress"}),
        exchange("GET", POLL, 200, {"status": "InProgress"}),
        exchange("GET", POLL, 200, {"status": "InProgress"}),
        exchange("GET", POLL, 200, {"status": "Succeeded"}),
        exchange("GET", VNET, 200, vnet("Succeeded")),
        exchange("GET", f"{GROUP}/providers/Microsoft.Sql/servers/db", 200, {}),
    ]
    path = tmp_path / "cassette.yaml"
    path.write_text(yaml.safe_dump({"interactions": rows, "version": 1}), "utf-8")
    return convert("made", recording.read(path), {"repository": "acme"}, dt.date(2000, 1, 1))


def test_facts_keep_no_name_address_or_tag_of_the_recording(result: Facts, tmp_path: Path) -> None:
    path = tmp_path / "made.json"
    facts.write(Facts(result.name, {}, *_rest(result)), path)
    text = path.read_text("utf-8")
    for word in ("acme", SUBSCRIPTION, OPERATION, "10.0.0.0"):
        assert word not in text


def _rest(result: Facts) -> tuple[Any, ...]:
    return (result.date, result.keeps_retry_after, result.steps, result.skipped, result.shapes)


def test_facts_come_back_as_they_were_written(result: Facts, tmp_path: Path) -> None:
    facts.write(result, tmp_path / "made.json")
    assert facts.read(tmp_path / "made.json") == result


def test_a_recording_is_replayed_at_its_own_date(result: Facts) -> None:
    assert result.date == dt.date(2020, 12, 17)


def test_polls_that_repeat_are_kept_as_first_and_last(result: Facts) -> None:
    assert [step.operation for step in result.steps if step.polls is not None] == [
        "InProgress",
        "InProgress",
        "Succeeded",
    ]


def test_an_operation_ends_after_the_last_step_that_saw_it_under_way(result: Facts) -> None:
    assert result.steps[0].unfinished_until == 2


def test_a_group_that_is_never_made_is_presumed(result: Facts) -> None:
    (path, body) = result.steps[0].before[0]
    assert path.endswith("/resourceGroups/group1")
    assert body["location"] == "westus"


def test_requests_of_other_types_are_left_out_and_counted(result: Facts) -> None:
    assert result.skipped == {"type not served: Microsoft.Sql/servers": 1}


def test_the_session_records_of_the_net_sdk_are_put_in_order(tmp_path: Path) -> None:
    def entry(method: str, second: int, status: int) -> Json:
        return {
            "RequestMethod": method,
            "RequestUri": f"{GROUP}?api-version=2019-10-01",
            "RequestBody": "",
            "StatusCode": status,
            "ResponseBody": "{}",
            "ResponseHeaders": {"Date": [f"Mon, 16 Dec 2019 11:00:{second:02} GMT"]},
        }

    path = tmp_path / "session.json"
    rows = [entry("PUT", 1, 201), entry("PUT", 9, 200), entry("GET", 5, 200)]
    path.write_text(json.dumps({"Entries": rows}), "utf-8")
    assert [interaction.method for interaction in recording.read(path)] == ["PUT", "GET", "PUT"]


def test_a_file_of_no_known_form_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.json"
    path.write_text("{}", "utf-8")
    with pytest.raises(ValueError, match="neither"):
        recording.read(path)


PREFIXES = st.builds(
    lambda low, length: str(ipaddress.ip_network(((10 << 24) | low, length), strict=False)),
    st.integers(0, 2**24 - 1),
    st.integers(8, 32),
)


@given(PREFIXES, PREFIXES)
def test_own_addresses_contain_one_another_as_the_recordings_did(one: str, other: str) -> None:
    def is_within(inner: str, outer: str) -> bool:
        prefix = ipaddress.IPv4Network(inner)
        return prefix.subnet_of(ipaddress.IPv4Network(outer))

    assert is_within(one, other) == is_within(own_address(one), own_address(other))


def test_names_stay_equal_in_any_letter_case() -> None:
    symbols = Symbols()
    first = symbols.path(VNET)
    assert symbols.path(VNET.replace("acme-net", "ACME-Net")) == first
    assert first.endswith("/virtualNetworks/vnet1")


def test_a_messages_template_keeps_azures_words_alone() -> None:
    text = f"Resource {VNET} of '10.0.0.0/16' was not found after 13 seconds."
    assert template(text) == "Resource {id} of {name} was not found after {number} seconds."


def test_keys_inside_an_empty_list_cannot_be_missed() -> None:
    keys = bodies.Keys(("value", "value[].id"), (), {})
    assert bodies.missing_always(keys, {"value": []}) == ([], 1)
    assert bodies.missing_always(keys, {"value": [{}]}) == (["value[].id"], 2)
