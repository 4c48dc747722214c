"""What comes before every command: the list, what is mistyped, colours, exit codes, and what is not imported."""

import json
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from penstock.cli import cli, colours, exits
from penstock.cli.commands import GROUPS, LISTED
from tests.cli.tree import JSON, commands, options, schema_of

PAGE = (Path(__file__).parents[2] / "docs" / "cli.md").read_text("utf-8")
SILENT = {"completion", "dev", "web", "worker"}
"""Commands that print no answer: they serve until they are stopped and log, or write a shell's script."""


def test_every_command_that_is_listed_is_there_and_says_what_it_does():
    for path, command in commands():
        assert command.help, path
    assert len(LISTED) == sum(map(len, GROUPS.values())), "a command in two groups"
    assert {path for path, _ in commands() if path and " " not in path} == set(LISTED)


def test_help_lists_the_commands_by_what_people_want_to_do():
    out = CliRunner().invoke(cli, ["--help"]).output
    places = [out.index(f"\n{title}:\n") for title in GROUPS]
    assert places == sorted(places)
    for name, listed in LISTED.items():
        assert re.search(rf"^  {name} +{re.escape(listed.says)}$", out, re.MULTILINE), name


def test_help_and_a_mistyped_command_import_no_command_and_no_app():
    code = ("import sys; from click.testing import CliRunner; from penstock.cli import cli;"
            "CliRunner().invoke(cli, sys.argv[1:]);"
            "print([name for name in sys.modules if name.startswith('penstock.')"
            " and name not in ('penstock.cli', 'penstock.cli.commands', 'penstock.cli.ending', 'penstock.cli.exits')"
            " and not name.startswith('penstock.domain')])")
    for arguments in (["--help"], ["--version"], ["wroker"]):
        told = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
        assert told.stdout == "[]\n", arguments


def test_a_command_imports_no_other():
    code = ("import sys; from click.testing import CliRunner; from penstock.cli import cli;"
            "CliRunner().invoke(cli, ['limits', '--help']);"
            "print(*sorted(name for name in sys.modules if name.startswith('penstock.cli.')))")
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "penstock.cli.limits" in told
    assert not {f"penstock.cli.{each.module}" for each in LISTED.values()} & set(told) - {"penstock.cli.limits"}


@pytest.mark.parametrize("group", ["state", "jobs", "queues", "limits", "periodic", "config"])
def test_what_is_said_of_a_command_is_a_sentence(group: str):
    out = CliRunner().invoke(cli, [group, "--help"]).output
    listed = re.split(r"\n  (?=[a-z])", out.split("Commands:", 1)[1])[1:]
    assert listed
    for each in listed:
        assert each.rstrip().endswith("."), each
        assert "..." not in each


@pytest.mark.parametrize(("typed", "said"), [
    (["wroker"], "No such command 'wroker'. Did you mean 'worker'?"),
    (["snyc", "people"], "No such command 'snyc'. Did you mean 'sync'?"),
    (["xyzzy"], "No such command 'xyzzy'. `penstock --help` lists them."),
    (["worker", "--max-runtme", "3"], "No such option '--max-runtme'. Did you mean '--max-runtime'?"),
    (["queues", "puase", "x"], "No such command 'puase'. Did you mean 'pause'?"),
    (["traces", "--by", "totl"], "'totl' is not one of"),
])
def test_what_is_mistyped_is_guessed(typed: list[str], said: str):
    found = CliRunner().invoke(cli, typed)
    assert (found.exit_code, found.stdout) == (2, "")
    assert said in found.stderr


@pytest.mark.parametrize(("refused", "environment", "expected"), [
    (False, {}, None), (False, {"NO_COLOR": ""}, None), (False, {"NO_COLOR": "1"}, False),
    (False, {"FORCE_COLOR": "1"}, True), (False, {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
    (True, {"FORCE_COLOR": "1"}, False),
])
def test_colours(refused: bool, environment: dict[str, str], expected: bool | None):
    assert colours(refused, environment) is expected


@pytest.mark.parametrize(("arguments", "environment", "coloured"), [
    (["plan", "x"], {}, False), (["plan", "x"], {"FORCE_COLOR": "1"}, True),
    (["plan", "x", "--no-color"], {"FORCE_COLOR": "1"}, False),
    (["--no-color", "plan", "x"], {"FORCE_COLOR": "1"}, False),
    (["plan", "x"], {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
])
def test_errors_are_coloured_only_where_that_is_wanted(arguments: list[str], environment: dict[str, str],
                                                       coloured: bool, tmp_path: Path,
                                                       monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    for name in ("NO_COLOR", "FORCE_COLOR", "PENSTOCK_APP"):
        monkeypatch.delenv(name, raising=False)
    found = CliRunner().invoke(cli, arguments, env=environment)
    assert found.exit_code == exits.WRONG
    assert click.unstyle(found.stderr).startswith("error: expected an app, got none")
    assert (found.stderr != click.unstyle(found.stderr)) == coloured


def test_what_follows_two_dashes_is_no_option():
    found = CliRunner().invoke(cli, ["queues", "pause", "--", "--no-color"])
    assert found.exit_code == exits.WRONG
    assert "unexpected" not in found.stderr


def test_the_page_says_every_exit_code_and_no_other():
    (table,) = re.findall(r"^\| Code \|.*?\n\n", PAGE, re.DOTALL | re.MULTILINE)
    known = {value for name, value in vars(exits).items() if name.isupper()}
    assert {int(code) for code in re.findall(r"^\| (\d+) \|", table, re.MULTILINE)} == known


def test_every_command_that_prints_something_prints_it_as_json_too():
    for path, command in commands():
        acts = not isinstance(command, click.Group) or command.invoke_without_command
        if path and acts and path.split()[0] not in SILENT:
            assert {"--json", "--json-schema"} <= set(options(command)), path


@pytest.mark.parametrize("path", sorted(JSON))
def test_the_schema_is_printed_and_is_one(path: str):
    import jsonschema

    found = CliRunner().invoke(cli, [*path.split(), "--json-schema"])
    assert found.exit_code == 0, found.output
    printed = json.loads(found.stdout)
    assert printed["title"] == f"penstock {path} --json"
    jsonschema.Draft202012Validator.check_schema(printed)
    assert set(printed["$defs"]) == set(schema_of(path)["$defs"])
