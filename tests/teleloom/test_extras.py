from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from teleloom.extras import MissingExtraError, require


def test_what_is_installed_is_imported() -> None:
    assert require("json", "sim") is json


def test_what_is_missing_names_the_command_that_installs_it() -> None:
    with pytest.raises(MissingExtraError) as caught:
        require("not_there_at_all.part", "sim")
    assert str(caught.value).endswith("run: pip install 'teleloom[sim]'")
    assert caught.value.extra == "sim"
    assert isinstance(caught.value, ImportError)


def test_a_module_that_is_there_and_broken_is_not_called_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "half_installed.py").write_text("import its_own_dependency")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="its_own_dependency") as caught:
        require("half_installed", "sim")
    assert not isinstance(caught.value, MissingExtraError)
    assert "half_installed" not in sys.modules
