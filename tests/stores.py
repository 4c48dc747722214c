"""Tests that one store proves: on the other they go over known ground, and do so where everything is run."""

import pytest

_THOROUGH = pytest.mark.thorough

on_sqlite = pytest.mark.parametrize("store_url", ["sqlite", pytest.param("postgres", marks=_THOROUGH)], indirect=True)
"""What is asked of no store in particular: children, servers, destinations, files."""

on_postgres = pytest.mark.parametrize("store_url", ["postgres", pytest.param("sqlite", marks=_THOROUGH)], indirect=True)
"""What can go wrong only where several write at once, or a server is far away."""
