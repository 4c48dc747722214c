"""The pages mention every command, every option, every setting and every event, and none that there is not."""

import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from penstock import events
from penstock.config import Settings
from penstock.events import FREQUENT, Event
from tests.cli.tree import commands, options
from tools import commands_page

DOCS = Path(__file__).parents[2] / "docs"
CLI = (DOCS / "cli.md").read_text("utf-8")
FRONT, WRITTEN = CLI.split(commands_page.BEGINS)
SECTIONS = dict(re.findall(r"^#{3,} ([a-z -]+)\n(.*?)(?=^##|\Z)", WRITTEN, re.DOTALL | re.MULTILINE))
SETTINGS = {name: default for name, default, _ in re.findall(
    r"^\| `(\w+)` \| (.*?) \| (.+) \|$", (DOCS / "settings.md").read_text("utf-8"), re.MULTILINE)}
EVENTS = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", (DOCS / "events.md").read_text("utf-8"), re.MULTILINE))
CATALOGUE = [each for each in vars(events).values()
             if isinstance(each, type) and issubclass(each, Event) and each is not Event]
TREE = {path: command for path, command in commands() if path}


def test_every_command_has_a_section_and_no_other():
    assert set(SECTIONS) == set(TREE)


@pytest.mark.parametrize("path", sorted(TREE))
def test_a_section_says_every_option_and_no_other(path: str):
    said = set(re.findall(r"`(--[a-z-]+)", "\n".join(line for line in SECTIONS[path].splitlines()
                                                     if line.startswith("| `"))))
    assert said == {name for name in options(TREE[path]) if name.startswith("--")} - commands_page.EVERYWHERE


def test_what_holds_for_all_commands_is_said_once():
    (root,) = (command for path, command in commands() if not path)
    for name in (*options(root), *commands_page.EVERYWHERE, "--help"):
        assert name in FRONT, name


def test_the_sections_say_what_the_commands_say():
    assert commands_page.body() == WRITTEN.removeprefix("\n"), "write them again: python tools/commands_page.py"


def test_every_setting_has_a_line_and_no_other():
    assert set(SETTINGS) == {each.name for each in fields(Settings)} - {"now"}  # which is for tests alone


@pytest.mark.parametrize("name", sorted(SETTINGS))
def test_a_setting_is_said_with_its_default(name: str):
    default, said = getattr(Settings(), name), SETTINGS[name].strip("`")
    if name == "web_masked":  # too long for a table
        return
    expected: Any = "none" if default is None else "true" if default is True else default
    assert said == (f"{expected:g}" if isinstance(expected, float) else str(expected))


def test_every_event_of_the_one_catalogue_has_a_line_and_no_other():
    assert {each.__module__ for each in kinds()} == {"penstock.events"}
    assert set(EVENTS) == {each.__name__ for each in CATALOGUE}


@pytest.mark.parametrize("kind", CATALOGUE)
def test_an_event_is_said_with_all_that_it_says(kind: type[Event]):
    assert [field.name for field in fields(kind) if f"`{field.name}`" not in EVENTS[kind.__name__]] == []
    assert ("frequent" in EVENTS[kind.__name__]) == (kind in FREQUENT)


def kinds(of: type[Event] = Event) -> list[type[Event]]:
    return [each for child in of.__subclasses__() if child.__module__.startswith("penstock.")
            for each in (child, *kinds(child))]
