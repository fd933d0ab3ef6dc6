"""``erfailover init``: a commented site file, to be looked through by a person.

Of the proof of concept's topology, or of a network that is there (``init_from_azure``).
"""

from __future__ import annotations

from erfailover import config
from erfailover.commands.context import Context
from erfailover.errors import UsageFailure


def run(context: Context, force: bool) -> None:
    """Write the proof of concept's site file.

    Args:
        context: the invocation; its site file is what is written.
        force: replace a file that is there.

    Raises:
        UsageFailure: there is one already, or it cannot be written.
    """
    write(context, config.template(), force=force)
    path = context.site_file
    text = (
        f"Wrote {path}: the proof of concept's topology. Put your own names, prefixes and ASNs "
        "in, then:\n  erfailover provision --dry-run"
    )
    context.show(text, {"site_file": str(path)})


def write(context: Context, text: str, *, force: bool) -> None:
    """Write a site file; one that is there only where ``force`` says so."""
    path = context.site_file
    try:
        with path.open("w" if force else "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise there_already(context) from None
    except OSError as error:
        raise UsageFailure(f"{path} cannot be written: {error.strerror or error}") from None


def there_already(context: Context) -> UsageFailure:
    """What to say where the site file is there."""
    return UsageFailure(
        f"{context.site_file} is there already",
        "Name another with --site, or replace it with --force.",
    )
