"""`teleloom review …`: everything the service can do, as a table and as JSON."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result
from service_rooms import START_NS, make_id, write

from review_ui.commands import review
from teleloom.catalog import Catalog

FIRST, SECOND, THIRD = (make_id(number) for number in (1, 2, 3))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root with three episodes, the second of another task, the third the riskiest."""
    with Catalog.open(tmp_path) as catalog:
        for number, task in ((1, "stack"), (2, "put_in_bowl"), (3, "stack")):
            catalog.register(write(tmp_path, number, task=task), quality={"verdict": "good"})
        reason = {"weight": 0.7, "message": "a jump", "start_ns": START_NS, "end_ns": START_NS + 10**8}
        catalog.set_risks({FIRST: (0.1, []), SECOND: (0.2, []), THIRD: (0.7, [reason])})
    return tmp_path


def run(*arguments: object) -> Result:
    return CliRunner().invoke(review, [str(argument) for argument in arguments])


def done(*arguments: object) -> str:
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def answer(*arguments: object) -> Any:
    return json.loads(done(*arguments, "--json"))


def ids(*arguments: object) -> list[str]:
    return [row["id"] for row in answer("list", *arguments)]


def every_command() -> list[tuple[str, click.Command]]:
    found = []
    for name, command in review.commands.items():
        parts = command.commands.items() if isinstance(command, click.Group) else [("", command)]
        found += [(f"{name} {part}".strip(), each) for part, each in parts]
    return found


@pytest.mark.parametrize(("name", "command"), every_command())
def test_every_command_shows_an_example_and_answers_in_json(name: str, command: click.Command) -> None:
    help_text = done(*name.split(), "--help")
    assert f"teleloom review {'' if name == 'serve' else name + ' '}" in help_text[help_text.index("Example") :]
    options = [option for parameter in command.params for option in parameter.opts]
    assert "--json" in options or name == "serve"


def test_episodes_are_listed_by_filter_order_and_page(root: Path) -> None:
    assert ids(root) == [FIRST, SECOND, THIRD]
    assert ids(root, "--sort", "risk") == [THIRD, SECOND, FIRST]
    assert ids(root, "--sort", "risk", "--offset", 1, "--limit", 1) == [SECOND]
    assert ids(root, "--task", "put_in_bowl") == [SECOND]
    assert ids(root, "--task", "put_in_bowl", "--task", "stack") == [FIRST, SECOND, THIRD]
    assert ids(root, "--min-risk", 0.2) == [SECOND, THIRD]
    assert ids(root, "--operator", "nobody") == []
    assert ids(root, "--quality", "good", "--outcome", "success", "--no-overlap", "--unsegmented") == ids(root)
    assert ids(root, "--since", "2027-01-15", "--until", "2027-01-16") == ids(root)
    assert ids(root, "--until", "2027-01-15") == []
    done("tag", root, SECOND, "for-the-paper", "--by", "anna")
    done("note", root, THIRD, "the Lamp was off", "--by", "anna")
    assert ids(root, "--tag", "for-the-paper") == [SECOND]
    assert ids(root, "--text", "lamp") == [THIRD]
    shown = run("list", root, "--sort", "risk", "--limit", 2)
    assert max(map(len, shown.stdout.splitlines())) <= 80
    assert "0.70" in shown.stdout
    assert "a jump" not in shown.stdout
    assert "0.70 a jump" in CliRunner(env={"COLUMNS": "110"}).invoke(review, ["list", str(root)]).stdout
    assert shown.stderr == "2 of 3, from number 1\n"


def test_an_episode_is_worked_through_from_next_to_verdict(root: Path) -> None:
    taken = answer("next", root, "--by", "anna")
    assert (taken["row"]["id"], taken["lease"]["holder"]) == (THIRD, "anna")
    assert "a jump (0.00 to 0.10 s)" in done("next", root, "--by", "anna")
    assert answer("next", root, "--by", "ben", "--without", SECOND)["row"]["id"] == FIRST
    assert answer("next", root, "--by", "cara", "--task", "stack") is None
    assert done("next", root, "--by", "cara", "--task", "stack") == "nothing waits\n"
    assert answer("release", root, FIRST, "--by", "ben") == {"did": "given back", "episodes": [FIRST]}
    assert answer("next", root, "--by", "cara", "--task", "stack")["row"]["id"] == FIRST
    done("approve", root, THIRD, "--by", "anna")
    assert answer("next", root, "--by", "anna", "--queue", "segments")["row"]["id"] == THIRD


