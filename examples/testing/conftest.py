import pytest


@pytest.fixture(scope="session")
def penstock_app_path():
    return "shop:app"
