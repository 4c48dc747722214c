"""`penstock completion`: what a shell has to be told so that it completes commands, options and names."""

import click
from click.shell_completion import get_completion_class

from penstock.cli import cli
from penstock.cli.choice import Choice

_HOW = {
    "bash": "~/.bashrc:  eval \"$(penstock completion bash)\"",
    "zsh": "~/.zshrc:  eval \"$(penstock completion zsh)\"",
    "fish": "~/.config/fish/completions/penstock.fish:  penstock completion fish | source",
}


@click.command(epilog="\b\nOne line makes it last:\n" + "\n".join(f"  {line}" for line in _HOW.values()))
@click.argument("shell", type=Choice(tuple(_HOW)))
def completion(shell: str) -> None:
    """Print the script by which SHELL completes commands, options, and the names of tasks, syncs and queues."""
    kind = get_completion_class(shell)
    assert kind is not None
    script = kind(cli, {}, "penstock", "_PENSTOCK_COMPLETE").source()
    click.echo(script.replace('string split ","', 'string split -m 1 ","'))  # or fish ends what it says at a comma
