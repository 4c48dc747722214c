"""Deletes that were withheld: the questions with the keys that they name, to approve or to refuse."""

import msgspec

from penstock.domain.errors import UnknownApproval
from penstock.sync.deleting.approvals import Approval
from penstock.web.declared import Action, Done, NotFound, Seen, View
from penstock.web.frame import to
from penstock.web.pages.of_syncs import existing

_OF_EACH = 50
_KEYS = 200


class ApprovalsAsked(msgspec.Struct, frozen=True, kw_only=True):
    """Of one sync, or of all; `after` is the number of the last question shown, of that sync."""

    sync: str | None = None
    after: int = 0


class ApprovalShown(msgspec.Struct, frozen=True):
    """A question, or its answer, with the first few of the keys that it names, or a page of them."""

    id: int
    sync: str
    layer: str
    subject: str
    account: str
    status: str
    records: int
    reason: str
    asked_at: int
    expires_at: int
    decided_at: int | None
    decided_by: str | None
    keys: list[str]


class Approvals(msgspec.Struct, frozen=True):
    """The questions that stand, those that nobody has decided first."""

    approvals: list[ApprovalShown]
    syncs: list[str]
    next: int | None
    now: int


class OneAsked(msgspec.Struct, frozen=True, kw_only=True):
    """A question; `after` is the last key shown."""

    sync: str
    id: int
    after: str | None = None


class OneApproval(msgspec.Struct, frozen=True):
    """A question with a page of its keys."""

    approval: ApprovalShown
    next: str | None
    now: int


class Decide(msgspec.Struct, frozen=True, kw_only=True):
    """`records` is how many keys were shown to whoever decides: where there are others by now, nothing is decided."""

    sync: str
    id: int
    records: int | None = None


def load_all(seen: Seen, asked: ApprovalsAsked) -> Approvals:
    """The deletes that were withheld, and what was decided of them and is not carried out yet."""
    names = list(seen.app.syncs) if asked.sync is None else [existing(seen, asked.sync)]
    found = [each for name in names for each in seen.app.approvals_page(
        name, after=asked.after if asked.sync else 0, limit=_OF_EACH)]
    next_ = found[-1].id if asked.sync and len(found) == _OF_EACH else None
    found.sort(key=lambda each: (each.status != "asked", -each.id))
    return Approvals([_shown(seen, each) for each in found], list(seen.app.syncs), next_, seen.app.now_ms())


def load_one(seen: Seen, asked: OneAsked) -> OneApproval:
    """One question with the keys that it names, a page at a time."""
    approval = _found(seen, asked.sync, asked.id, asked.after or "", _KEYS + 1)
    keys = approval.first[:_KEYS]
    shown = msgspec.structs.replace(approval, first=keys)
    return OneApproval(_shown(seen, shown), keys[-1] if len(approval.first) > _KEYS else None, seen.app.now_ms())


def approve(seen: Seen, asked: Decide) -> Done:
    """Let the next run delete what is still absent of the keys that a question names."""
    return _decided(seen, asked, refuse=False)


def refuse(seen: Seen, asked: Decide) -> Done:
    """Keep the records, and ask no more about them for a while."""
    return _decided(seen, asked, refuse=True)


def _decided(seen: Seen, asked: Decide, *, refuse: bool) -> Done:
    approval = _found(seen, asked.sync, asked.id, "", 1)
    here = to("/approvals/{}/{}", asked.sync, asked.id)
    about, what = f"approval:{asked.id}", f"{approval.records:,} deletes of {approval.layer} ({approval.subject})"
    if asked.records is not None and asked.records != approval.records:
        return Done(f"nothing was decided: you were shown {asked.records:,} records, and by now the question names"
                    f" {approval.records:,}", here, about, before=approval.status, after=approval.status)
    seen.app.approve(asked.sync, asked.id, by=seen.person.name, refuse=refuse)
    said = f"{what} are kept, and not asked about again for a while" if refuse else \
        f"{what} are approved: the next run deletes those that are still absent"
    return Done(said, here, about, before=approval.status, after="refused" if refuse else "approved")


def _found(seen: Seen, sync: str, id: int, after: str, limit: int) -> Approval:
    try:
        return seen.app.approval(existing(seen, sync), id, after=after, limit=limit)
    except UnknownApproval as error:
        raise NotFound(f"There is no question {id}", str(error)) from None


def _shown(seen: Seen, found: Approval) -> ApprovalShown:
    return ApprovalShown(found.id, found.sync, found.layer, found.subject, found.account, found.status, found.records,
                         seen.masked(found.reason), found.asked_at, found.expires_at, found.decided_at,
                         found.decided_by, found.first)


VIEWS = [
    View(path="/approvals", asked=ApprovalsAsked, load=load_all, template="approvals/list.html",
         title="Withheld deletes", nav="approvals"),
    View(path="/approvals/{sync}/{id}", exact=True, asked=OneAsked, load=load_one, template="approvals/one.html",
         title=lambda m: f"Question {m.approval.id}", nav="approvals"),
]
ACTIONS = [
    Action(path="/approvals/{sync}/{id}/approve", asked=Decide, do=approve, scope="approve"),
    Action(path="/approvals/{sync}/{id}/refuse", asked=Decide, do=refuse, scope="approve"),
]
