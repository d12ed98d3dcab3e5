"""What every answer carries: security headers, languages, problem details, caching, compression, health, metrics."""

from __future__ import annotations

import json
import re
from contextlib import closing

import pytest
from sqlalchemy import Engine, text

from db.engine import write_session
from tests.server import Browser, Served


def test_health_tells_database_migrations_and_day(browser: Browser) -> None:
    answer = browser().get("/health")
    assert answer.status_code == 200
    found = answer.json()
    assert found["status"] == "ok"
    assert found["migrations"]["up_to_date"] is True
    assert found["as_of"] == "2026-11-01"


def test_health_is_503_when_migrations_are_missing(browser: Browser, owner: Engine) -> None:
    with write_session(owner) as session:
        session.execute(text("UPDATE ops.alembic_version SET version_num = '0004'"))
    answer = browser().get("/health")
    assert answer.status_code == 503
    assert answer.json()["status"] == "migrate"


def test_metrics_count_by_route_and_name_no_person(browser: Browser) -> None:
    officer = browser("officer")
    for _ in range(3):
        officer.get("/api/search", params={"q": "张三"})
    officer.get("/api/dashboards/grid/1")
    found = browser().get("/metrics").text
    assert 'hexward_requests_total{method="GET",route="/api/search",status="200"} 3.0' in found
    assert 'route="/api/dashboards/{kind}/{unit_id}"' in found
    assert 'hexward_request_seconds_bucket{le="0.05",method="GET",route="/api/search"}' in found
    assert 'hexward_load_runs{state="done"} 1.0' in found
    assert re.search(r'hexward_db_pool_connections{role="app",state="\w+"}', found)
    assert not re.search("张三|officer|token|account", found)


def test_an_odd_method_or_path_makes_no_new_label(browser: Browser) -> None:
    client = browser()
    for number in range(5):
        client.request(f"ODD{number}", f"/api/none/{number}")
    found = client.get("/metrics").text
    assert "ODD" not in found
    assert "/api/none" not in found


@pytest.mark.parametrize("address", ["/health", "/api/session", "/api/none", "/", "/docs", "/metrics"])
def test_security_headers_are_on_every_answer(browser: Browser, address: str) -> None:
    headers = browser().get(address).headers
    policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'self'"
    assert policy["script-src"] == "'self'"  # neither inline nor eval
    assert "blob:" in policy["worker-src"]  # MapLibre's workers
    assert policy["object-src"] == "'none'"
    assert not re.search(r"https?:|\*|unsafe-eval", headers["content-security-policy"])
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "same-origin"
    assert "server" not in headers or "uvicorn" not in headers["server"]


def test_an_unknown_host_is_refused(browser: Browser) -> None:
    answer = browser().get("/api/city", headers={"host": "rebound.example"})
    assert answer.status_code == 421


@pytest.mark.parametrize(
    ("accept", "query", "language", "word"),
    [("en", "", "en", "sign in"), ("zh-CN", "", "zh-CN", "登录"), ("en", "?lang=zh-CN", "zh-CN", "登录"),
     ("zh-TW, en;q=0.5", "", "zh-CN", "登录"), ("fr", "", "zh-CN", "登录")],
)  # fmt: skip
def test_problems_speak_the_callers_language(
    browser: Browser, accept: str, query: str, language: str, word: str
) -> None:
    answer = browser().get(f"/api/session{query}", headers={"accept-language": accept})
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["content-language"] == language
    found = answer.json()
    assert set(found) == {"type", "title", "status", "detail", "code", "params"}
    assert word in found["detail"]


WRONG = [
    ("/api/layers/none/legend", 404, "unknown_layer"),
    ("/api/dashboards/grid/999999", 404, "unit_not_found"),
    ("/api/dashboards/grid/zzz", 422, "request.invalid"),
    ("/api/dashboards/street/1", 422, "request.invalid"),
    ("/api/tiles/cells/residents/3/9/9.mvt", 404, "tile_out_of_range"),
    ("/api/tiles/cells/residents/a/b/c.mvt", 422, "request.invalid"),
    ("/api/layers/residents/legend?classes=50", 422, "request.invalid"),
    ("/api/layers/residents/legend?date=2026-02-30", 422, "request.invalid"),
    ("/api/layers/residents/table.csv?bbox=1,2,3", 422, "request.box"),
    ("/api/layers/residents/table.csv?bbox=5,5,1,1", 422, "request.box"),
    ("/api/dashboards/area/1?date=1999-01-01", 422, "outside_history"),
    ("/api/at?lng=999&lat=0", 422, "request.invalid"),
    ("/api/basemap/3/1/1.mvt", 404, "basemap.none"),
    ("/api/nothing", 404, "request.not_found"),
]


