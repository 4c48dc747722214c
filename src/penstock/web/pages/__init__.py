"""The pages: one module for each thing that people look at, which declares what it shows and what can be done there.

To add a page, write `pages/things.py` and name it in `PAGES` below:

    class Asked(msgspec.Struct, frozen=True, kw_only=True):
        'The filters, which are the query string; path parameters go by the same names.'

        state: str | None = None
        before: int | None = None

    class Things(msgspec.Struct, frozen=True):
        'All that the template shows, and what the API gives: values, no HTML.'

        things: list[Thing]

    def load(seen: Seen, asked: Asked) -> Things:          # annotated: OpenAPI goes by it
        'What is said of it in the description of the API.'
        return Things(seen.app.things(asked.state, before=asked.before))

    VIEWS = [View(path="/things", asked=Asked, load=load, template="things/list.html", title="Things", nav="things",
                  live=2.0)]
    ACTIONS = [Action(path="/things/{id}/stop", asked=OneThing, do=stop)]
    FILES = []                                              # optional: what can be downloaded

`load` and `do` run on a thread and hold neither SQL nor rules: they ask the app. A load goes by `seen.may(…)` alone,
never by the person's name, for what it gives is shared by all who have the same scopes. What has the names of secrets
in it goes through `seen.masked` (texts) or `seen.masked_json` (arguments, results). A name that may hold a slash (a
subject, the key of a record) travels in the query string, or last in a path as `{key:path}`. `penstock.web.nav` has the
entries of the navigation; one shows as soon as there is a page of its path.

A template extends `base.html`, fills its block `content`, and takes its shapes from `parts.html`, which says what there
is. It has the model as `m` and what was asked as `asked`:

    {% extends "base.html" %}
    {% import "parts.html" as p %}
    {% block content %}
    {% call p.live("things") %}
      {% if m.things %}
        {% call p.table(["Thing", "State", ">Size"]) %}
          {% for each in m.things %}
            <tr id="thing-{{ each.id }}"><td><a href="{{ link("/things/{}", each.id) }}">{{ each.name }}</a></td>
              <td>{{ p.state(each.state) }}</td><td class="num">{{ p.bytes(each.size) }}</td></tr>
          {% endfor %}
        {% endcall %}
      {% else %}
        {{ p.empty("No things yet", "A thing comes of …", "penstock thing add") }}
      {% endif %}
    {% endcall %}
    {% endblock %}

Every link is made by `link(path, *segments, **query)`, which knows where the site is mounted, or by `here(**changes)`:
this page with some of its filters changed. What stands in a `live` region is exchanged while people look: rows have an
`id`, so that focus, selection and ticked boxes stay where they are. No style and no script stands in a page: the
stylesheet has classes, and a section of its own for a page that needs more.

A page is tested by `client` of tests/web/conftest.py, which is a browser on the real site of `app`, on both stores:

    def test_things_are_listed(app, client):
        …
        page = client.get("/things?state=new")
        assert page.status_code == 200 and "thing-7" in page.text
        assert client.get("/api/v1/things").json() == …
        client.post_form("/things/7/stop", {})              # with the token against forgery, as a form of the page has
"""

from types import ModuleType

from penstock.web.declared import Declared
from penstock.web.pages import (
    advice,
    alerts,
    approvals,
    batches,
    job,
    job_acts,
    jobs,
    journal,
    limits,
    overview,
    periodic,
    queues,
    records,
    runs,
    slow,
    subjects,
    syncs,
    tasks,
    traces,
    windows,
    workers,
)

PAGES: tuple[ModuleType, ...] = (
    overview,
    jobs,
    job,
    job_acts,
    batches,
    queues,
    workers,
    periodic,
    syncs,
    subjects,
    runs,
    records,
    approvals,
    windows,
    limits,
    tasks,
    traces,
    slow,
    advice,
    alerts,
    journal,
)


def declared() -> Declared:
    """What all pages declare, in the order of their modules."""
    return Declared(views=tuple(view for page in PAGES for view in getattr(page, "VIEWS", ())),
                    actions=tuple(action for page in PAGES for action in getattr(page, "ACTIONS", ())),
                    files=tuple(file for page in PAGES for file in getattr(page, "FILES", ())))
