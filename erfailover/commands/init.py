"""``erfailover init``: a commented site file of the proof of concept, to be edited by a person."""

from __future__ import annotations

from erfailover import config
from erfailover.commands.context import Context
from erfailover.errors import Failure, UsageFailure


def run(context: Context, force: bool) -> None:
    """Write the site file.

    Args:
        context: the invocation; its site file is what is written.
        force: replace a file that is there.

    Raises:
        UsageFailure: there is one already, or it cannot be written.
    """
    path = context.site_file
    try:
        with path.open("w" if force else "x", encoding="utf-8") as file:
            file.write(config.template())
    except FileExistsError:
        raise UsageFailure(
            f"{path} is there already", "Name another with --site, or replace it with --force."
        ) from None
    except OSError as error:
        raise _unwritable(str(path), error) from None
    text = (
        f"Wrote {path}: the proof of concept's topology. Put your own names, prefixes and ASNs "
        "in, then:\n  erfailover provision --dry-run"
    )
    context.show(text, {"site_file": str(path)})


def _unwritable(path: str, error: OSError) -> Failure:
    return UsageFailure(f"{path} cannot be written: {error.strerror or error}")