@pytest.mark.parametrize(("address", "status", "code"), WRONG)
def test_what_is_wrong_with_a_request_is_said(browser: Browser, address: str, status: int, code: str) -> None:
    answer = browser("officer").get(address)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.json()["title"]
    assert answer.json()["detail"] != code


def test_figures_stay_in_the_own_browser_and_are_asked_again(browser: Browser) -> None:
    officer = browser("officer")
    first = officer.get("/api/dashboards/grid/1")
    assert first.headers["cache-control"] == "private, no-cache"
    assert "cookie" in first.headers["vary"].lower()
    again = officer.get("/api/dashboards/grid/1", headers={"if-none-match": first.headers["etag"]})
    assert again.status_code == 304
    assert again.content == b""
    other = browser("manager").get("/api/dashboards/grid/1", headers={"if-none-match": first.headers["etag"]})
    assert (
        other.status_code == 200
    )  # the comparison with the community is exact for the manager, withheld before


def test_a_changed_figure_changes_the_tag(browser: Browser, owner: Engine) -> None:
    steward = browser("steward")
    address = "/api/dashboards/grid/1"
    tag = steward.get(address).headers["etag"]
    with write_session(owner) as session:
        session.execute(text("DELETE FROM register.residence WHERE grid_id = 1 AND id % 2 = 0"))
    assert steward.get(address, headers={"if-none-match": tag}).status_code == 200


def test_large_json_is_compressed_and_sign_in_is_never_cached(browser: Browser) -> None:
    officer = browser("officer")
    assert officer.get("/api/layers").headers["content-encoding"] == "gzip"
    assert officer.get("/api/session").headers["cache-control"] == "no-store"


def test_every_look_at_exact_figures_is_in_the_trail_before_the_answer(
    browser: Browser, owner: Engine
) -> None:
    officer = browser("officer")
    officer.get("/api/dashboards/grid/1")
    officer.get("/api/dashboards/grid/1/export.csv")
    officer.get("/api/layers/residents/table.xlsx?geography=grid")
    for x in range(4):
        officer.get(f"/api/tiles/cells/residents/13/{6826 + x}/3377.mvt")
    officer.get("/api/tiles/cells/jobs/13/6826/3377.mvt")
    with owner.connect() as connection:
        rows = connection.execute(
            text(
                "SELECT action, purpose, territory, params FROM audit.event WHERE account = 'officer' ORDER BY id"
            )
        ).all()
    actions = [row.action for row in rows]
    assert actions == [
        "sign_in",
        "dashboard.view",
        "dashboard.export",
        "table.export",
        "map.view",
        "map.view",
    ]
    looked = rows[1]
    assert looked.params["unit"] == "1"
    assert looked.purpose == "duty"
    assert "grid" in looked.territory


def test_no_audit_row_no_data(browser: Browser, owner: Engine) -> None:
    officer = browser("officer")
    assert officer.get("/api/dashboards/grid/1").status_code == 200
    with write_session(owner) as session:
        session.execute(
            text("REVOKE EXECUTE ON FUNCTION audit.append(text,text,text,text,jsonb,uuid[]) FROM hexward_app")
        )
    for address in ("/api/dashboards/grid/1", "/api/layers/residents/table.csv", "/api/dashboards/grid/1/export.xlsx",
                    "/api/layers/residents/legend"):  # fmt: skip
        answer = officer.get(address)
        assert answer.status_code == 500
        assert set(answer.json()) == {"type", "title", "status", "detail", "code", "params"}


