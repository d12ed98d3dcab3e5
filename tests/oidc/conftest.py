"""The small city for these tests."""

from tests.small_city import owner, small_city, small_city_template

__all__ = ["owner", "small_city", "small_city_template"]
