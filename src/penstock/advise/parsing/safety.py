"""What may be done with a statement of somebody else's, decided by its text alone: the first gate, and not the last.

It is judged twice, by the words as the server cuts them and by the parsed tree, and both have to agree. What is allowed
here is still done in a read-only transaction of a role of its own; what a view or an operator of the user's own calls,
only the database can say.
"""

from penstock.advise.parsing.functions import LIKE_CALLS, forbidden, harmless
from penstock.advise.parsing.lexis import Unfinished, Word, telling
from penstock.advise.parsing.reading import NotParsed, tree
from penstock.domain.advice import Dialect, Safety

_READS = ("select", "with", "values", "table")
_CHANGES = ("insert", "update", "delete")
_CHANGING_WORDS = frozenset((*_CHANGES, "merge", "into", "truncate", "replace", "call", "copy"))
_TREES_THAT_READ = frozenset(("Select", "Union", "Intersect", "Except", "Values", "Subquery", "Paren"))
_TREES_THAT_CHANGE = frozenset(("Insert", "Update", "Delete"))
_NODES_THAT_CHANGE = frozenset((
    "Insert", "Update", "Delete", "Merge", "Into", "Command", "Copy", "Drop", "Create", "Alter", "TruncateTable",
    "Set", "Pragma", "Attach", "Detach"))
_LOCKS = "It locks rows (FOR UPDATE or FOR SHARE): its plan can be asked for, it is never run."


def safety(text: str, dialect: Dialect) -> Safety:
    """What may be done with the statement, and in words why not more. Never raises."""
    try:
        words = telling(text, dialect)
    except Unfinished as fault:
        return _nothing(f"It cannot be read: {fault}.")
    while words and words[-1] == Word("sign", ";"):
        words.pop()
    begin = next((word.text.lower() for word in words if word.text != "("), "")
    if reason := _no_statement(words, begin):
        return _nothing(reason)
    try:
        parsed = tree(text, dialect)
    except NotParsed as fault:
        return _nothing(f"It cannot be parsed, so nobody knows what it would do: {fault}.")
    kind = type(parsed).__name__
    called = calls(words)
    never = [name for name in called if forbidden(name)]
    reasons = [f"It calls {name}, which is never done on behalf of an explanation." for name in never]
    unknown = tuple(name for name in called if not harmless(name) and name not in never)
    changes = begin in _CHANGES or kind in _TREES_THAT_CHANGE
    if changes:
        reasons.insert(0, f"It changes data ({begin.upper()}): its plan can be asked for, it is never run.")
    elif kind not in _TREES_THAT_READ:
        return _nothing(f"It was taken for {kind.upper()}, and only SELECT, WITH, VALUES and TABLE are run.")
    else:
        reasons += _changes_within(words, {type(node).__name__ for node in parsed.walk()})
    # A plan folds functions of constants, and so calls immutable ones; what is forbidden may be declared anything.
    # A common table expression that writes is planned without being run, yet no plan of it is worth that risk.
    planned = not never and (changes or set(reasons) <= {_LOCKS})
    if changes and any(type(node).__name__ in _NODES_THAT_CHANGE for node in parsed.walk() if node is not parsed):
        planned = False
        reasons.append("Another change of data lies within it.")
    return Safety(explain=planned, analyse=not changes and not reasons, functions=unknown,
                  attributes=_attributes(words), reasons=tuple(reasons))


def calls(words: list[Word]) -> list[str]:
    """The names of functions that a statement calls, in lower case unless quoted, each once, with a schema if said."""
    found: dict[str, None] = {}
    for place, word in enumerate(words[1:], 1):
        before = words[place - 1]
        if word != Word("sign", "(") or before.kind not in ("word", "name"):
            continue
        parts = [_plain(before)]
        at = place - 2
        while at >= 1 and words[at] == Word("sign", ".") and words[at - 1].kind in ("word", "name"):
            parts.insert(0, _plain(words[at - 1]))
            at -= 2
        if len(parts) == 1 and before.kind == "word" and (parts[0] in LIKE_CALLS or _named_by(words, at)):
            continue
        found.setdefault(".".join(parts))
    return list(found)


def _attributes(words: list[Word]) -> tuple[str, ...]:
    """What stands after a dot without a bracket: columns, nearly always."""
    return tuple(dict.fromkeys(
        _plain(word) for place, word in enumerate(words)
        if word.kind in ("word", "name") and place and words[place - 1] == Word("sign", ".")
        and words[place + 1:place + 2] not in ([Word("sign", "(")], [Word("sign", ".")])))


def _named_by(words: list[Word], before: int) -> bool:
    """Whether the name before a bracket is that of a table with columns: `with x (a)`, `insert into x (a)`, `as x (a)`.

    A forbidden name never is; a function in FROM stands after no such word.
    """
    word = words[before] if before >= 0 else None
    named = words[before + 1].text.lower()
    return word is not None and word.kind == "word" and not forbidden(named) and (
        word.text.lower() in ("into", "recursive", "as") or (word.text.lower() == "with" and before == 0))


def _plain(word: Word) -> str:
    return word.text.strip('"').replace('""', '"') if word.kind == "name" else word.text.lower()


def _no_statement(words: list[Word], begin: str) -> str | None:
    if not words:
        return "There is no statement."
    if any(word == Word("sign", ";") for word in words):
        return "It is more than one statement; only one by itself is explained."
    if any(word.text[:2].lower() == "u&" for word in words if word.kind in ("name", "text")):
        return "It has names or texts written in Unicode escapes, behind which anything may hide."
    if begin not in (*_READS, *_CHANGES):
        return (f"It begins with {begin.upper() or 'nothing'}; what is explained begins with SELECT, WITH, VALUES,"
                " TABLE, INSERT, UPDATE or DELETE.")
    return None


def _changes_within(words: list[Word], nodes: set[str]) -> list[str]:
    reasons: dict[str, None] = {}
    for place, word in enumerate(words):
        text = word.text.lower()
        if word.kind != "word" or (place and words[place - 1].text == "."):
            continue
        after = words[place + 1].text.lower() if place + 1 < len(words) else ""
        if text == "for" and after in ("update", "no", "share", "key"):
            reasons[_LOCKS] = None
        elif text == "replace" and after == "(":
            continue                    # the function
        elif text in _CHANGING_WORDS and not _of_a_lock(words, place):
            reasons[f"It has the word {text.upper()}, which may change data."] = None
    if "Lock" in nodes:
        reasons[_LOCKS] = None
    if nodes & _NODES_THAT_CHANGE and not reasons:
        reasons[f"It changes something within ({', '.join(sorted(nodes & _NODES_THAT_CHANGE))})."] = None
    return list(reasons)


def _of_a_lock(words: list[Word], place: int) -> bool:
    before = [word.text.lower() for word in words[max(0, place - 3):place]]
    return words[place].text.lower() == "update" and (before[-1:] == ["for"] or before == ["for", "no", "key"])


def _nothing(reason: str) -> Safety:
    return Safety(explain=False, analyse=False, reasons=(reason,))
