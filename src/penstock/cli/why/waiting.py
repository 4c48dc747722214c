"""Why a job or a subject waits, in lines."""

import sys

import click

from penstock.admission.why import Answer
from penstock.cli.documents import say_json

_WIDTH = 13


def say(answer: Answer, as_json: bool) -> None:
    """Print an answer. Ends with 1 where nothing is known of what was asked about."""
    if as_json:
        say_json(answer)
    else:
        click.echo(answer.about)
        click.echo(f"  {answer.state + ':':<{_WIDTH}} {answer.reason}")
        for fact in answer.facts:
            click.echo(f"  {fact.what + ':':<{_WIDTH}} {fact.says}")
    if answer.waits == "unknown":
        sys.exit(1)
