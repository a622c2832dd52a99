from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import marked_episodes as marked
import pytest
from app_in_thread import serving_app
from review_server import Api, make_root
from starlette.applications import Starlette

from review_ui.access.cookies import Sessions
from review_ui.access.gate import Gate
from review_ui.access.policy import AccessPolicy
from review_ui.access.tokens import TokenStore
from review_ui.proxies import ProxyStore
from review_ui.service import ReviewService
from review_ui.web.api import api_routes
from review_ui.web.bodies import MAX_BODY_BYTES
from review_ui.web.context import NoServerError, ServerContext, current
from review_ui.web.recorded import recorded
from teleloom.catalog import Catalog, Overlap, Segmentation, Trim

MS = 1_000_000
SECOND = 1_000_000_000
FIRST, SECOND_ID, THIRD = (marked.make_id(number) for number in range(3))
SCRIPT = "<script>alert(1)</script>"


@dataclass
class Team:
    """Three people before one server."""

    catalog: Catalog
    anna: Api
    ben: Api
    lead: Api


@pytest.fixture(scope="module")
def master(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_root(tmp_path_factory.mktemp("master"))


@pytest.fixture
def team(master: Path, tmp_path: Path) -> Iterator[Team]:
    root = shutil.copytree(master, tmp_path / "root")
    tokens = TokenStore(root)
    sessions = Sessions(tokens, secure=False)
    with Catalog.open(root) as catalog:
        policy = AccessPolicy(everybody=None, sessions=sessions)
        context = ServerContext(root, catalog, ReviewService(catalog), ProxyStore(root), policy)
        app = Gate(Starlette(routes=api_routes(context)), policy, "default-src 'none'")
        with serving_app(app) as url:

            def person(name: str, role: str) -> Api:
                holder = tokens.find(tokens.add(name, role))
                return Api(f"{url}/teleloom/api", {sessions.cookie: sessions.begin(holder)})

            yield Team(catalog, person("anna", "annotator"), person("ben", "annotator"), person("lena", "lead"))


def test_everybody_is_who_their_session_says(team: Team) -> None:
    assert team.anna.get("/me").json() == {"name": "anna", "role": "annotator"}
    assert team.lead.get("/me").json() == {"name": "lena", "role": "lead"}


def test_an_assignment_has_all_that_the_player_needs(team: Team) -> None:
    answer = team.anna.post("/next")
    document = answer.json()
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert set(document) == {"episode", "revision", "blind", "view", "history", "lease", "rejection_reasons"}
    assert set(document["episode"]) == {
        "id", "short", "task", "robot", "station", "operator", "recorded", "duration_ns", "outcome", "instruction",
        "status", "risk", "success_check",
    }  # fmt: skip
    assert set(document["view"]) == {
        "status", "reason", "decided_by", "instruction", "instructions", "paraphrases", "outcome", "score", "trim",
        "segments", "flags", "tags", "notes", "weight", "reviewers_wanted", "opinions",
    }  # fmt: skip
    assert document["episode"]["id"].startswith(document["episode"]["short"])
    assert document["episode"]["recorded"].startswith("2027-01-15T08:0")
    assert [each["spoken"] for each in document["view"]["instructions"]].count(True) == 1
    assert document["revision"] == 0
    assert not document["blind"]
    assert 590 < document["lease"]["expires_in_s"] <= 600
    assert "task failed" in document["rejection_reasons"]


def test_times_count_from_the_beginning_of_the_episode(team: Team) -> None:
    row = team.catalog.episode(FIRST)
    start_ns = recorded(team.catalog, row).start_ns
    assert start_ns >= marked.START_NS
    segments = [
        {"start_ns": 0, "end_ns": SECOND, "label": "reach", "outcome": None},
        {"start_ns": SECOND, "end_ns": row.duration_ns, "label": "put", "outcome": "success"},
    ]
    flag = {"label": "mistake", "start_ns": 5 * MS, "end_ns": 5 * MS, "note": "late"}
    answer = team.anna.commit(
        FIRST,
        0,
        "op-1",
        {"kind": "trim", "start_ns": 100 * MS, "end_ns": 2 * SECOND},
        {"kind": "segments", "segments": segments},
        {"kind": "flag", **flag},
    )
    view = answer.json()["view"]
    assert answer.status_code == 200
    assert view["trim"] == [100 * MS, 2 * SECOND]
    assert view["segments"] == segments
    assert view["flags"] == [flag]
    trim, cut, _ = (event.annotation for event in team.catalog.history(FIRST))
    assert isinstance(trim, Trim)
    assert (trim.start_ns, trim.end_ns) == (start_ns + 100 * MS, start_ns + 2 * SECOND)
    assert isinstance(cut, Segmentation)
    assert cut.segments[1].end_ns == start_ns + row.duration_ns


def test_a_commit_is_written_whole_or_not_at_all(team: Team) -> None:
    answer = team.anna.commit(
        FIRST, 0, "op-1", {"kind": "score", "score": 4}, {"kind": "verdict", "decision": "reject", "reason": ""}
    )
    assert answer.status_code == 400
    assert "annotation 1" in answer.json()["error"]
    assert "give a reason" in answer.json()["error"]
    assert team.catalog.history(FIRST) == []


def test_a_commit_sent_twice_counts_once(team: Team) -> None:
    first = team.anna.commit(FIRST, 0, "op-1", {"kind": "score", "score": 4}, {"kind": "tag", "tag": "x"})
    again = team.anna.commit(FIRST, 0, "op-1", {"kind": "score", "score": 4}, {"kind": "tag", "tag": "x"})
    assert first.json()["revision"] == again.json()["revision"] == 2
    assert len(team.catalog.history(FIRST)) == 2


def test_a_stale_commit_is_refused_with_who_and_what(team: Team) -> None:
    team.ben.commit(FIRST, 0, "op-1", {"kind": "verdict", "decision": "reject", "reason": "collision"})
    answer = team.anna.commit(FIRST, 0, "op-2", {"kind": "score", "score": 5})
    document = answer.json()
    assert answer.status_code == 409
    assert document["kind"] == "stale"
    assert document["revision"] == 1
    assert [(line["author"], line["what"]) for line in document["changed"]] == [("ben", "rejected it ('collision')")]
    assert len(team.catalog.history(FIRST)) == 1


def test_an_episode_is_held_by_one_at_a_time(team: Team) -> None:
    assert team.anna.post(f"/episodes/{FIRST}/claim").json()["lease"]["expires_in_s"] > 590
    refused = team.ben.post(f"/episodes/{FIRST}/claim")
    assert refused.status_code == 409
    assert refused.json()["kind"] == "held"
    assert "'anna'" in refused.json()["error"]
    assert team.anna.post(f"/episodes/{FIRST}/renew").json()["expires_in_s"] > 590
    assert team.anna.post(f"/episodes/{FIRST}/release").status_code == 204
    assert team.anna.post(f"/episodes/{FIRST}/renew").json()["kind"] == "held"
    assert team.ben.post(f"/episodes/{FIRST}/claim").status_code == 200


def test_nobody_gets_what_another_works_on_and_at_the_end_there_is_nothing(team: Team) -> None:
    mine: list[str] = []
    while (answer := team.anna.post("/next", {"without": mine})).status_code == 200:
        mine.append(answer.json()["episode"]["id"])
    assert answer.status_code == 204
    assert not answer.content
    assert len(set(mine)) == 6
    assert team.ben.post("/next").status_code == 204


def test_the_queue_can_be_narrowed(team: Team) -> None:
    answer = team.anna.post("/next", {"filter": {"tasks": ["stack"]}})
    assert answer.json()["episode"]["task"] == "stack"
    assert team.anna.post("/next", {"queue": "segments"}).status_code == 204
    assert team.anna.post("/next", {"filter": {"nonsense": 1}}).status_code == 400


def test_undo_takes_back_ones_own_word(team: Team) -> None:
    team.anna.commit(FIRST, 0, "op-1", {"kind": "verdict", "decision": "approve"})
    refused = team.ben.post(f"/episodes/{FIRST}/undo", {"operation": "op-2", "seen_revision": 1, "revision": 1})
    assert refused.status_code == 403
    assert "'anna'" in refused.json()["error"]
    undone = team.anna.post(f"/episodes/{FIRST}/undo", {"operation": "op-3", "seen_revision": 1})
    assert undone.json()["view"]["status"] == "unreviewed"
    assert [line["undone"] for line in undone.json()["history"]] == [True, False]


def test_undo_last_finds_the_episode(team: Team) -> None:
    team.anna.commit(FIRST, 0, "op-1", {"kind": "score", "score": 2})
    team.anna.commit(SECOND_ID, 0, "op-2", {"kind": "verdict", "decision": "approve"})
    answer = team.anna.post("/undo-last", {"operation": "op-3"}).json()
    assert (answer["episode"]["id"], answer["view"]["status"]) == (SECOND_ID, "unreviewed")
    again = team.anna.post("/undo-last", {"operation": "op-3"}).json()
    assert (again["episode"]["id"], again["revision"]) == (SECOND_ID, 2)


def test_only_a_lead_settles(team: Team) -> None:
    body = {"operation": "op-1", "seen_revision": 0, "decision": "approve", "reason": "as planned"}
    refused = team.anna.post(f"/episodes/{FIRST}/adjudicate", body)
    assert refused.status_code == 403
    assert refused.json()["kind"] == "forbidden"
    assert "only a lead may" in refused.json()["error"]
    settled = team.lead.post(f"/episodes/{FIRST}/adjudicate", body)
    assert (settled.json()["view"]["status"], settled.json()["view"]["decided_by"]) == ("approved", "lena")


def test_who_judges_blind_learns_nothing_of_the_others(team: Team) -> None:
    team.catalog.annotate(FIRST, Overlap(reviewers=2), "lena", 0)
    team.anna.commit(
        FIRST, 1, "op-1", {"kind": "verdict", "decision": "reject", "reason": "secret"}, {"kind": "score", "score": 1}
    )
    answer = team.ben.post(f"/episodes/{FIRST}/claim")
    assert answer.json()["blind"]
    assert "opinions" not in answer.json()["view"]
    assert "secret" not in answer.text
    stale = team.ben.commit(FIRST, 1, "op-2", {"kind": "verdict", "decision": "approve"})
    assert stale.status_code == 409
    assert stale.json()["changed"][0]["author"] == "anna"
    assert "secret" not in stale.text
    assert "reject" not in stale.text
    done = team.ben.commit(FIRST, 3, "op-3", {"kind": "verdict", "decision": "approve"}).json()
    assert not done["blind"]
    assert [opinion["author"] for opinion in done["view"]["opinions"]] == ["anna", "ben"]


def test_a_label_is_data_whatever_is_in_it(team: Team) -> None:
    answer = team.anna.commit(
        FIRST, 0, "op-1", {"kind": "flag", "label": SCRIPT, "start_ns": 0, "end_ns": 1, "note": SCRIPT}
    )
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.json()["view"]["flags"][0]["label"] == SCRIPT


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        (b"{", 400, "not JSON"),
        (b'{"operation": NaN}', 400, "no NaN"),
        (b"[" * 100_000, 400, "not JSON"),
        (b"[]", 400, "does not fit"),
        (b'{"operation": "x", "seen_revision": 0, "annotations": [], "more": 1}', 400, "more: unknown key"),
        (b'{"operation": "x", "seen_revision": -1, "annotations": [{}]}', 400, "seen_revision"),
        (b'{"operation": "a b", "seen_revision": 0, "annotations": [{}]}', 400, "operation"),
        (b'{"operation": "x", "seen_revision": 0, "annotations": [{"kind": "nonsense"}]}', 400, "annotation 0"),
        (b'{"operation": "x", "annotations": [{"kind": "note", "text": "\\u0000"}]}', 400, "no database keeps"),
        (b'{"operation": "x", "annotations": [{"\\ud800": 1}]}', 400, "no database keeps"),
        (b" " * (MAX_BODY_BYTES + 1), 413, "at most"),
    ],
)
def test_a_body_that_does_not_fit_is_refused(team: Team, body: bytes, status: int, says: str) -> None:
    headers = {"content-type": "application/json"}
    answer = team.anna.http.post(f"{team.anna.base}/episodes/{FIRST}/annotations", body, headers=headers, timeout=10)
    assert answer.status_code == status
    assert answer.json()["kind"] == "bad-request"
    assert says in answer.json()["error"]


