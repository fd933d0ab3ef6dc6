"""A real Prometheus: it scrapes the watch, loads the alert rules, and fires each of them."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit
from urllib.request import urlopen

import pytest
import yaml

from erfailover.commands.watch.web.settings import WebSettings
from erfailover.model.watch import Observation, Signal, SignalStatus, SiteView, WatchState
from erfailover.reporting.watch.assets import ALERTS, DASHBOARD, read_asset
from tests.support.debian import require_program
from tests.support.watch_server import LOOPBACK, TOKEN, Watched, serving, write_certificate
from tests.support.watch_views import (
    make_failed_view,
    make_mixed_view,
    make_reading,
    make_standby_view,
    make_view,
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

UNREADY = Observation(SignalStatus.DOWN, "0 of 1 peers Connected")
INTERVAL_S = 1


@pytest.fixture(scope="module")
def promtool() -> str:
    return require_program("promtool", "prometheus")


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    file = tmp_path / ALERTS
    file.write_text(read_asset(ALERTS))
    return file


@pytest.fixture
def free_port() -> int:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port: int = unused.getsockname()[1]
        return port


def check(*words: str, text: str = "") -> str:
    ended = subprocess.run(words, input=text, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout + ended.stderr


class TestPromtool:
    def test_it_accepts_the_rules(self, promtool: str, rules: Path) -> None:
        names = [rule["alert"] for rule in yaml.safe_load(rules.read_text())["groups"][0]["rules"]]
        assert f"{len(names)} rules found" in check(promtool, "check", "rules", str(rules))

    def test_it_accepts_the_metrics_without_a_remark(self, promtool: str) -> None:
        views = [make_failed_view(), make_mixed_view(), make_standby_view(site="lyon")]
        with serving(views=views) as watched:
            text = watched.ask("/metrics").text
        ours = "\n".join(line for line in text.splitlines() if "erfailover_" in line) + "\n"
        assert check(promtool, "check", "metrics", text=ours).strip() == ""
        check(promtool, "check", "metrics", text=text)

    def test_each_rule_fires_when_it_should_and_only_then(
        self, promtool: str, tmp_path: Path, rules: Path
    ) -> None:
        file = tmp_path / "cases.yml"
        cases = [build_case(*case) for case in CASES]
        file.write_text(
            yaml.safe_dump(
                {"rule_files": [str(rules)], "evaluation_interval": "1m", "tests": cases}
            )
        )
        check(promtool, "test", "rules", str(file))
        fired = {name for _, _, name, _ in CASES if name}
        rows = yaml.safe_load(rules.read_text())["groups"][0]["rules"]
        assert fired == {rule["alert"] for rule in rows}


HEALTHY = {
    'erfailover_build_info{instance="a"}': "1x2000",
    'erfailover_watch_leader{instance="a",site="s"}': "1x2000",
    'erfailover_watch_leader{instance="b",site="s"}': "0x2000",
    'erfailover_watch_state{instance="a",site="s",state="HEALTHY"}': "1x2000",
    'erfailover_watch_state{instance="b",site="s",state="UNKNOWN"}': "1x2000",
    'erfailover_backup_ready{instance="a",site="s"}': "1x2000",
    'erfailover_spoke_on_path{instance="a",site="s",spoke="v",path="ipsec"}': "0x2000",
    'erfailover_spoke_on_path{instance="a",site="s",spoke="v",path="expressroute"}': "1x2000",
    'erfailover_watch_interval_seconds{instance="a",site="s"}': "30x2000",
    'erfailover_watch_last_reading_timestamp_seconds{instance="a",site="s"}': "0+60x2000",
    'erfailover_store_available{instance="a",site="s"}': "1x2000",
    'erfailover_paused{instance="a",site="s"}': "0x2000",
    'erfailover_approval_pending{instance="a",site="s"}': "0x2000",
    'erfailover_notifications_total{instance="a",site="s",result="failed"}': "0x2000",
}
LABELS = {"site": "s"}


def state(name: str) -> dict[str, str]:
    return {
        'erfailover_watch_state{instance="a",site="s",state="HEALTHY"}': "0x2000",
        f'erfailover_watch_state{{instance="a",site="s",state="{name}"}}': "1x2000",
    }


def series(name: str, values: str, labels: str = "") -> dict[str, str]:
    return {f'erfailover_{name}{{instance="a",site="s"{labels}}}': values}


CASES: list[tuple[str, dict[str, str], str, dict[str, str]]] = [
    ("1d", {}, "", {}),
    ("1m", state("FAILED"), "ErfailoverSiteFailed", LABELS),
    ("1m", state("LOCKED_OUT"), "ErfailoverLockedOut", LABELS),
    ("14m", state("DEGRADED"), "", {}),
    ("16m", state("DEGRADED"), "ErfailoverDegraded", LABELS),
    ("16m", state("UNKNOWN"), "ErfailoverStateUnknown", LABELS),
    ("1m", series("approval_pending", "1x2000"), "ErfailoverApprovalPending", LABELS),
    ("14m", series("backup_ready", "0x2000"), "", {}),
    ("16m", series("backup_ready", "0x2000"), "ErfailoverBackupNotReady", LABELS),
    (
        "3m",
        series("spoke_on_path", "0x2000", ',spoke="v",path="expressroute"'),
        "ErfailoverSpokeWithoutPath",
        {"site": "s", "spoke": "v"},
    ),
    ("3m", series("watch_leader", "0x2000"), "ErfailoverNoLeader", LABELS),
    ("10m", {key: "_x2000" for key in HEALTHY}, "ErfailoverAbsent", {}),
    (
        "10m",
        series("watch_last_reading_timestamp_seconds", "0x2000"),
        "ErfailoverReadingStale",
        LABELS,
    ),
    (
        "3m",
        series("store_available", "0x2000"),
        "ErfailoverStoreLost",
        {"site": "s", "instance": "a"},
    ),
    ("23h", series("paused", "1x2000"), "", {}),
    ("1441m", series("paused", "1x2000"), "ErfailoverPausedForADay", LABELS),
    (
        "10m",
        series("notifications_total", "0 0 0 0 0 1x2000", ',result="failed"'),
        "ErfailoverNotificationsFail",
        {"site": "s", "instance": "a", "result": "failed"},
    ),
]
"""When, what differs from a healthy site, the only alert that then fires, and its labels."""


def build_case(
    at: str, changes: dict[str, str], name: str, labels: dict[str, str]
) -> dict[str, Any]:
    """Return a test of promtool: at a moment, this alert fires and no other."""
    rows = yaml.safe_load(read_asset(ALERTS))["groups"][0]["rules"]
    values = HEALTHY | changes
    return {
        "name": f"{name or 'nothing'} at {at}",
        "interval": "1m",
        "input_series": [{"series": key, "values": text} for key, text in values.items()],
        "promql_expr_test": [
            {
                "expr": f'count by (alertname) (ALERTS{{alertstate="firing",alertname!="{name}"}})',
                "eval_time": at,
                "exp_samples": [],
            }
        ],
        "alert_rule_test": [
            {
                "eval_time": at,
                "alertname": name,
                "exp_alerts": [
                    {
                        "exp_labels": labels | rule["labels"],
                        "exp_annotations": fill_in(rule["annotations"], labels),
                    }
                ],
            }
            for rule in rows
            if rule["alert"] == name
        ],
    }


def fill_in(annotations: dict[str, str], labels: dict[str, str]) -> dict[str, str]:
    """Return annotations as Prometheus fills them in."""
    filled = {}
    for key, text in annotations.items():
        for label, value in labels.items():
            text = text.replace(f"{{{{ $labels.{label} }}}}", value)
        filled[key] = text.replace("{{ $value | humanizeDuration }}", "10m 0s")
    return filled


@dataclass
class Prometheus:
    port: int

    def query(self, text: str) -> list[dict[str, Any]]:
        return list(self.get(f"query?query={quote(text)}")["result"])

    def get(self, path: str) -> dict[str, Any]:
        with urlopen(f"http://127.0.0.1:{self.port}/api/v1/{path}", timeout=10) as answer:
            data: dict[str, Any] = json.load(answer)["data"]
            return data

    def wait_for(self, text: str) -> list[dict[str, Any]]:
        until = time.monotonic() + 60.0
        while time.monotonic() < until:
            try:
                if rows := self.query(text):
                    return rows
            except OSError:
                pass
            time.sleep(0.2)
        raise AssertionError(f"Prometheus has no {text}")


@contextmanager
def scraping(
    folder: Path, scrape: dict[str, Any], target: str, free_port: int
) -> Iterator[Prometheus]:
    """Run a Prometheus that scrapes one target every second."""
    program = require_program("prometheus", "prometheus")
    job = {"job_name": "erfailover", "static_configs": [{"targets": [target]}]} | scrape
    config = {
        "global": {"scrape_interval": f"{INTERVAL_S}s", "evaluation_interval": f"{INTERVAL_S}s"},
        "rule_files": [str(folder / ALERTS)],
        "scrape_configs": [job],
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    words = [
        program,
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{free_port}",
        "--log.level=warn",
    ]
    with (folder / "prometheus.log").open("w") as log:
        process = subprocess.Popen(words, stdout=log, stderr=log)
    try:
        yield Prometheus(free_port)
    finally:
        process.terminate()
        process.wait(20)


def test_prometheus_scrapes_the_watch_with_its_token_and_fires_its_alerts(
    tmp_path: Path, rules: Path, free_port: int
) -> None:
    ca, certificate = write_certificate(tmp_path)
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    scrape = {
        "scheme": "https",
        "tls_config": {"ca_file": str(tmp_path / "ca.pem")},
        "authorization": {"credentials_file": str(tmp_path / "token")},
    }
    with serving(WebSettings(LOOPBACK, certificate, TOKEN)) as watched:
        watched.views = make_current_views(watched)
        target = urlsplit(watched.server.url).netloc
        with scraping(tmp_path, scrape, target, free_port) as prometheus:
            prometheus.wait_for("erfailover_build_info")
            (up,) = prometheus.query("up")
            assert up["value"][1] == "1"
            (failed,) = prometheus.wait_for('ALERTS{alertname="ErfailoverSiteFailed"}')
            assert failed["metric"]["site"] == "poc"
            check_queries(prometheus)
            watched.views = [replace(view, state=WatchState.HEALTHY) for view in watched.views]
            prometheus.wait_for('absent(ALERTS{alertname="ErfailoverSiteFailed"}) == 1')


def make_current_views(watched: Watched) -> list[SiteView]:
    """Return sites whose readings are of this moment, so that no reading is stale."""
    watched.at = time.time()
    fresh = make_reading(at=watched.at, signals={Signal.GATEWAY: UNREADY}, backup=UNREADY)
    return [make_failed_view(reading=fresh), make_view(site="b", reading=fresh)]


def check_queries(prometheus: Prometheus) -> None:
    """Check that Prometheus understands every query of the dashboard, and most have an answer."""
    answered = []
    for panel in json.loads(read_asset(DASHBOARD))["panels"]:
        for target in panel["targets"]:
            text = target["expr"].replace("$site", ".*").replace("$__rate_interval", "1m")
            if prometheus.query(text):
                answered.append(panel["title"])
    assert {"State", "Backup", "Signals", "Spokes on each path", "Memory"} <= {*answered}
