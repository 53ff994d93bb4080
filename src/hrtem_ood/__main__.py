"""``python -m hrtem_ood``: the command line, without relying on PATH."""

from hrtem_ood.cli import main

main()
