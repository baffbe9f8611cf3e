"""`CLEW_INTROSPECTION`."""

from __future__ import annotations

import json

import pytest

from clew import Viewer
from clew.config import Settings
from clew.engine import Request
from clew.errors import StartupError
from tests.shop import Shop


@pytest.mark.anyio
@pytest.mark.parametrize("document", ["{ __schema { queryType { name } } }", '{ a: __type(name: "Person") { name } }'])
async def test_introspection_can_be_turned_off(document: str, shop: Shop) -> None:
    for allowed in (True, False):
        settings = Settings.model_validate({"DATABASE_URL": shop.url, "introspection": allowed})
        response = await shop.clew.asgi(settings).engine.execute(Request(document), Viewer.admin())
        found = json.loads(response.body)
        assert ("data" in found) is allowed
        if not allowed:
            assert found["errors"][0]["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"


@pytest.mark.anyio
async def test_type_names_are_no_introspection(shop: Shop) -> None:
    settings = Settings.model_validate({"DATABASE_URL": shop.url, "introspection": False})
    response = await shop.clew.asgi(settings).engine.execute(
        Request("{ __typename viewer { __typename } }"), Viewer.admin()
    )
    assert json.loads(response.body) == {"data": {"__typename": "Query", "viewer": {"__typename": "Viewer"}}}


def test_a_setting_that_is_not_supported_yet_is_refused(shop: Shop) -> None:
    settings = Settings.model_validate({"DATABASE_URL": shop.url, "trusted_only": True})
    with pytest.raises(StartupError, match="CLEW_TRUSTED_ONLY is not supported yet"):
        shop.clew.asgi(settings)
