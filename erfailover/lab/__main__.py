"""``python -m erfailover.lab``: the lab's own command line."""

from erfailover.lab.cli.main import main

if __name__ == "__main__":
    main(prog_name="erfailover lab")
