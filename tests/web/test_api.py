"""/api keeps its own description, whatever it is asked: fuzzed by schemathesis, a bounded number of times."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from page_scene import CONTROL, LOOK, Scene, scene
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from starlette.testclient import TestClient

from keeper.core.units import WAD
from keeper.web.app import build

EXAMPLES = 40
BASE = "http://127.0.0.1:8520"


def whole() -> tuple[Scene, Any, Any]:
    night = asyncio.run(scene(Path(tempfile.mkdtemp(prefix="pk")), control=True))
    app, door = build([night.sight], night.access)
    return night, app, door


NIGHT, APP, DOOR = whole()
SCHEMA = schemathesis.openapi.from_dict(APP.openapi())


@pytest.mark.slow
@SCHEMA.parametrize()
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
    derandomize=True,
)
def test_what_is_asked_at_random_is_answered_as_described(case: schemathesis.Case) -> None:
    """No 500, no status, type or shape that its description does not name; with both tokens, so all is reached."""
    with TestClient(DOOR, base_url=BASE) as client:
        given = {"Authorization": f"Bearer {LOOK}"} | ({"X-Control-Token": CONTROL} if case.method == "POST" else {})
        query = {k: v for k, v in (case.query or {}).items() if v is not None}
        body = case.body if isinstance(case.body, dict | list | str | int | float | bool) else None
        answer = client.request(case.method, case.formatted_path, params=query, json=body, headers=given)
        case.validate_response(
            schemathesis.Response.from_any(answer),
            checks=[not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance],
        )


@pytest.fixture
def client() -> Any:
    return TestClient(DOOR, base_url=BASE, headers={"Authorization": f"Bearer {LOOK}"})


def test_the_description_is_served_to_who_may_look(client: TestClient) -> None:
    """With every path under /api, the tokens, and the faults."""
    found = client.get("/api/openapi.json").json()
    paths = {"/api/chains", "/api/glance", "/api/history", "/api/decisions", "/api/transactions"}
    assert set(found["paths"]) == paths | {"/api/control", "/api/panic", "/healthz", "/readyz"}
    assert found["openapi"].startswith("3.1")
    assert {"401", "404", "503"} <= set(found["paths"]["/api/glance"]["get"]["responses"])


def test_figures_over_time_are_exact(client: TestClient) -> None:
    """Wad as decimal text: no float on the way."""
    rows = client.get("/api/history", params={"chain": "ethereum", "name": "eth-loop"}).json()
    assert len(rows) > 300
    assert int(rows[-1]["value"]) == 1_185714285714285714
    assert all(0 < int(row["value"]) < 3 * WAD for row in rows)


@pytest.mark.parametrize("query", [{"chain": "nowhere"}, {"chain": "ethereum", "name": "nobody"}])
def test_what_is_not_in_the_settings_is_not_there(client: TestClient, query: dict[str, str]) -> None:
    """404 with words, not an empty list."""
    answer = client.get("/api/decisions", params=query)
    assert (answer.status_code, answer.json()["detail"][:11]) == (404, "there is no")


def test_the_glance_is_what_the_page_shows(client: TestClient) -> None:
    """One telling: the same plain data."""
    found = client.get("/api/glance", params={"chain": "ethereum"}).json()
    assert found == asyncio.run(NIGHT.sight.glance())
    assert found["view"]["subjects"][0]["now"]["plan"]["label"] == "sell WETH to repay USDC"
    assert "SECRET" not in client.get("/api/glance", params={"chain": "ethereum"}).text
