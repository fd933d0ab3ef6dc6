"""``erfailover version``: the installed versions. Loads none of the packages."""

from __future__ import annotations

import platform
from importlib import metadata
from typing import Any

from erfailover import __version__
from erfailover.commands import output as commands_output
from erfailover.reporting.formats import Query

PACKAGES = (
    "azure-core",
    "azure-identity",
    "azure-mgmt-compute",
    "azure-mgmt-network",
    "azure-mgmt-resource",
    "click",
    "cryptography",
    "filelock",
    "Jinja2",
    "jmespath",
    "msal",
    "platformdirs",
    "psutil",
    "pydantic",
    "PyJWT",
    "PyYAML",
    "requests",
    "rich",
    "tenacity",
)
EXTRAS = {
    "lab": ("aiohttp", "cryptography", "PyJWT", "pyroute2", "trustme"),
    "blob": ("azure-storage-blob",),
    "keyvault": ("azure-keyvault-secrets",),
    "diagram": ("pygraphviz",),
    "png": ("cairosvg",),
    "watch": ("aiohttp", "apprise", "prometheus-client"),
}


def run(output: str, query: Query | None) -> None:
    """Print the versions."""
    data = build_data()
    commands_output.show(format_text(data), data, output, query)


def build_data() -> dict[str, Any]:
    """Return the versions as plain data; null if a package is not installed."""
    return {
        "erfailover": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {name: _find_version(name) for name in PACKAGES},
        "extras": {
            extra: {name: _find_version(name) for name in names} for extra, names in EXTRAS.items()
        },
    }


def _find_version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def format_text(versions: dict[str, Any]) -> str:
    """Return the versions for people."""
    lines = [
        f"erfailover {versions['erfailover']}",
        f"Python {versions['python']}, {versions['platform']}",
    ]
    lines += [
        f"  {name:<24}{item or 'NOT INSTALLED'}" for name, item in versions["packages"].items()
    ]
    for extra, names in versions["extras"].items():
        if None in names.values():
            lines.append(f"{extra}: not installed; pip install 'erfailover[{extra}]'")
        else:
            lines.append(f"{extra}: installed")
            lines += [f"  {name:<24}{item}" for name, item in names.items()]
    return "\n".join(lines)
