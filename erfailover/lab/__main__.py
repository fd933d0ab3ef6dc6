"""``python -m erfailover.lab``: the lab's own command line, if the lab is installed."""

import os
import sys
from importlib.util import find_spec

NEEDED = ("aiohttp", "jwt", "trustme")
"""What the extra ``lab`` installs."""
COMPLETION = "_ERFAILOVER LAB_COMPLETE"
"""Set if a shell completes a command, when no error may be printed."""


def main() -> None:
    """Run the lab's command line, or explain what to install."""
    if any(find_spec(name) is None for name in NEEDED):
        if COMPLETION not in os.environ:
            print(
                "erfailover: The lab is not installed. "
                "Install it with: pip install 'erfailover[lab]'",
                file=sys.stderr,
            )
        sys.exit(2)
    from erfailover.lab.cli.main import main as lab

    lab(prog_name="erfailover lab")


if __name__ == "__main__":
    main()
