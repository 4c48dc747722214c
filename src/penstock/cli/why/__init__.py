"""`penstock why`: why a job or a subject waits, why a task is slow, and why a record was sent, or not."""

import click

from penstock.admission.why import Answer
from penstock.cli import completing
from penstock.cli.documents import TIMES, json_option
from penstock.cli.finding import find_app
from penstock.cli.why import record, slow, waiting
from penstock.domain.errors import ConfigurationError
from penstock.observe.summary import Summary
from penstock.sync.telling.told import Why


def _begun(context: click.Context, parameter: click.Parameter, begun: str) -> list[str]:
    """Only what stands first is a name of the app's."""
    return [] if context.params.get("what") else completing.work(context, parameter, begun)


@click.command()
@click.argument("what", nargs=-1, required=True, metavar="JOB | TASK | NAME SUBJECT [LAYER KEY]",
                shell_complete=_begun)
@click.option("--remote", is_flag=True, help="Of a record: ask the destination too, what it holds now.")
@click.option("--show-values", is_flag=True, help="Of a record: show what is in the fields, and not only their names.")
@json_option(Answer, Summary, Why, says=TIMES)
@click.pass_context
def why(context: click.Context, what: tuple[str, ...], remote: bool, show_values: bool, as_json: bool) -> None:
    """Say why a JOB waits, why a TASK is slow, why the subject of a sync waits, or why a record was sent, or not.

    A JOB is a number; a TASK is the name of a task, a sync or any trace. A KEY of several fields is a JSON array, or
    has commas between. Nothing is written.
    """
    if len(what) not in (1, 2, 4):
        raise ConfigurationError(f"expected JOB, TASK, NAME SUBJECT, or NAME SUBJECT LAYER KEY, got {' '.join(what)!r}")
    if len(what) < 4 and (remote or show_values):
        raise ConfigurationError("--remote and --show-values are about a record: expected NAME SUBJECT LAYER KEY")
    with find_app(context) as app:
        app.check()
        if len(what) == 4:
            record.say(app, *what, remote=remote, show_values=show_values, as_json=as_json)
        elif len(what) == 2:
            waiting.say(app.why_run(*what), as_json)
        elif not what[0].isdecimal():
            slow.say(app.why_slow(what[0]), as_json)
        else:
            waiting.say(app.why_job(int(what[0])), as_json)
