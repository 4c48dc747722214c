"""The dashboard: pages, a JSON API and live updates over what the app can tell, for any ASGI server."""

from penstock.web.site import asgi

__all__ = ["asgi"]
