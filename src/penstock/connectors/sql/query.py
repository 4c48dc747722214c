"""A person's query, checked before anything is opened: one statement, with parameters that the run can bind."""

from dataclasses import dataclass

from penstock.connectors.sql.wording import did_you_mean
from penstock.domain.errors import ConfigurationError
from penstock.store.tokens import Kind, Token, tokenise

PARAMETERS = ("account", "subject")


@dataclass(frozen=True, slots=True)
class Query:
    """`text` is one statement without its semicolon; `key` is the name of the column that it is paged by."""

    text: str
    key: str


def parse_query(text: str, key: str) -> Query:
    """The query, or a ConfigurationError that lists every fault."""
    if not isinstance(text, str):
        raise ConfigurationError(f"SQLSource expects its query as a string, but got {type(text).__name__}.")
    tokens = list(tokenise(text))
    faults = [*_statement_faults(tokens), *_parameter_faults(tokens)]
    if not isinstance(key, str) or not key:
        faults.append(f"SQLSource expects key to name one column of the query, but got {key!r}.")
    if faults:
        raise ConfigurationError(faults)
    return Query("".join(piece for kind, piece in tokens if not _ends_statement(kind, piece)), key)


def _ends_statement(kind: Kind, piece: str) -> bool:
    return kind is Kind.OTHER and piece == ";"


def _statement_faults(tokens: list[Token]) -> list[str]:
    statements, within = 0, False
    for kind, piece in tokens:
        if _ends_statement(kind, piece):
            within = False
        elif kind is not Kind.COMMENT and not piece.isspace() and not within:
            statements, within = statements + 1, True
    if statements == 1:
        return []
    return [f"SQLSource expects a query of one statement, but got {statements or 'none'}."]


def _parameter_faults(tokens: list[Token]) -> list[str]:
    names = dict.fromkeys(piece[1:] for kind, piece in tokens if kind is Kind.PARAMETER)
    return [
        f"The query of a SQLSource may use :account and :subject, but it uses :{name}." + did_you_mean(name, PARAMETERS)
        for name in names
        if name not in PARAMETERS
    ]
