"""What a server does wrong when it is told to."""

from dataclasses import dataclass
from typing import Literal

FaultKind = Literal["drop_before", "drop_after", "error_before", "error_after", "throttle", "refuse", "fewer",
                    "reversed", "slow", "hang", "reset"]
"""What happens to a call:

- `drop_before`, `drop_after`: the connection is closed before it is carried out, or after that, without an answer;
- `reset`: it is carried out, and its connection reset;
- `error_before`, `error_after`: the answer is `status` (500), before or after;
- `throttle`: it is refused with 429 and `retry_after`;
- `refuse`: it is refused as a whole with 400, as for something in it that the API cannot bear;
- `fewer`: it is carried out, and the results at `places` are left out; `reversed`: they come in the wrong order;
- `slow`: the answer comes after `seconds`; `hang`: not before the faults are cleared or the server ends.
"""


@dataclass
class Fault:
    """What to do with the calls that match, from the `nth` of them on, `times` times (None: for ever).

    `route` is `operations`, `search`, `page`, or None for any; `having` is somewhere in the body.
    """

    kind: FaultKind
    route: str | None = "operations"
    customer: str | None = None
    having: str | None = None
    nth: int = 1
    times: int | None = 1
    status: int = 500
    retry_after: float | None = 1.0
    seconds: float = 0.1
    places: tuple[int, ...] = (-1,)

    def takes(self, route: str, customer: str, body: bytes) -> bool:
        """Whether it is this call's turn; each call is to be asked about once."""
        fits = (self.route in (None, route) and self.customer in (None, customer)
                and (self.having is None or self.having.encode() in body))
        if not fits or self.times == 0:
            return False
        if self.nth > 1:
            self.nth -= 1
            return False
        if self.times is not None:
            self.times -= 1
        return True
