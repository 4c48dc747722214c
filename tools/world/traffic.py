"""What goes on while one looks: `python -m tools.world.traffic` asks for as much as the last minutes of the day did."""

from itertools import count

from tools.world import shop
from tools.world.passing import pause
from tools.world.shop import app

_SECONDS = 5.0


def main() -> None:
    for each in count(90_000, 30):
        app.enqueue_many(shop.track.call(number) for number in range(each, each + 16))
        app.enqueue_many(shop.index_product.call(number % 2000) for number in range(each, each + 1))
        pause(_SECONDS)


if __name__ == "__main__":
    main()
