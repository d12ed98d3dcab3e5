"""The small city and a server over it, for these tests."""

from tests.server import browser, served
from tests.small_city import owner, small_city, small_city_template

__all__ = ["browser", "owner", "served", "small_city", "small_city_template"]
