"""What was examined is proposed for, and what is proposed is tried: every candidate ends with a verdict."""

from collections.abc import Callable, Sequence

import msgspec

from penstock.advise.asking.binding import Mismatch, bind
from penstock.advise.asking.database import CannotExplain, Examined
from penstock.advise.judging.examining import Examination, first_values
from penstock.advise.judging.verdict import decide
from penstock.advise.parsing.safety import safety
from penstock.advise.proposing.propose import propose
from penstock.advise.proposing.rewrites import rewrites
from penstock.advise.trial.choosing import Means
from penstock.advise.trial.contract import Call, Seen, Tried, Work
from penstock.domain.advice import Advice, Candidate, Decision, Rewrite, Verdict

_ORDER: tuple[Decision, ...] = ("ship", "inconclusive", "reject")
MOST_CONFIRMED = 3
"""So many candidates of a statement are built on the copy; what the planner would not use is not built."""


def advise_on(found: Examination, others: Sequence[Examination], database: Examined, means: Means,
              tell: Callable[[str], None]) -> Advice:
    """The advice on one statement; `others` are its siblings, those on its tables are checked for harm."""
    proposal = propose(found.query.text, found.schema, first_values(found.statement))
    proposal = msgspec.structs.replace(proposal, rewrites=(*proposal.rewrites, *(
        rewrites(proposal.query, found.schema, found.statement) if found.query.text == found.statement.text else ())))
    notes = [*database.notes, *found.notes, *means.notes]
    verdicts: list[Verdict] = []
    candidates = proposal.candidates
    if found.trap is not None and not candidates:
        # Statistics that lead the planner into a trap speak against what would lead it out.
        candidates = tuple(each.candidate for each in proposal.rejections if each.candidate is not None)
    if found.planned and found.work.calls:
        siblings = [other.work for other in others if other.work.calls and _shares(found, other)]
        verdicts += _of_candidates(candidates, found, siblings, means, tell)
        verdicts += [_of_rewrite(each, found, database, means, tell) for each in proposal.rewrites]
    else:
        why = "its plan could not be asked for, so nothing was tried"
        verdicts += [Verdict(decision="inconclusive", reason=why, candidate=each) for each in candidates]
        verdicts += [Verdict(decision="inconclusive", reason=why, rewrite=each) for each in proposal.rewrites]
    verdicts.sort(key=lambda verdict: _ORDER.index(verdict.decision))
    return Advice(
        fingerprint=found.statement.fingerprint, text=found.statement.text, database=found.database,
        query=found.query, plans=found.plans, trap=str(found.trap) if found.trap else None, flipped=found.flipped,
        proposal=proposal, verdicts=tuple(verdicts), notes=tuple(dict.fromkeys(notes)))


def _shares(one: Examination, other: Examination) -> bool:
    return bool({*one.query.tables} & {*other.query.tables})


def _of_candidates(candidates: Sequence[Candidate], found: Examination, siblings: Sequence[Work], means: Means,
                   tell: Callable[[str], None]) -> list[Verdict]:
    """A verdict on each. What is likely is confirmed in the order proposed, until one is to be shipped."""
    verdicts = []
    for each in candidates:
        tell(f"trying {each.name} on {each.table}")
        verdicts.append(decide(each, means.likely.index(each, found.work, siblings, found.schema), found.schema)
                        if means.likely else _untried(each, means))
    if means.confirming is not None:
        tried = 0
        for place, verdict in enumerate(verdicts):
            if verdict.decision == "reject" or tried == MOST_CONFIRMED or _served(verdict, verdicts[:place]):
                continue
            tried += 1
            tell(f"building {candidates[place].name} on the copy")
            seen = means.confirming.index(candidates[place], found.work, siblings, found.schema)
            verdicts[place] = _confirmed(verdict, decide(candidates[place], seen, found.schema))
    return [_one_is_enough(verdict, verdicts[:place]) for place, verdict in enumerate(verdicts)]


