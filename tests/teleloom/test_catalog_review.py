from __future__ import annotations

import json
from pathlib import Path

import pytest
from catalog_episodes import make_id, write
from click.testing import CliRunner, Result

from review_ui.commands import review, short_ids
from teleloom.catalog import Catalog


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root with three episodes."""
    with Catalog.open(tmp_path) as catalog:
        for number in (1, 2, 3):
            catalog.register(write(tmp_path, number), quality={"verdict": "good"})
    return tmp_path


def run(*arguments: object) -> Result:
    return CliRunner().invoke(review, [str(argument) for argument in arguments])


def listed(root: Path, *options: str) -> dict[str, str]:
    result = run("list", root, "--json", *options)
    assert result.exit_code == 0, result.output
    return {row["id"]: row["status"] for row in json.loads(result.stdout)}


def test_episodes_are_approved_rejected_and_listed_by_status(root: Path) -> None:
    first, second, third = (make_id(number) for number in (1, 2, 3))
    assert listed(root) == dict.fromkeys((first, second, third), "unreviewed")
    assert run("approve", root, first, "--by", "anna").exit_code == 0
    assert run("reject", root, second, "--reason", "cube fell", "--by", "ben").exit_code == 0
    assert listed(root, "--status", "unreviewed") == {third: "unreviewed"}
    assert listed(root) == {first: "approved", second: "rejected", third: "unreviewed"}
    result = run("approve", root, "--all-unreviewed", "--by", "anna", "--json")
    assert json.loads(result.stdout) == {"did": "approved", "episodes": [third]}
    assert listed(root, "--status", "approved") == dict.fromkeys((first, third), "approved")


@pytest.mark.parametrize(("verb", "reason"), [("approve", []), ("reject", ["--reason", "cube fell"])])
def test_a_verdict_on_what_was_seen_is_refused_when_somebody_spoke_since(
    root: Path, verb: str, reason: list[str]
) -> None:
    episode = make_id(1)
    assert run("reject", root, episode, "--reason", "blurred", "--by", "anna", "--seen-revision", 0).exit_code == 0
    stale = run(verb, root, episode, *reason, "--by", "ben", "--seen-revision", 0)
    assert stale.exit_code == 1
    assert "you saw revision 0; since then 'anna' rejected it ('blurred'); look again and repeat" in stale.stderr
    assert listed(root)[episode] == "rejected"
    assert run(verb, root, episode, *reason, "--by", "ben", "--seen-revision", 1).exit_code == 0
    assert [event["author"] for event in json.loads(run("history", root, episode, "--json").stdout)["history"]] == [
        "anna",
        "ben",
    ]


def test_a_table_shows_short_ids_that_the_commands_accept(root: Path) -> None:
    result = run("list", root)
    short = short_ids([make_id(number) for number in (1, 2, 3)])[make_id(2)]
    assert short in result.output
    assert result.output.count("good") == 3
    assert run("approve", root, short, "--by", "anna").exit_code == 0
    assert listed(root, "--status", "approved") == {make_id(2): "approved"}


def test_short_ids_differ_and_are_as_short_as_can_be() -> None:
    ids = ["0123456789", "0123456999", "01234569aa", "f123456789"]
    assert short_ids(ids) == {
        "0123456789": "01234567",
        "0123456999": "012345699",
        "01234569aa": "01234569a",
        "f123456789": "f1234567",
    }
    assert short_ids([]) == {}


def test_an_undo_takes_back_the_newest_event_in_force_and_history_shows_all(root: Path) -> None:
    episode = make_id(1)
    run("approve", root, episode, "--by", "anna")
    run("reject", root, episode, "--reason", "cube fell", "--by", "ben")
    assert "revision 2 taken back; now approved" in run("undo", root, episode, "--by", "ben").output
    assert "revision 1 taken back; now unreviewed" in run("undo", root, episode, "--by", "ben").output
    failed = run("undo", root, episode, "--by", "ben")
    assert failed.exit_code == 1
    assert "nothing was said about it that could be taken back" in failed.stderr
    document = json.loads(run("history", root, episode, "--json").stdout)
    assert [event["author"] for event in document["history"]] == ["anna", "ben", "ben", "ben"]
    assert document["view"]["status"] == document["episode"]["status"] == "unreviewed"
    shown = run("history", root, episode).output
    assert "rejected it ('cube fell') (taken" in shown
    assert "took revision 2 back" in shown
    assert "revision 3 taken back; now rejected" not in shown
    run("undo", root, episode, "--revision", 3, "--by", "eva")
    assert listed(root)[episode] == "rejected"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["approve", "ROOT", "--by", "anna"], 2, "name the episodes to approve, or give --all-unreviewed"),
        (["approve", "ROOT", "x", "--all-unreviewed", "--by", "anna"], 2, "name the episodes"),
        (["approve", "ROOT", "ffff", "--by", "anna"], 1, "no episode in the catalog begins with 'ffff'"),
        (["approve", "ROOT", "0", "--by", "anna"], 1, "short for several episodes"),
        (["approve", "ROOT", "--all-unreviewed"], 2, "--by"),
        (["reject", "ROOT", make_id(1), "--by", "anna"], 2, "--reason"),
        (["reject", "ROOT", make_id(1), "--by", "anna", "--reason", " "], 1, "give a reason"),
        (["approve", "ROOT", make_id(1), make_id(2), "--by", "anna", "--seen-revision", "0"], 2, "name that one alone"),
        (["approve", "ROOT", "--all-unreviewed", "--by", "anna", "--seen-revision", "0"], 2, "name that one alone"),
        (["approve", "ROOT", make_id(1), "--by", "anna", "--seen-revision", "7"], 1, "it has not come so far"),
        (["list", "ROOT/nowhere"], 2, "does not exist"),
        (["list", "ROOT", "--catalog", "mysql://x/y"], 1, "SQLite and PostgreSQL"),
    ],
)
def test_what_cannot_be_done_fails_with_the_remedy(root: Path, arguments: list[str], code: int, message: str) -> None:
    result = run(*(argument.replace("ROOT", str(root)) for argument in arguments))
    assert result.exit_code == code
    assert message in result.stderr
    assert set(listed(root).values()) == {"unreviewed"}


def test_rescan_enters_files_and_names_the_broken_ones(root: Path) -> None:
    write(root, 4)
    (root / "episodes" / f"{make_id(1)}.h5").unlink()
    result = run("rescan", root, "--json")
    assert json.loads(result.stdout) == {"registered": 3, "removed": [make_id(1)], "unreadable": {}}
    (root / "episodes" / "broken.h5").write_bytes(b"")
    result = run("rescan", root)
    assert result.exit_code == 1
    assert "broken.h5" in result.stderr
    assert list(listed(root)) == [make_id(number) for number in (2, 3, 4)]


def test_every_command_shows_an_example() -> None:
    for name in ("list", "approve", "reject", "undo", "history", "rescan"):
        assert f"teleloom review {name} " in run(name, "--help").output
