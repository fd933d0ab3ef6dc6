"""The files that ``erfailover watch`` ships: page, style, script, alert rules, dashboard."""

from __future__ import annotations

from importlib import resources

ALERTS = "alerts.yml"
"""Prometheus alert rules; ``promtool check rules`` accepts them."""
DASHBOARD = "dashboard.json"
"""A Grafana dashboard, to be imported."""


def read_asset(name: str) -> str:
    """Return a file of ``erfailover/data/watch/``, by its name, such as ``alerts.yml``."""
    return (resources.files("erfailover") / "data" / "watch" / name).read_text("utf-8")
