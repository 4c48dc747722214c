"""What a case of `bench advise` is: a statement, the indexes that an experienced person would make for it, and why."""

import re
from dataclasses import dataclass

_SPACES = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Case:
    """One statement. `best` are all the definitions that are right, `table (keys) [where …]`; none: it needs no index.

    Keys may all be turned round, and INCLUDE may be added: neither changes what an index is good for here.
    """

    name: str
    text: str
    parameters: tuple[object, ...]
    best: tuple[str, ...]
    why: str

    @property
    def needs_none(self) -> bool:
        return not self.best

    def right(self, definitions: list[str]) -> bool:
        """Whether the first definition of those proposed is right; if none is needed, that there is none."""
        if self.needs_none:
            return not definitions
        return bool(definitions) and plain(definitions[0]) in {plain(each) for each in self.best}

    def among(self, definitions: list[str]) -> bool:
        """Whether any of several that are in no order is right; if none is needed, that there is none."""
        return any(self.right([each]) for each in definitions) if self.best else not definitions


@dataclass(frozen=True, slots=True)
class Domain:
    """Tables of one domain: statements that make and fill them, `{rows}` being the number of rows of the largest."""

    name: str
    tables: str
    cases: tuple[Case, ...]


def plain(definition: str) -> str:
    """A definition without what makes no difference: INCLUDE, white space, case, all keys turned round."""
    text = _SPACES.sub(" ", re.sub(r" INCLUDE \([^)]*\)", "", definition, flags=re.IGNORECASE)).lower().strip()
    table, keys, where = _parts(text)
    terms = [each.strip() for each in re.split(r",(?![^()]*\))", keys)]
    if terms and all(term.endswith(" desc") for term in terms if _ordered(term, terms)):
        terms = [term.removesuffix(" desc") for term in terms]
    return f"{table} ({', '.join(terms)}){f' where {where}' if where else ''}"


def _ordered(term: str, terms: list[str]) -> bool:
    """Whether the direction of a term matters: those before the first that goes down may go either way."""
    first = next((place for place, each in enumerate(terms) if each.endswith(" desc")), len(terms))
    return terms.index(term) >= first


def _parts(text: str) -> tuple[str, str, str]:
    begin = text.index("(")
    depth, end = 0, len(text)
    for place, sign in enumerate(text[begin:], begin):
        depth += (sign == "(") - (sign == ")")
        if depth == 0:
            end = place
            break
    return text[:begin].strip(), text[begin + 1:end], text[end + 1:].strip().removeprefix("where ").strip("() ")