def test_all_that_can_be_said_of_an_episode_is_in_its_view(root: Path) -> None:
    by = ("--by", "anna")
    done("relabel", root, FIRST, "put the red block on top", "--outcome", "partial", *by)
    done("relabel", root, FIRST, "leg den Block ab", "--add", "--language", "de", *by)
    done("trim", root, FIRST, 0.1, 0.4, *by)
    assert done("score", root, FIRST, 4, *by) == f"anna scored it 4: {FIRST}\n"
    done("segment", root, FIRST, "--part", 0.1, 0.2, "reach", "--part", 0.2, 0.4, "put down", *by)
    done("flag", root, FIRST, "mistake", 0.15, 0.25, "--note", "slipped", *by)
    done("tag", root, FIRST, "x", *by)
    done("tag", root, FIRST, "y", *by)
    done("tag", root, FIRST, "x", "--remove", *by)
    done("note", root, FIRST, "the lamp was off", *by)
    view = answer("show", root, FIRST)["view"]
    assert (view["instruction"]["text"], view["outcome"], view["score"]) == ("put the red block on top", "partial", 4)
    assert [(each["text"], each["language"]) for each in view["paraphrases"]] == [("leg den Block ab", "de")]
    assert view["trim"] == [START_NS + 10**8, START_NS + 4 * 10**8]
    assert [(each["start_ns"] - START_NS, each["label"]) for each in view["segments"]] == [
        (10**8, "reach"),
        (2 * 10**8, "put down"),
    ]
    assert [(each["label"], each["note"]) for each in view["flags"]] == [("mistake", "slipped")]
    assert (view["tags"], view["notes"], view["revision"]) == (["y"], ["the lamp was off"], 11)
    shown = done("show", root, FIRST)
    for line in ("trim         0.10 to 0.40 s", "segment      0.20 to 0.40 s put down", "flag         0.15 to 0.25 s"):
        assert line in shown
    done("flag", root, FIRST, "mistake", 0.15, 0.25, "--remove", *by)
    done("segment", root, FIRST, "--none", *by)
    view = answer("show", root, FIRST)["view"]
    assert (view["segments"], view["flags"]) == ([], [])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["relabel", "ROOT", FIRST, "--by", "anna"], "give the right instruction, or --outcome"),
        (["segment", "ROOT", FIRST, "--by", "anna"], "give every segment with --part START END LABEL, or --none"),
        (["segment", "ROOT", FIRST, "--part", "2", "1", "a", "--by", "anna"], "must lie before the end"),
        (["trim", "ROOT", FIRST, "2", "1", "--by", "anna"], "must lie before the end"),
        (["score", "ROOT", FIRST, "6", "--by", "anna"], "6 is not in the range 1<=x<=5"),
        (["bulk", "ROOT", "--by", "anna"], "say what to do: --approve"),
        (["bulk", "ROOT", "--approve", "--reject", "x", "--by", "anna"], "not both"),
        (["adjudicate", "ROOT", FIRST, "approve", "--adopt", "ben", "--by", "lea"], "'ben' has no verdict in force"),
        (["note", "ROOT", FIRST, "late", "--by", "ben", "--seen-revision", "5"], "it has not come so far"),
        (["lsit", "ROOT"], "'lsit' is no folder, and no command either; the commands are: adjudicate, agreement"),
        (["nowhere"], "'nowhere' is no folder, and no command either"),
    ],
)
def test_what_cannot_be_done_fails_with_the_remedy(root: Path, arguments: list[str], message: str) -> None:
    result = run(*(argument.replace("ROOT", str(root)) for argument in arguments))
    assert result.exit_code in (1, 2)
    assert message in result.stderr.replace("\n", " ")
    assert {row["revision"] for row in answer("list", root)} == {0}


def test_a_word_on_what_was_seen_is_refused_when_somebody_spoke_since(root: Path) -> None:
    done("score", root, FIRST, 2, "--by", "anna", "--seen-revision", 0)
    stale = run("trim", root, FIRST, 0.1, 0.2, "--by", "ben", "--seen-revision", 0)
    assert "you saw revision 0; since then 'anna' scored it 2; look again and repeat" in stale.stderr


def test_many_are_decided_on_at_once_by_filter(root: Path) -> None:
    planned = answer("bulk", root, "--task", "stack", "--approve", "--by", "lea", "--dry-run")
    assert planned == {"did": "would be changed", "episodes": [FIRST, THIRD]}
    assert ids(root, "--status", "approved") == []
    result = answer("bulk", root, "--task", "stack", "--approve", "--add-tag", "x", "--weight", 2, "--by", "lea")
    assert result == {"done": [FIRST, THIRD], "refused": {}}
    assert ids(root, "--status", "approved", "--tag", "x") == [FIRST, THIRD]
    done("bulk", root, "--tag", "x", "--remove-tag", "x", "--reject", "blurred", "--note", "n", "--by", "lea")
    assert ids(root, "--status", "rejected", "--text", "n") == [FIRST, THIRD]


