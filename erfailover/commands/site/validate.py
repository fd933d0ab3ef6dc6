"""``erfailover validate``: whether a site file is valid, by the file alone.

Calls neither Azure nor a shared store, so that it runs in a pipeline without a sign-in.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from erfailover.commands.output import Output
from erfailover.commands.provision.keys import read_ssh_keys
from erfailover.config.loader import SiteFileError, load
from erfailover.config.site_warnings import iter_warnings
from erfailover.errors import UsageFailure
from erfailover.model.site import CloudEndpoint, Site
from erfailover.reporting import site_file


def run(path: Path, output: Output) -> None:
    """Validate a site file, and show what was read.

    Raises:
        UsageFailure: it is not valid, or cannot be read; with every problem found.
    """
    try:
        site = load(path, {})
    except SiteFileError as error:
        if output.shows_data:
            problems = [problem.to_data() for problem in error.problems]
            output.print_result("", site_file.build_invalid_data(str(path), problems))
        raise
    lines = [*iter_warnings(site), *_iter_missing_files(path, site)]
    output.print_result(
        site_file.format_text(str(path), site, lines), site_file.build_data(str(path), site, lines)
    )


def _iter_missing_files(path: Path, site: Site) -> Iterator[str]:
    """Yield the files that the site file names and that are not here; they may be elsewhere.

    An SSH key is needed by who runs ``provision`` alone.
    """
    try:
        read_ssh_keys(site, path)
    except UsageFailure as failure:
        yield failure.message.removeprefix(f"{path}: ")
    cloud = site.cloud
    if isinstance(cloud, CloudEndpoint) and cloud.ca is not None:
        file = path.parent / Path(cloud.ca).expanduser()
        if not file.exists():
            yield f"cloud.ca: {cloud.ca!r} not found in {path.parent.resolve()}"