def _confirmed(likely: Verdict, measured: Verdict) -> Verdict:
    """What was measured counts, unless it says nothing."""
    if measured.decision == "inconclusive" and measured.measured_after is None:
        said = f"{likely.reason}; not confirmed: {measured.reason}" if likely.by else measured.reason
        return msgspec.structs.replace(likely, reason=said)
    return measured


def _untried(candidate: Candidate, means: Means) -> Verdict:
    said = "it is measured on the copy" if means.confirming else "nothing could be tried"
    return Verdict(decision="inconclusive", reason=said, candidate=candidate)


def _served(verdict: Verdict, earlier: Sequence[Verdict]) -> bool:
    """Whether an index on the same table is to be shipped already, as far as was confirmed."""
    return any(each.decision == "ship" and each.confidence == "confirmed" and _same_table(each, verdict)
               for each in earlier)


def _one_is_enough(verdict: Verdict, earlier: Sequence[Verdict]) -> Verdict:
    first = next((each for each in earlier if each.decision == "ship" and _same_table(each, verdict)), None)
    if verdict.decision != "ship" or first is None or first.candidate is None:
        return verdict
    return msgspec.structs.replace(verdict, decision="reject", reason=f"one index is enough, and {first.candidate.name}"
                                   f" comes first; by itself: {verdict.reason}")


def _same_table(one: Verdict, other: Verdict) -> bool:
    return (one.candidate is not None and other.candidate is not None
            and (one.candidate.schema, one.candidate.table) == (other.candidate.schema, other.candidate.table))


def _of_rewrite(rewrite: Rewrite, found: Examination, database: Examined, means: Means,
                tell: Callable[[str], None]) -> Verdict:
    """A verdict on another text: measured on the copy, or else by its plan, where it takes the same values."""
    if _in_two_steps(rewrite, found, database) and means.confirming is not None:
        tell(f"comparing with {rewrite.kind}")
        try:
            tried = means.confirming.two_steps(found.work, rewrite, found.statement.most_calls)
        except Mismatch as error:
            tried = Tried(by=means.confirming.by, confidence="confirmed", fault=str(error))
        return msgspec.structs.replace(decide(None, tried, found.schema), rewrite=rewrite)
    if rewrite.after is None or not rewrite.same_parameters:
        return Verdict(decision="inconclusive", rewrite=rewrite, by="plan",
                       reason=f"it takes other values than the statement did, so it has to be measured in the job:"
                              f" {rewrite.why}")
    tell(f"comparing with {rewrite.kind}")
    try:
        after = _written_anew(rewrite, found.work, database)
        if means.confirming is not None and after.runs:
            tried = means.confirming.rewrite(found.work, after)
        else:
            seen = Seen(work=found.work, before=found.plans, after=tuple(
                database.explain(call.bound, parameters=call.label) for call in after.calls))
            tried = Tried(by="plan", confidence="likely", seen=seen, used=True)
    except (CannotExplain, Mismatch) as error:
        tried = Tried(by="plan", confidence="likely", fault=f"it cannot be explained: {error}")
    return msgspec.structs.replace(decide(None, tried, found.schema), rewrite=rewrite)


def _in_two_steps(rewrite: Rewrite, found: Examination, database: Examined) -> bool:
    """Whether it reads all keys once and then rows by nothing but these keys, and may be run."""
    values = found.work.calls[0].values if found.work.calls else None
    return (rewrite.kind == "ids_first" and rewrite.once is not None and rewrite.after is not None
            and isinstance(values, list) and found.work.runs and 0 not in rewrite.once_takes
            and all(safety(text, database.dialect).analyse for text in (rewrite.once, rewrite.after)))


def _written_anew(rewrite: Rewrite, work: Work, database: Examined) -> Work:
    """The same work by another text, which may take the same values in another order."""
    text = rewrite.after or ""
    judged = safety(text, database.dialect)
    given = [call.values if rewrite.takes == () or not isinstance(call.values, list)
             else [call.values[number - 1] for number in rewrite.takes] for call in work.calls]
    calls = tuple(Call(label=call.label, bound=bind(text, values, database.dialect), values=values)
                  for call, values in zip(work.calls, given, strict=True))
    return msgspec.structs.replace(work, calls=calls, runs=judged.analyse and work.runs, name=work.name)