def test_the_api_page_and_its_description_need_nothing_from_outside(browser: Browser) -> None:
    page = browser().get("/docs", headers={"accept-language": "en"})
    assert page.status_code == 200
    assert "/api/dashboards/{kind}/{unit_id}" in page.text
    assert 'id="error-signin.locked"' in page.text
    assert not re.findall(r'(?:src|href)="(?!/)[^"#]+"', page.text)
    assert "<script" not in page.text
    assert browser().get("/docs/style.css").headers["content-type"].startswith("text/css")


def test_the_front_end_answers_every_address_of_the_app(
    served: Served, browser: Browser, tmp_path: object
) -> None:
    from api.settings import ApiSettings
    from tests.server import serve

    folder = served.settings.web_dist.__class__(str(tmp_path)) / "dist"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text("<!doctype html><title>app</title>")
    (folder / "assets" / "index-B1k3d9xZ.js").write_text("1")
    (folder / "assets" / "plain.js").write_text("1")
    (folder.parent / "secret.txt").write_text("secret")
    for other in serve(served.city, ApiSettings(web_dist=folder, advance_day=False)):
        with closing(other.browser()) as client:
            for address in ("/", "/map/residents?z=3", "/login"):
                answer = client.get(address)
                assert "<title>app" in answer.text
                assert answer.headers["cache-control"] == "no-cache"
            hashed = client.get("/assets/index-B1k3d9xZ.js")
            assert hashed.headers["cache-control"] == "public, max-age=31536000, immutable"
            assert hashed.headers["content-type"].startswith("text/javascript")
            assert client.get("/assets/plain.js").headers["cache-control"] == "no-cache"
            assert client.get("/assets/none.js").status_code == 404
            assert client.get("/api/none").status_code == 404
            for escape in ("/..%2fsecret.txt", "/%2e%2e/secret.txt", "/assets/..%2f..%2fsecret.txt"):
                assert "secret" not in client.get(escape).text


def test_the_log_is_json_by_route_and_holds_nothing_personal(served: Served, browser: Browser) -> None:
    number = "11010519491231002X"
    officer = browser("officer")
    officer.get("/api/search", params={"q": number})
    officer.get(f"/api/dashboards/grid/{number}")
    officer.get(f"/api/none/{number}?name=张三", headers={"referer": f"http://x/{number}"})
    officer.post("/api/session", json={"account": number, "password": number})
    officer.post("/api/session", json={"account": 5, "password": number})
    officer.get(f"/api/layers/{number}/legend")
    officer.put(f"/api/sources/{number}/mapping", json={"columns": {number: number}})
    log = served.log.getvalue()
    lines = [json.loads(line) for line in log.splitlines()]
    assert [line for line in lines if line.get("route") == "/api/search"]
    for hidden in (number, "张三", officer.cookies["hexward_session"], "correct horse"):
        assert hidden not in log


def test_a_failure_inside_is_logged_without_the_values_it_was_about(
    served: Served, browser: Browser, owner: Engine
) -> None:
    """A database error quotes the row that broke it; neither log nor answer may."""
    with write_session(owner) as session:
        session.execute(
            text("ALTER TABLE ops.user_session ADD CONSTRAINT odd CHECK (expires_at < '2000-01-01')")
        )
    answer = browser().post(
        "/api/session", json={"account": "officer", "password": "correct horse battery staple"}
    )
    assert answer.status_code == 500
    assert answer.json()["code"] == "internal"
    log = served.log.getvalue()
    assert "CheckViolation" in log
    assert "Failing row" not in log + answer.text
    assert answer.json()["params"]["request_id"] in log


def test_too_large_a_body_is_refused_by_its_length_or_while_it_comes(
    served: Served, browser: Browser
) -> None:
    from api.settings import ApiSettings
    from tests.server import serve

    def endless() -> object:
        for _ in range(40):
            yield b"x" * 100_000

    for small in serve(served.city, ApiSettings(max_body_mb=1, advance_day=False)):
        with closing(small.browser()) as client:
            told = client.post("/api/session", content=b"x" * (2 * 2**20))
            assert told.status_code == 413
            assert told.json()["code"] == "request.too_large"
            streamed = client.post(
                "/api/session", content=endless(), headers={"content-type": "application/json"}
            )  # type: ignore[arg-type]
            assert streamed.status_code == 413
