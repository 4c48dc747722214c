"""Renders templates: everything is escaped, an unknown name is an error, and a link knows where the site is mounted."""

import hashlib
import re
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup, escape

from penstock.web import charts, pictures, words
from penstock.web.declared import View
from penstock.web.frame import FRAME, Frame, here, link
from penstock.web.nav import NAV

FOLDER = Path(__file__).parent
STATIC = FOLDER / "static"
_NAMED = re.compile(r"\b(job|batch) (\d{1,18})\b", re.IGNORECASE)


class Templates:
    """The templates of one site, whose navigation shows what there are pages for."""

    def __init__(self, paths: frozenset[str]) -> None:
        self._environment = _environment(paths)

    def page(self, frame: Frame, template: str, title: str, nav: str, m: Any, asked: Any = None) -> str:
        """A whole page. The template has its model as `m`, and what was asked for as `asked`."""
        token = FRAME.set(frame)
        try:
            return self._environment.get_template(template).render(m=m, asked=asked, title=title, nav_name=nav)
        finally:
            FRAME.reset(token)

    def regions(self, frame: Frame, view: View[Any, Any], m: Any, asked: Any) -> dict[str, str]:
        """The inner HTML of each live region of a page, by its id."""
        self.page(frame, view.template, title_of(view, m), view.nav, m, asked)
        return frame.regions


@lru_cache(4)
def _environment(paths: frozenset[str]) -> jinja2.Environment:
    """Sites with the same pages share it, and with it the templates that were compiled."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER / "templates"), autoescape=True, auto_reload=False,
        undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        extensions=["jinja2.ext.loopcontrols"])
    shown = [(group, listed) for group, entries in NAV
             if (listed := [entry for entry in entries if entry.path in paths])]
    made.globals.update(
        link=link, here=here, frame=FRAME.get, nav=shown, words=words, charts=charts, pictures=pictures,
        asset=asset, region=_region, may=_may, linked=linked, Part=charts.Part, Column=charts.Column)
    return made


def title_of(view: View[Any, Any], m: Any) -> str:
    return view.title if isinstance(view.title, str) else view.title(m)


def _region(id: str, html: Markup) -> Markup:
    FRAME.get().regions[id] = str(html)
    return html


def _may(scope: str) -> bool:
    return scope in FRAME.get().person.scopes


def linked(text: str) -> Markup:
    """A text in which `job 7` and `batch 3` lead to their pages."""
    def led(found: re.Match[str]) -> str:
        path = "/jobs/{}" if found[1].lower() == "job" else "/batches/{}"
        return f'<a href="{escape(link(path, found[2]))}">{found[0]}</a>'

    return Markup(_NAMED.sub(led, str(escape(text))))


def asset(name: str) -> str:
    """The URL of a file of `static/`, which changes with its content, so that browsers may keep it for ever."""
    return link("/static/{}", name, v=_version(name))


@cache
def _version(name: str) -> str:
    return hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]
