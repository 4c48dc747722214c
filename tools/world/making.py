"""Makes the world's day: `python -m tools.world.making ORDERS HOURS SIZE`, in the environment that `tools.world.shop`
reads. Penstock is imported once the clocks can be moved.
"""

import socket
import sys

from tools.world import passing


def main() -> None:
    socket.gethostname = lambda: "shop-1"
    passing.begin()
    from tools.world.day import make
    orders, hours, size = sys.argv[1:]
    make(int(orders), int(hours), float(size))


if __name__ == "__main__":
    main()
