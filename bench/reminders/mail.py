"""The e-mail that every arm sends, in the same way: a connection for each mail, as the standard library opens it.

A kept connection would not outlive a work horse, which is forked for one job: so no arm keeps any. Nothing but the
standard library is used, since this runs where Penstock is not installed too.
"""

import os
import smtplib
from email.message import EmailMessage

PORT = "BENCH_SMTP_PORT"


def deliver(offer: int, address: str) -> None:
    """Send one small mail to the server on the port that the environment names."""
    message = EmailMessage()
    message["To"], message["From"], message["Subject"] = address, "offers@example.com", f"Offer {offer} is waiting"
    # The name is given so that no connection waits for a look-up of this machine's own.
    with smtplib.SMTP("127.0.0.1", int(os.environ[PORT]), local_hostname="localhost") as server:
        server.send_message(message)


def address(offer: int) -> str:
    """Whom an offer was made to."""
    return f"customer-{offer}@example.com"
