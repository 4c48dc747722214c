"""How the site listens."""

import socket

from penstock.web.serving import listen


def test_no_part_of_a_response_waits_until_the_one_before_is_acknowledged():
    with listen("127.0.0.1", 0) as listening, socket.create_connection(listening.getsockname()):
        connection, _ = listening.accept()
        with connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
