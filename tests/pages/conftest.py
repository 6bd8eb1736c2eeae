"""Pages on an office of their own, as the API's tests have it."""

import pytest

from tests.api.conftest import app as app
from tests.api.conftest import office as office
from tests.api.office import Office
from tests.pages.visitor import Visitor


@pytest.fixture
def visitor(office: Office) -> Visitor:
    """A browser in which nobody is signed in."""
    return Visitor(office.app)