@pytest.mark.parametrize("start_ns", [-1, 10**18, 1.5, "1", None, True])
def test_a_time_outside_of_the_episode_is_refused(team: Team, start_ns: object) -> None:
    answer = team.anna.commit(FIRST, 0, "op-1", {"kind": "trim", "start_ns": start_ns, "end_ns": SECOND})
    assert answer.status_code == 400
    assert "start_ns" in answer.json()["error"]
    assert team.catalog.history(FIRST) == []


def test_only_json_is_taken(team: Team) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", ""):
        answer = team.anna.http.post(f"{team.anna.base}/next", b"{}", headers={"content-type": kind}, timeout=10)
        assert (answer.status_code, answer.json()["kind"]) == (415, "bad-request")


@pytest.mark.parametrize("path", ["/episodes/nonsense", "/episodes/..%2f..%2fetc%2fpasswd", "/nonsense", "/"])
def test_what_is_not_there_is_said_to_be_not_there(team: Team, path: str) -> None:
    answer = team.anna.get(path)
    assert (answer.status_code, answer.json()["kind"]) == (404, "not-found")


def test_outside_of_a_server_there_is_no_context() -> None:
    with pytest.raises(NoServerError, match="teleloom review ROOT"):
        current()


def test_an_episode_whose_file_went_bad_can_still_be_rejected(team: Team) -> None:
    path = team.catalog.path_of(team.catalog.episode(THIRD))
    path.write_bytes(path.read_bytes()[:2000])
    assert team.anna.get(f"/episodes/{THIRD}").json()["view"]["trim"] is None
    trim = team.anna.commit(THIRD, 0, "op-1", {"kind": "trim", "start_ns": 0, "end_ns": SECOND})
    assert (trim.status_code, trim.json()["kind"]) == (422, "bad-episode")
    verdict = team.anna.commit(THIRD, 0, "op-2", {"kind": "verdict", "decision": "reject", "reason": "data fault"})
    assert verdict.json()["view"]["status"] == "rejected"
