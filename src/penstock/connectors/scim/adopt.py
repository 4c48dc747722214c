"""A create met a 409: looks the existing resource up and takes it over, if it is surely the one.

It is the one if exactly one resource has the value and no other record holds it. Overwriting what belongs to
somebody else is worse than a record that waits for a person.
"""

from collections.abc import Iterable, MutableSequence, Sequence
from dataclasses import replace
from itertools import zip_longest

from penstock.connectors.scim.exchange import client_of
from penstock.connectors.scim.find import find
from penstock.connectors.scim.revise import Failure, Revision, revise
from penstock.domain.errors import DestinationError
from penstock.domain.records import ChangeKind, Done, Outcome, Rejected
from penstock.sync.declaring.ports import Run


def adopt(endpoint: str, attribute: str, conflicts: dict[int, Revision],
          outcomes: MutableSequence[Outcome | None], run: Run) -> Failure:
    """Replace the outcome of each conflict, by its place in `outcomes`, and give the failure of a call.

    What a failure leaves open becomes in doubt, which is true enough: the engine looks such a record up before
    it sends it again, and adopts it then.
    """
    values = {place: value for place, (change, content) in conflicts.items()
              if isinstance(value := content.get(attribute, change.match), str)}
    try:
        found = find(client_of(run), endpoint, attribute, list(values.values()), run.calls)
    except DestinationError as error:
        leave_open(values, outcomes)
        return error
    chosen: dict[int, str] = {}
    single = [ids for ids in found.values() if isinstance(ids, str)]
    taken = {*run.held(single), *(outcome.remote_id for outcome in outcomes if isinstance(outcome, Done))}
    for place, value in values.items():
        ids = found.get(value, [])
        judged = _judged(f"{attribute} {value!r}", [ids] if isinstance(ids, str) else ids, taken, outcomes[place])
        if isinstance(judged, str):
            chosen[place] = judged
            taken.add(judged)
        else:
            outcomes[place] = judged
    return _take_over(endpoint, {place: conflicts[place] for place in chosen}, chosen, outcomes, run)


def leave_open(places: Iterable[int], outcomes: MutableSequence[Outcome | None]) -> None:
    for place in places:
        outcomes[place] = None


def _judged(what: str, ids: Sequence[str], taken: set[str | None], refusal: Outcome | None) -> str | Rejected:
    """The id to adopt, or why there is none; `refusal` is what the destination itself said."""
    if not ids:
        said = refusal.message if isinstance(refusal, Rejected) else ""
        return Rejected("uniqueness", f"refused as existing already ({said}), but no resource with {what} could be "
                                      "found to adopt; look for another value that must be unique")
    if len(ids) > 1:
        return Rejected("ambiguous", f"{len(ids)} resources have {what}, expected one to adopt; remove or rename "
                                     f"the others: {', '.join(ids[:5])}")
    if ids[0] in taken:
        return Rejected("uniqueness", f"the resource with {what} ({ids[0]}) belongs to another record already; "
                                      "two records of the source cannot share it")
    return ids[0]


def _take_over(endpoint: str, conflicts: dict[int, Revision], ids: dict[int, str],
               outcomes: MutableSequence[Outcome | None], run: Run) -> Failure:
    revisions = [(replace(change, kind=ChangeKind.UPDATE, remote_id=ids[place], version=None), content)
                 for place, (change, content) in conflicts.items()]
    try:
        revised, failure = revise(endpoint, revisions, run)
    except DestinationError as error:
        revised, failure = [], error
    for place, outcome in zip_longest(conflicts, revised):
        outcomes[place] = outcome
    return failure
