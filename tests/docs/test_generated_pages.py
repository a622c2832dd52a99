"""What scripts/write_configuration_docs.py makes is what lies in docs/, and explains every key and intervention."""

from __future__ import annotations

import importlib.util
from types import ModuleType

import pytest
from pages import DOCS, ROOT

from teleop.supervisor import INTERVENTIONS

REMEDY = "run: .venv/bin/python scripts/write_configuration_docs.py"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    location = ROOT / "scripts" / "write_configuration_docs.py"
    spec = importlib.util.spec_from_file_location("write_configuration_docs", location)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_configuration_page_is_up_to_date(script: ModuleType) -> None:
    assert (DOCS / "configuration.md").read_text(encoding="utf-8") == script.configuration_page(), REMEDY


def test_every_key_is_explained(script: ModuleType) -> None:
    assert script.missing_meanings() == []


def test_table_of_interventions_is_up_to_date(script: ModuleType) -> None:
    page = (DOCS / "safety.md").read_text(encoding="utf-8")
    assert script.with_table(page) == page, REMEDY


def test_advice_is_given_for_the_interventions_that_exist(script: ModuleType) -> None:
    assert script.ADVICE.keys() == INTERVENTIONS.keys()


def test_page_without_marks_is_refused(script: ModuleType) -> None:
    with pytest.raises(ValueError, match="lacks the marks"):
        script.with_table("# Safety\n")
