"""Which database a URL means, opened to be explained."""

from penstock.advise.asking.database import USUAL, Examined, Limits
from penstock.domain.errors import AdviceUnavailable, ConfigurationError


def open_examined(url: str, limits: Limits = USUAL, who: str = "the database to be explained") -> Examined:
    """The database at `url`, to be entered. Raises `AdviceUnavailable` for a URL of neither kind."""
    scheme = url.partition("://")[0].partition("+")[0] if "://" in url else ""
    if scheme == "sqlite":
        from penstock.advise.asking.sqlite.explained import Sqlite
        return Sqlite(url, limits)
    if scheme not in ("postgresql", "postgres"):
        raise AdviceUnavailable(f"{who}: expected a URL that begins with postgresql:// or sqlite:///, got"
                                f" {scheme or 'something without ://'}")
    try:
        from penstock.advise.asking.postgres.explained import Postgres
    except ImportError:
        raise ConfigurationError(f"{who}: expected psycopg, which is not installed; pip install 'penstock[advise]'"
                                 ) from None
    return Postgres(url.replace(url.partition("://")[0], "postgresql", 1), limits, who)
