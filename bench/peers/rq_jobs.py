"""What RQ's workers run: it is imported by each of their forks, so it holds nothing else."""

import time


def wait(milliseconds: int) -> None:
    time.sleep(milliseconds / 1000)
