"""What the tests in a real browser share: the browser, and pages to look at."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from chromium import Browser, missing, start_browser
from sizes import make_documents

from review.changes.compare import compare
from review.proof.prove import prove
from review.report.page import Comparison, write_report


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Return the browser that all tests share; skip, with the reasons, where there is none."""
    if reasons := missing():
        pytest.skip(f"no browser here: {'; '.join(reasons)}")
    with start_browser(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture
def browser(chromium: Browser) -> Browser:
    """Return the browser as a person's would be: 1200 wide, light."""
    chromium.resize(1200)
    chromium.prefer("light")
    return chromium


@pytest.fixture(scope="session")
def thousand(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the report of a thousand hosts, in which one joins, one leaves and one moves."""
    old = make_documents(1000, silent=[3, 77])
    new = make_documents([*range(500), *range(501, 1001)], silent=[3, 77], moved=[1])
    page = write_report(new, Comparison(old=old, review=compare(old, new)))
    path = tmp_path_factory.mktemp("thousand") / "report.html"
    path.write_text(page)
    return path


@pytest.fixture(scope="session")
def seven(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the report of seven hosts, with a change and a proof."""
    old = make_documents(7, silent=[2, 4])
    new = make_documents([0, 1, 2, 4, 5, 6, 7], silent=[2, 4], moved=[1])
    page = write_report(new, Comparison(old=old, review=compare(old, new)), prove(new))
    path = tmp_path_factory.mktemp("seven") / "report.html"
    path.write_text(page)
    return path
