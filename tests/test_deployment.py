"""The units, the cron line and the manifest of ``docs/watch``, each checked by a parser."""

from __future__ import annotations

import re
import shlex
import ssl
import subprocess
from pathlib import Path
from typing import Any

import click
import kubernetes_validate
import pytest
import trustme
import yaml
from aiohttp import web

from erfailover.cli.main import cli
from erfailover.commands.watch.web.application import OPEN_PATHS, WebState, make_application
from erfailover.commands.watch.web.settings import read_settings
from erfailover.config import loader
from erfailover.model.site import Timing
from tests.support.debian import require_program
from tests.tools.docs.shell import ROOT

DOCS = ROOT / "docs" / "watch"
PROGRAM = "/opt/erfailover/bin/erfailover"
SERVICES = ("erfailover-watch.service", "erfailover-drill.service")
UNITS = (*SERVICES, "erfailover-drill.timer")
STOP_S = round(Timing().step_deadline_s) + 60
KUBERNETES = ("1.29", "1.33")
"""Versions whose schemas the manifest is checked against, without a network."""


def read_unit(name: str) -> dict[str, dict[str, list[str]]]:
    """Return the settings of a unit by section: a key may be repeated."""
    unit: dict[str, dict[str, list[str]]] = {}
    text = (DOCS / name).read_text("utf-8").replace("\\\n", " ")
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        if line.startswith("["):
            section = unit.setdefault(line.strip("[]"), {})
            continue
        key, _, value = line.partition("=")
        section.setdefault(key, []).append(value)
    return unit


def parse_command(words: list[str]) -> click.Context:
    """Return a command line as click understands it, without running it."""
    assert words[0] == PROGRAM
    command: click.Command = cli
    context = click.Context(cli)
    rest = words[1:]
    while isinstance(command, click.Group):
        name, found, rest = command.resolve_command(context, rest)
        assert name is not None
        assert found is not None
        command = found
        context = click.Context(command, parent=context, info_name=name)
    return command.make_context(command.name, rest)


def load_manifest() -> dict[str, dict[str, Any]]:
    """Return the objects of the manifest by kind."""
    objects = list(yaml.safe_load_all((DOCS / "kubernetes.yaml").read_text("utf-8")))
    by_kind = {item["kind"]: item for item in objects}
    assert len(by_kind) == len(objects)
    return by_kind


