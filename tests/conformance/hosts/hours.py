"""A monotonic clock of a test's own: it stands still until it is moved."""


class Hours:
    def __init__(self, seconds: float = 1000.0) -> None:
        self.seconds = seconds

    def __call__(self) -> float:
        return self.seconds
