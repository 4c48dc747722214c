"""`python -m penstock.cli.tied`: `penstock`, for as long as stdin is open.

It is asked to stop when whoever started it has gone, be it without a word: the other end of the pipe is closed then.
"""

import os
import signal
import sys
import threading

from penstock.cli import main


def _until_it_is_closed() -> None:
    number = sys.stdin.fileno()
    try:
        while os.read(number, 1):
            pass
    finally:
        os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    threading.Thread(target=_until_it_is_closed, name="tied", daemon=True).start()
    main()
