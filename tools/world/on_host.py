"""`python -m tools.world.on_host NAME …`: the command line of Penstock as on a machine of that name, so that pages do
not tell on which one they were made."""

import socket
import sys

from penstock.cli import main


def _run() -> None:
    name, *arguments = sys.argv[1:]
    socket.gethostname = lambda: name
    sys.argv[1:] = arguments
    main()


if __name__ == "__main__":
    _run()
