"""``python -m erfailover``."""

from erfailover.cli import main

main()
