"""`penstock web`: serves the dashboard, to this machine alone unless there are tokens."""

import ipaddress

import click

from penstock.cli.finding import find_app
from penstock.domain.errors import ConfigurationError


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", default=8321, show_default=True, help="The port to listen on; 0: any that is free.")
@click.option("--allow-host", "names", multiple=True, metavar="NAME",
              help="A name that it is reached by, besides those of the setting web_hosts; may be repeated.")
@click.option("--replica", metavar="URL", help="A hot standby of the store to read from, in place of the setting"
                                               " replica_url.")
@click.option("--new-token", metavar="NAME", help="Print a new token for NAME and the setting that lets it in.")
@click.option("--scope", "scopes", multiple=True, default=("read",), show_default=True,
              help="What the new token may do: read, operate, sensitive, approve; may be repeated.")
@click.pass_context
def web(context: click.Context, host: str, port: int, names: tuple[str, ...], replica: str | None,
        new_token: str | None, scopes: tuple[str, ...]) -> None:
    """Serve the dashboard, a JSON API and metrics.

    Without tokens it is for this machine alone. See docs/web.md.
    """
    try:
        from penstock.web import people
        from penstock.web.serving import serve
        from penstock.web.site import asgi, for_this_machine
    except ModuleNotFoundError as error:
        raise ConfigurationError(f"the dashboard needs {error.name}: pip install 'penstock[web]'") from None
    if new_token is not None:
        token, entry = people.new_token(new_token, tuple(dict.fromkeys(scopes)))
        click.echo(f"token, shown this once:  {token}\nsetting, one of the list: web_tokens = \"{entry}\"")
        return
    with find_app(context) as app:
        if not app.settings.web_tokens and not _is_loopback(host):
            raise ConfigurationError(f"--host {host}: others could reach the dashboard there, and it has no tokens:"
                                     " make one by `penstock web --new-token NAME` and put it into the setting"
                                     " web_tokens")
        if replica is not None:
            app.read_from(replica)
        app.check()
        if app.replica is not None:
            app.replica.check()
        site = asgi(app, hosts=(*names, host)) if app.settings.web_tokens else for_this_machine(app, names)
        serve(site, host, port, lambda url: click.echo(f"the dashboard is at {url}"))


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"