def get_container() -> dict[str, Any]:
    (container,) = load_manifest()["Deployment"]["spec"]["template"]["spec"]["containers"]
    return dict(container)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_systemd_accepts_the_units(tmp_path: Path) -> None:
    analyze = require_program("systemd-analyze", "systemd")
    for name in UNITS:
        text = (DOCS / name).read_text("utf-8")
        (tmp_path / name).write_text(text.replace(PROGRAM, "/bin/true"), "utf-8")
    words = [analyze, "verify", "--man=no", *(str(tmp_path / name) for name in UNITS)]
    ended = subprocess.run(words, capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (0, "")
    (calendar,) = read_unit("erfailover-drill.timer")["Timer"]["OnCalendar"]
    subprocess.run([analyze, "calendar", calendar], check=True, capture_output=True)
    (tmp_path / UNITS[0]).write_text("[Service]\nExecStart=/bin/true\nNoSuchKey=1\n", "utf-8")
    assert "NoSuchKey" in subprocess.run(words, capture_output=True, text=True).stderr


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_waits_for_a_step_before_it_kills(name: str) -> None:
    service = read_unit(name)["Service"]
    assert service["TimeoutStopSec"] == [str(STOP_S)]
    assert service["KillMode"] == ["mixed"]
    assert service["User"] != ["root"]


def test_both_services_use_the_same_state_and_protection() -> None:
    watch, drill = (read_unit(name)["Service"] for name in SERVICES)
    own = {"Type", "ExecStart", "Restart", "RestartSec", "SuccessExitStatus", "MemoryMax"}
    assert {key: value for key, value in watch.items() if key not in own} == {
        key: value for key, value in drill.items() if key not in own
    }


def test_the_watch_is_started_again_whatever_ended_it() -> None:
    unit = read_unit("erfailover-watch.service")
    assert unit["Service"]["Restart"] == ["always"]
    assert unit["Unit"]["StartLimitIntervalSec"] == ["0"]
    (line,) = unit["Service"]["ExecStart"]
    parsed = parse_command(shlex.split(line))
    assert parsed.info_name == "watch"
    assert parsed.params["listen"].startswith("127.0.0.1:")


def test_the_drill_asks_nothing() -> None:
    (line,) = read_unit("erfailover-drill.service")["Service"]["ExecStart"]
    parsed = parse_command(shlex.split(line))
    assert parsed.info_name == "run"
    assert parsed.params["yes"]
    assert read_unit("erfailover-drill.timer")["Timer"]["Persistent"] == ["no"]


def test_cron_runs_the_same_drill_on_a_first_tuesday(tmp_path: Path) -> None:
    *_, line = (DOCS / "erfailover-drill.cron").read_text("utf-8").splitlines()
    minute, hour, days, month, weekday, user, command = line.split(None, 6)
    assert (minute, hour, days, month, weekday) == ("0", "10", "1-7", "*", "*")
    assert [user] == read_unit("erfailover-drill.service")["Service"]["User"]
    assert not re.search(r"(?<!\\)%", command), "cron ends a line at %"
    for today, called in (("2", True), ("3", False)):
        program = tmp_path / "erfailover"
        program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >{tmp_path}/words\n', "utf-8")
        program.chmod(0o700)
        (tmp_path / "words").unlink(missing_ok=True)
        text = command.replace("\\%", "%").replace(PROGRAM, str(program))
        text = text.replace("$(date +%u)", today).replace(
            "/etc/erfailover/environment", "/dev/null"
        )
        subprocess.run(["/bin/sh", "-c", text])
        assert (tmp_path / "words").exists() is called
        if called:
            words = (tmp_path / "words").read_text("utf-8").splitlines()
            parsed = parse_command([PROGRAM, *words])
            (unit_line,) = read_unit("erfailover-drill.service")["Service"]["ExecStart"]
            of_unit = parse_command(shlex.split(unit_line.replace("%S", "/var/lib")))
            assert parsed.params["canaries"] == of_unit.params["canaries"]
            assert parsed.params["report"] == of_unit.params["report"]


@pytest.mark.parametrize("version", KUBERNETES)
def test_kubernetes_accepts_the_manifest(version: str) -> None:
    manifest = load_manifest()
    assert set(manifest) == {
        "ServiceAccount",
        "ConfigMap",
        "Deployment",
        "PodDisruptionBudget",
        "Service",
    }
    for item in manifest.values():
        kubernetes_validate.validate(item, version, strict=True)
    wrong = {**manifest["Service"], "spec": {"port": 1}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, version, strict=True)


def test_the_manifests_site_file_is_valid_and_shared(tmp_path: Path) -> None:
    """As the kubelet mounts it: a link to a link."""
    (tmp_path / "..data").mkdir()
    (tmp_path / "..data" / "site.yaml").write_text(
        load_manifest()["ConfigMap"]["data"]["site.yaml"], "utf-8"
    )
    (tmp_path / "site.yaml").symlink_to("..data/site.yaml")
    site = loader.load(tmp_path / "site.yaml", {})
    assert site.state is not None
    deployment = load_manifest()["Deployment"]["spec"]
    assert deployment["replicas"] == 2
    pod = deployment["template"]["spec"]
    assert pod["terminationGracePeriodSeconds"] == site.timing.step_deadline_s + 60 == STOP_S
    (mount,) = (mount for mount in get_container()["volumeMounts"] if mount["name"] == "secrets")
    for target in site.watch.notifications:
        assert str(getattr(target, "apprise", "")).startswith(f"file:{mount['mountPath']}/")


def test_the_manifests_server_can_be_probed_and_nothing_else_without_the_token(
    tmp_path: Path,
) -> None:
    container = get_container()
    params = parse_command([PROGRAM, *container["args"]]).params
    certificate = trustme.CA().issue_cert("localhost")
    certificate.private_key_pem.write_to_path(tmp_path / "tls.key")
    for blob in certificate.cert_chain_pems:
        blob.write_to_path(tmp_path / "tls.crt", append=True)
    (tmp_path / "token").write_text("0" * 64, "utf-8")
    files = [tmp_path / params[name].name for name in ("tls_cert", "tls_key", "token_file")]
    settings = read_settings(params["listen"], *files)
    assert settings is not None
    assert not settings.address.is_loopback
    assert isinstance(settings.certificate and settings.certificate.build_context(), ssl.SSLContext)
    assert container["ports"] == [{"name": "https", "containerPort": settings.address.port}]

    state = WebState(lambda: [], lambda: 0.0, settings.token, is_loopback=False, is_secure=True)
    routes = make_application(state).router.resources()
    paths = {route.canonical for route in routes if isinstance(route, web.Resource)}
    for probe in ("livenessProbe", "readinessProbe"):
        asked = container[probe]["httpGet"]
        assert asked["path"] in paths & OPEN_PATHS
        assert (asked["port"], asked["scheme"]) == ("https", "HTTPS")


def test_the_manifests_pod_may_write_only_where_it_says() -> None:
    spec = load_manifest()["Deployment"]["spec"]["template"]["spec"]
    container = get_container()
    kinds = {volume["name"]: set(volume) - {"name"} for volume in spec["volumes"]}
    writable = {
        mount["mountPath"] for mount in container["volumeMounts"] if not mount.get("readOnly")
    }
    environment = {item["name"]: item["value"] for item in container["env"]}
    assert writable == {environment["ERFAILOVER_STATE_DIR"], environment["HOME"]}
    assert {mount["name"] for mount in container["volumeMounts"]} == set(kinds)
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert spec["securityContext"]["runAsNonRoot"] is True
    user = f"--uid {spec['securityContext']['runAsUser']} erfailover"
    text = (ROOT / "Containerfile").read_text("utf-8")
    assert user in text
    assert "[lab,watch,blob," in text


def test_the_manifests_objects_name_one_another() -> None:
    manifest = load_manifest()
    deployment = manifest["Deployment"]["spec"]
    labels = deployment["template"]["metadata"]["labels"]
    assert labels["azure.workload.identity/use"] == "true"
    pod = deployment["template"]["spec"]
    account = manifest["ServiceAccount"]["metadata"]
    assert pod["serviceAccountName"] == account["name"]
    assert "azure.workload.identity/client-id" in account["annotations"]
    wanted = [
        deployment["selector"]["matchLabels"],
        manifest["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"],
        manifest["Service"]["spec"]["selector"],
        pod["affinity"]["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"][0][
            "labelSelector"
        ]["matchLabels"],
    ]
    assert all(selector.items() <= labels.items() for selector in wanted)
    maps = {volume["configMap"]["name"] for volume in pod["volumes"] if "configMap" in volume}
    assert maps == {manifest["ConfigMap"]["metadata"]["name"]}


def test_the_commented_service_monitor_asks_the_service() -> None:
    text = (DOCS / "kubernetes.yaml").read_text("utf-8").partition("# ---\n")[2]
    monitor = yaml.safe_load(re.sub(r"(?m)^# ", "", text))
    service = load_manifest()["Service"]
    assert (
        monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    )
    (endpoint,) = monitor["spec"]["endpoints"]
    assert (endpoint["port"], endpoint["scheme"]) == (service["spec"]["ports"][0]["name"], "https")
