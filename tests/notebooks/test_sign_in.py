"""Signing in from a notebook at the running app: exact figures of the own territory, and only those."""

from __future__ import annotations

import pytest

from maps.errors import NotebookSessionError
from maps.notebook import City
from tests.small_city import PASSWORD


@pytest.fixture(autouse=True)
def _own_database(served, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", served.city.url)
    monkeypatch.delenv("HEXWARD_TOKEN", raising=False)


def test_a_manager_gets_the_own_district_exactly(served):
    city = City.sign_in("manager", PASSWORD, app=served.url, lang="en")
    own = city.layer("residents", "grid")
    assert len(own)
    assert not own["withheld"].any()
    everybody = City.sign_in("steward", PASSWORD, app=served.url).layer("residents", "grid")
    assert set(own.index) < set(everybody.index)
    assert (everybody.loc[own.index, "value"] == own["value"]).all()


def test_an_analyst_gets_the_published_figures(served):
    city = City.sign_in("analyst", PASSWORD, app=served.url)
    shown = city.layer("residents", resolution=10)["value"].dropna()
    assert shown.empty or shown.min() >= 13


def test_the_door_stays_shut(served):
    with pytest.raises(NotebookSessionError):
        City.sign_in("manager", "not the password", app=served.url)
    with pytest.raises(NotebookSessionError):
        City.sign_in("demo:administrator", app=served.url)  # a role that has no demo account
