from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from teleloom import plugins
from teleloom.plugins import PluginError


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on the import path; what `add` puts there is found as an installed package."""
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def add(folder: Path, package: str, source: str, *points: str) -> None:
    """Install the package `package` with one module and entry points for codecs, as pip would lay it out."""
    (folder / f"{package}.py").write_text(source)
    info = folder / f"{package}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[teleloom.codecs]\n" + "\n".join(points) + "\n")


def test_an_installed_package_adds_a_plugin(install: Path) -> None:
    add(install, "weaver", "class Codec:\n    name = 'woven'\n", "woven = weaver:Codec")
    assert "woven" in plugins.names("teleloom.codecs")
    assert plugins.load("teleloom.codecs", "woven").name == "woven"


def test_an_unknown_name_lists_the_valid_ones(install: Path) -> None:
    add(install, "two_codecs", "A = B = 1\n", "zulu = two_codecs:A", "alpha = two_codecs:B")
    with pytest.raises(PluginError, match=r"no 'beta' in teleloom\.codecs; there is: .*alpha.*zulu"):
        plugins.load("teleloom.codecs", "beta")


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ("raise RuntimeError('no licence')", "RuntimeError: no licence"),
        ("import not_there_at_all", "No module named 'not_there_at_all'"),
        ("x = 1", "no attribute 'Codec'"),
        ("def", "SyntaxError"),
        (
            "from teleloom.extras import require\nrequire('not_there_at_all', 'sim')",
            r"'not_there_at_all' is not installed, and this needs it; run: pip install 'teleloom\[sim\]'",
        ),
    ],
)
def test_a_broken_plugin_is_named_and_the_others_work(install: Path, source: str, fault: str) -> None:
    broken = f"broken_{uuid.uuid4().hex}"
    add(install, broken, source, f"torn = {broken}:Codec")
    add(install, f"good_{broken}", "class Codec: ...", f"whole = good_{broken}:Codec")
    assert {"torn", "whole"} <= set(plugins.names("teleloom.codecs"))
    with pytest.raises(PluginError, match=rf"'torn' .* \({broken}:Codec\) cannot be loaded: .*{fault}"):
        plugins.load("teleloom.codecs", "torn")
    assert plugins.load("teleloom.codecs", "whole").__name__ == "Codec"


def test_one_name_from_two_packages_is_refused(install: Path) -> None:
    add(install, "first_weaver", "C = 1\n", "twin = first_weaver:C")
    add(install, "second_weaver", "C = 2\n", "twin = second_weaver:C")
    with pytest.raises(PluginError, match="offered by first_weaver:C and second_weaver:C; uninstall all but one"):
        plugins.load("teleloom.codecs", "twin")


def test_every_group_can_be_asked() -> None:
    assert len(plugins.GROUPS) == 6
    for group in plugins.GROUPS:
        assert plugins.names(group) == sorted(plugins.names(group))