def test_two_judge_blindly_differ_and_a_lead_settles_it(root: Path) -> None:
    assert len(answer("overlap", root, "--share", 1, "--by", "lea")["episodes"]) == 3
    done("score", root, FIRST, 5, "--by", "anna")
    done("approve", root, FIRST, "--by", "anna")
    blind = answer("show", root, FIRST, "--by", "ben")
    assert blind["blind"]
    assert (blind["view"]["score"], blind["view"]["opinions"]) == (None, [])
    assert answer("show", root, FIRST)["view"]["score"] == 5
    assert answer("disputes", root) == []
    done("reject", root, FIRST, "--reason", "slipped", "--by", "ben")
    (dispute,) = answer("disputes", root)
    assert [each["decision"] for each in dispute["opinions"]] == ["approve", "reject"]
    assert "anna: approve; ben: reject (slipped)" in " ".join(done("disputes", root).split())
    assert "settled: approved" in done("adjudicate", root, FIRST, "approve", "--adopt", "anna", "--by", "lea")
    figures = answer("agreement", root)
    assert (figures["verdict"]["value"], figures["verdict"]["episodes"]) == (0.0, 1)
    assert figures["score"]["reason"] == "nothing was rated by two people"
    assert "0.000" in done("agreement", root)
    people = answer("reviewers", root)
    assert [(each["name"], each["overturned"]) for each in people] == [("anna", 0), ("ben", 1), ("lea", 0)]
    assert "0% of 1" in done("reviewers", root)
    state = answer("progress", root)
    assert (state["by_status"]["approved"], state["waiting"], state["left_s"]) == (1, 2, None)
    assert "put_in_bowl" in done("progress", root)


def test_the_ranking_is_made_anew_from_the_quality_verdicts(root: Path) -> None:
    assert answer("rank", root) == {"ranked": 0, "reasons": {}, "without_quality": 3}
    shown = run("rank", root)
    assert (shown.stdout, shown.stderr) == ("0 episodes ranked\n", "3 without a quality verdict\n")


def test_tokens_are_made_listed_and_revoked(root: Path) -> None:
    made = answer("token", "add", root, "anna", "--role", "lead")
    assert (made["name"], made["role"], len(made["token"])) == ("anna", "lead", 43)
    assert run("token", "add", root, "anna").exit_code == 1
    assert [(each["name"], each["role"]) for each in answer("token", "list", root)] == [("anna", "lead")]
    assert made["token"] not in done("token", "list", root)
    assert answer("token", "revoke", root, "anna") == {"revoked": "anna"}
    assert answer("token", "list", root) == []
    assert "'anna' has no token" in run("token", "revoke", root, "anna").stderr


def test_proxies_are_made_where_they_are_missing(marked_root: Path) -> None:
    assert answer("proxies", marked_root) == {"encoded": [], "failed": {}}
    made = sorted(path for path in (marked_root / "proxies").iterdir() if not path.name.startswith("."))[0]
    for file in made.iterdir():
        file.unlink()
    assert answer("proxies", marked_root) == {"encoded": [made.name], "failed": {}}


@pytest.mark.parametrize("words", [("ROOT", "--host", "0.0.0.0"), ("--host", "0.0.0.0", "ROOT"), ("serve", "ROOT")])
def test_a_root_without_a_command_is_served_but_to_nobody_without_a_token(root: Path, words: tuple[str, ...]) -> None:
    refused = run(*(str(root) if word == "ROOT" else word for word in words), "--behind-proxy")
    assert refused.exit_code == 1
    assert "--behind-proxy" in refused.stderr
    assert "0.0.0.0" in refused.stderr or "--public-url" in refused.stderr


def test_the_commands_need_no_extra(root: Path) -> None:
    program = (
        "import sys; from review_ui.commands import review\n"
        f"review(['list', {str(root)!r}, '--json'], standalone_mode=False)\n"
        "print(sorted({name.split('.')[0] for name in sys.modules}), file=sys.stderr)"
    )
    listed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=True)
    assert len(json.loads(listed.stdout)) == 3
    assert not {"streamlit", "starlette", "uvicorn", "av", "pandas"} & set(ast.literal_eval(listed.stderr))
