"""``python -m erfailover``."""

from erfailover.cli.main import main

main()
