"""`penstock jobs`, `enqueue`, `invalidate` and `prune`, on a program as somebody might write it."""

import io
import json
import re
import sys
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from penstock import Retention, RetryPolicy
from penstock.testing import drain
from tests.cli.conftest import Command, Written

APP = '''
from typing import Annotated
from penstock import Penstock, Retention, RetryPolicy, Secret

app = Penstock()


@app.task(name="mail", queue="post", retry=RetryPolicy(max_attempts=1))
def mail(to: str, copies: int = 1, key: Annotated[str, Secret] = "") -> None:
    if to == "nobody":
        raise ValueError("has no address")
'''


@pytest.fixture
def penstock(written: Written) -> Iterator[Command]:
    command = written("posting", APP)
    yield command
    if "posting" in sys.modules:
        sys.modules["posting"].app.close()


@pytest.fixture
def app(penstock: Command) -> Any:
    assert penstock("jobs")[0] == 0
    return sys.modules["posting"].app


def states(app: Any) -> dict[int, str]:
    return {job.id: job.state for job in app.jobs().jobs}


class TestEnqueue:
    def test_a_job_is_enqueued_with_its_options_and_shown(self, penstock: Command):
        code, out, err = penstock("enqueue", "mail", '{"to": "ann", "key": "hunter2"}', "--in", "1h", "--tag", "letter",
                                  "--priority", "5", "--queue", "slow")
        assert (code, out, err) == (0, "job 1 of task mail is enqueued\n", "")
        (job,) = json.loads(penstock("jobs", "--json")[1])["jobs"]
        assert (job["queue"], job["priority"], job["tags"], job["state"]) == ("slow", 5, ["letter"], "scheduled")
        out = penstock("jobs", "show", "1")[1]
        assert ("hunter2" in out, "letter" in out, "due" in out) == (False, True, True)
        assert "hunter2" in penstock("jobs", "show", "1", "--reveal")[1]

    def test_an_array_is_arguments_in_their_order(self, penstock: Command):
        penstock("enqueue", "mail", '["ann", 3]')
        assert '{"to":"ann","copies":3}' in penstock("jobs", "show", "1")[1]

    def test_with_unique_a_double_is_skipped(self, penstock: Command):
        penstock("enqueue", "mail", '{"to": "ann"}', "--unique")
        assert penstock("enqueue", "mail", '{"to": "ann"}', "--unique")[1] == (
            "job 1 of task mail is there already, with the same unique key\n")

    @pytest.mark.parametrize(("arguments", "says"), [
        (["mial"], "declares no task 'mial'; did you mean 'mail'"), (["mail"], "missing a required argument: 'to'"),
        (["mail", '{"to": 7}'], "Expected `str`, got `int`"), (["mail", "{to: 7}"], "expected arguments as JSON"),
        (["mail", "7"], "expected a JSON object"), (["mail", '{"to": "a", "cc": "b"}'], "keyword argument 'cc'"),
        (["mail", "{}", "--in", "soon"], "expected a time such as"),
        (["mail", "{}", "--in", "1h", "--at", "x"], "got both"),
        (["mail", "{}", "--at", "noon"], "expected a moment"), (["mail", "{}", "--tag", ""], "expected a tag"),
    ])
    def test_what_does_not_fit_is_refused_and_says_what_was_expected(self, penstock: Command, arguments: list[str],
                                                                    says: str):
        code, out, err = penstock("enqueue", *arguments)
        assert (code, out) == (2, "")
        assert says in err
        assert json.loads(penstock("jobs", "--json")[1])["jobs"] == []

    def test_each_line_of_stdin_is_a_job(self, penstock: Command, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(sys, "stdin", io.StringIO('{"to": "ann"}\n\n["bob"]\n'))
        assert penstock("enqueue", "mail", "-") == (0, "2 jobs of task mail are enqueued\n", "")

    def test_a_line_that_does_not_fit_names_itself_and_what_was_done(self, penstock: Command,
                                                                    monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr("penstock.cli.enqueue._TOGETHER", 2)
        monkeypatch.setattr(sys, "stdin", io.StringIO('{"to": "a"}\n{"to": "b"}\n{"to": "c"}\n{"to": 4}\n'))
        code, out, err = penstock("enqueue", "mail", "-")
        assert (code, out) == (1, "")
        assert "line 4: " in err
        assert "2 jobs of lines before line 3 are enqueued" in err
        assert len(json.loads(penstock("jobs", "--json")[1])["jobs"]) == 2


class TestJobs:
    def test_jobs_are_listed_by_what_they_are(self, penstock: Command, app: Any):
        assert penstock("jobs")[1] == "no jobs\n"
        for to in ("ann", "nobody"):
            penstock("enqueue", "mail", json.dumps({"to": to}))
        drain(app, raising=False)
        out = penstock("jobs")[1]
        assert re.fullmatch(r"ID +STATE +TASK +QUEUE +ATTEMPT +ENQUEUED +WHEN +ERROR\n"
                            r"2 +discarded +mail +post +1/1 +[-0-9: ]+ended [-0-9: ]+ValueError\n"
                            r"1 +completed +mail +post +1/1 +[-0-9: ]+ended [-0-9: ]+-\n", out)
        assert penstock("jobs", "--state", "cancelled")[1] == "no jobs with state=cancelled\n"
        (failed,) = json.loads(penstock("jobs", "--error-class", "ValueError", "--since", "2h", "--json")[1])["jobs"]
        assert failed["id"] == 2
        assert json.loads(penstock("jobs", "--until", "2020-01-01T00:00", "--json")[1])["jobs"] == []
        shown = penstock("jobs", "show", "2")[1]
        assert ("Traceback" in shown, "has no address" in shown) == (True, True)

    def test_each_attempt_that_failed_is_told_of(self, penstock: Command, app: Any):
        @app.task(name="flaky", retry=RetryPolicy(max_attempts=2))
        def flaky() -> None:
            raise ValueError("no luck")

        flaky.enqueue()
        drain(app, raising=False)
        assert penstock("jobs", "run-now", "1")[0] == 0
        drain(app, raising=False)
        shown = penstock("jobs", "show", "1")[1]
        assert re.findall(r"^[-0-9: ]{19}  attempt (\d) failed: ValueError: no luck$", shown, re.M) == ["1", "2"]
        found = json.loads(penstock("jobs", "show", "1", "--json")[1])["failures"]
        assert [(each["attempt"], each["error_class"], "Traceback" in each["error"]) for each in found] == [
            (2, "ValueError", True), (1, "ValueError", True)]

    def test_a_page_says_where_the_next_one_begins(self, penstock: Command, app: Any):
        app.enqueue_many([app.tasks["mail"].call("ann") for _ in range(3)])
        _, out, err = penstock("jobs", "--limit", "2")
        assert len(out.splitlines()) == 3
        after = re.search(r"--after (\S+)", err)
        assert after is not None
        assert penstock("jobs", "--limit", "2", "--after", after[1])[1].splitlines()[1].startswith("1 ")

    def test_a_job_that_is_not_there_is_an_error(self, penstock: Command):
        code, out, err = penstock("jobs", "show", "7")
        assert (code, out) == (1, "")
        assert "there is no job 7" in err

    @pytest.mark.parametrize("arguments", [["--since", "yesterday"], ["--state", "done"], ["--limit", "0"]])
    def test_what_is_no_filter_is_refused(self, penstock: Command, arguments: list[str]):
        assert penstock("jobs", *arguments)[0] == 2


class TestActs:
    @pytest.fixture
    def jobs(self, app: Any) -> list[int]:
        return [job.id for job in app.enqueue_many([app.tasks["mail"].call("nobody") for _ in range(3)])]

    def test_jobs_are_named_by_their_ids(self, penstock: Command, app: Any, jobs: list[int]):
        assert penstock("jobs", "cancel", "1", "2", "--reason", "no stamps")[:2] == (0, "2 jobs are cancelled\n")
        assert app.job(1).error == "no stamps"
        assert penstock("jobs", "discard", "3")[1] == "1 job is discarded\n"
        code, out, err = penstock("jobs", "run-now", "1")
        assert (code, out) == (1, "1 job refused\n")
        assert "in no state for it" in err
        assert penstock("jobs", "retry", "1", "3")[1] == "2 jobs are retried\n"
        assert states(app) == {1: "available", 2: "cancelled", 3: "available"}

    def test_all_that_match_are_meant_only_with_a_yes(self, penstock: Command, app: Any, jobs: list[int]):
        drain(app, raising=False)
        asked = ["jobs", "retry", "--all-matching", "--state", "discarded", "--error-class", "ValueError"]
        code, out, err = penstock(*asked)
        assert (code, out) == (2, "")
        assert "expected --yes, since there is no terminal" in err
        assert "retry 3 jobs" in err
        assert states(app) == dict.fromkeys(jobs, "discarded")
        assert penstock(*asked, "--yes") == (0, "3 jobs are retried\n", "")
        assert states(app) == dict.fromkeys(jobs, "available")
        assert penstock(*asked, "--yes")[1] == "nothing to do: no job matches\n"

    def test_a_person_is_asked_with_the_count(self, penstock: Command, app: Any, jobs: list[int],
                                              monkeypatch: pytest.MonkeyPatch):
        asked = ["jobs", "cancel", "--all-matching", "--state", "available", "--task", "mail"]
        for answer, expected in (("n\n", "available"), ("y\n", "cancelled")):
            terminal = io.StringIO(answer)
            monkeypatch.setattr(terminal, "isatty", lambda: True)
            monkeypatch.setattr(sys, "stdin", terminal)
            assert "cancel 3 jobs with state=available task=mail?" in penstock(*asked)[2]
            assert states(app) == dict.fromkeys(jobs, expected)

    @pytest.mark.parametrize(("arguments", "says"), [
        ([], "got neither"), (["1", "--state", "available"], "got both"), (["1", "--all-matching"], "got both"),
        (["--all-matching"], "expected --state beside it"), (["--task", "mail"], "got neither"),
        (["--all-matching", "--state", "completed"], "got completed"),
    ])
    def test_it_has_to_be_said_which(self, penstock: Command, arguments: list[str], says: str):
        code, _, err = penstock("jobs", "discard", *arguments)
        assert (code, says in err) == (2, True)


def test_jobs_of_a_tag_are_invalidated(penstock: Command, app: Any):
    penstock("enqueue", "mail", '{"to": "ann"}', "--tag", "offer:7")
    code, out, _ = penstock("invalidate", "offer:7")
    assert (code, "offer:7" in out) == (0, True)
    drain(app)
    assert states(app) == {1: "cancelled"}
    assert penstock("invalidate")[0] == 2


def test_what_is_past_its_time_is_removed(penstock: Command, app: Any):
    assert penstock("prune")[:2] == (0, "nothing to remove\n")

    @app.task(name="short", retention=Retention(completed=timedelta(0), slow=timedelta(0)))
    def short() -> None: ...

    short.enqueue()
    app.enqueue_many([app.tasks["mail"].call("ann") for _ in range(2)])
    app.cancel(2)
    drain(app)
    assert re.fullmatch(r"1 (finished jobs|whole parts of the finished jobs)\n", penstock("prune")[1])
    assert states(app) == {2: "cancelled", 3: "completed"}
