"""Encryption: what lies in the store tells nothing, keys change while jobs wait, and nobody is shown a secret."""

from typing import Annotated

from penstock import Keyring, Penstock, Secret
from serving import URL, working

OLD, NEW = Keyring.new_key(), Keyring.new_key()            # PENSTOCK_ENCRYPTION_KEYS=2026:…,2025:…


def declare(app: Penstock):
    @app.task(name="pay", encrypt=True)
    def pay(iban: str, pence: int) -> None:
        print(f"paid {pence} to {iban}", flush=True)

    @app.task(name="connect")
    def connect(host: str, token: Annotated[str, Secret]) -> None:
        print(f"connected to {host} with a token of {len(token)}", flush=True)

    return pay, connect


if __name__ == "__main__":
    before = Penstock(URL, encryption=Keyring({"2025": OLD}))
    before.migrate()
    pay, connect = declare(before)
    first = pay.enqueue("DE89 3704", 700)
    before.close()

    app = Penstock(URL, encryption=Keyring({"2026": NEW, "2025": OLD}))
    pay, connect = declare(app)
    second = pay.enqueue("FR76 3000", 300)
    third = connect.enqueue("db.example.com", "s3cret")
    for job in (first, second, third):
        print(app.job(job.id).arguments)
    print("for who asks:", app.job(second.id, reveal=True).arguments)
    with working(app, default=1):
        pass
