"""The report in a real browser: it runs, it asks for nothing, it is found and read by everybody."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from chromium import Browser
from msgspec.structs import replace
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys
from sizes import HOSTILE, make_documents, spoil

from review.report.page import write_report
from schemas.document import dump
from schemas.problems import neutralise

pytestmark = pytest.mark.browser

SHOWN = "return [...document.querySelectorAll('.hosts > tbody > tr:not([hidden])')].map(r => r.id)"
CONTRAST = (Path(__file__).parent / "contrast.js").read_text()
REASONS = (
    "return [...document.querySelectorAll('.panel .rules td:nth-child(3)')]"
    ".map((cell) => cell.textContent)"
)


def type_in(browser: Browser, text: str) -> str:
    """Type into the search box as a person does; return what is said to be found."""
    box = browser.driver.find_element("id", "query")
    box.send_keys(Keys.CONTROL, "a")
    box.send_keys(Keys.BACKSPACE)
    box.send_keys(text)
    return str(browser.ask("return document.getElementById('found').textContent"))


def press(browser: Browser, *keys: str) -> None:
    ActionChains(browser.driver).send_keys(*keys).perform()


def focused(browser: Browser) -> str:
    return str(
        browser.ask("return document.activeElement.id || document.activeElement.textContent")
    )


@pytest.mark.parametrize("fragment", ["", "#host-node-0003"])
def test_it_runs_without_a_complaint_and_asks_for_nothing(
    browser: Browser, seven: Path, fragment: str
) -> None:
    browser.open(seven, fragment)
    assert browser.complaints() == []
    assert browser.requests() == [seven.resolve().as_uri()]


def test_the_policy_refuses_what_a_page_would_fetch_or_run(browser: Browser, seven: Path) -> None:
    browser.open(seven)
    browser.ask(
        "const image = new Image(); image.src = 'http://192.0.2.1/';"
        "const script = document.createElement('script'); script.textContent = 'window.ran = 1';"
        "document.body.append(image, script)"
    )
    assert browser.ask("return window.ran ?? 'no'") == "no"
    assert len([each for each in browser.complaints() if "Content Security Policy" in each]) == 2


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("node-0042", ["host-node-0042"]),
        ("NODE-0042", ["host-node-0042"]),
        ("10.1.44.0/24", ["host-node-0300"]),
        ("10.1.44.17", ["host-node-0300"]),
        ("fd00:244:12d::17", ["host-node-0300"]),
        ("172.20.0.1", ["host-node-0001"]),
        ("speaks first", ["host-node-0003", "host-node-0077"]),
        ("node-0003 speaks", ["host-node-0003"]),
        ("joins", ["host-node-1000"]),
        ("node-0500", []),
    ],
)
def test_search_narrows_a_thousand_hosts(
    browser: Browser, thousand: Path, words: str, found: list[str]
) -> None:
    browser.open(thousand)
    assert type_in(browser, words) == f"{len(found)} of 1,000 hosts"
    assert browser.ask(SHOWN) == found
    assert browser.ask("return document.getElementById('nobody').hidden") is bool(found)


def test_a_key_finds_its_host(browser: Browser, thousand: Path) -> None:
    key = make_documents(43).hosts["node-0042"].wireguard.public_key  # type: ignore[index] # a name
    browser.open(thousand)
    assert type_in(browser, key[:12]) == "1 of 1,000 hosts"
    assert browser.ask(SHOWN) == ["host-node-0042"]


def test_an_empty_search_shows_all_again(browser: Browser, thousand: Path) -> None:
    browser.open(thousand)
    type_in(browser, "node-0042")
    press(browser, Keys.ESCAPE)
    assert browser.ask("return document.getElementById('found').textContent") == "1,000 hosts"
    assert len(browser.ask(SHOWN)) == 1000


def test_opening_a_host_shows_its_rules_and_its_document(browser: Browser, seven: Path) -> None:
    host = make_documents(7).hosts["node-0005"]  # type: ignore[index] # a name
    browser.open(seven)
    browser.driver.find_element("link text", "node-0005").click()
    chains = (*host.firewall.ipv4, *host.firewall.ipv6)
    assert browser.ask(REASONS) == [rule.comment for chain in chains for rule in chain.rules]
    for summary in browser.driver.find_elements("css selector", ".panel summary"):
        summary.click()
    assert browser.ask("return document.querySelectorAll('.peers tbody tr').length") == 6
    text = browser.ask("return document.querySelector('.panel pre').textContent")
    assert f"{text}\n".encode() == dump(host)


def test_a_host_can_be_linked_to(browser: Browser, thousand: Path) -> None:
    browser.open(thousand, "#host-node-0700")
    assert browser.ask("return document.querySelector('.panel').hidden") is False
    top = browser.ask(
        "return document.getElementById('host-node-0700').getBoundingClientRect().top"
    )
    assert 0 <= top <= 900


def test_a_keyboard_is_enough(browser: Browser, thousand: Path) -> None:
    browser.open(thousand)
    press(browser, Keys.TAB)
    assert focused(browser) == "Skip to the hosts"
    press(browser, "/")
    assert focused(browser) == "query"
    press(browser, "node-0042", Keys.ENTER)
    assert focused(browser) == "node-0042"
    assert browser.ask("return document.querySelector('.panel').hidden") is False
    press(browser, Keys.ENTER)
    assert browser.ask("return document.querySelector('.panel').hidden") is True
    back = ActionChains(browser.driver).key_down(Keys.SHIFT).send_keys(Keys.TAB)
    back.key_up(Keys.SHIFT).perform()
    assert focused(browser) == "query"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_has_contrast(browser: Browser, seven: Path, scheme: str) -> None:
    browser.prefer(scheme)
    browser.open(seven, "#host-node-0002")
    found = browser.ask(CONTRAST)
    assert len(found) > 20
    assert {kind: ratio for kind, ratio in found.items() if ratio < 4.5} == {}


def test_dark_is_dark(browser: Browser, seven: Path) -> None:
    browser.open(seven)
    body = "return getComputedStyle(document.body).backgroundColor"
    paper = "return getComputedStyle(document.querySelector('svg .paper')).fill"
    assert (browser.ask(body), browser.ask(paper)) == ("rgb(255, 255, 255)",) * 2
    browser.prefer("dark")
    assert (browser.ask(body), browser.ask(paper)) == ("rgb(16, 22, 31)",) * 2


@pytest.mark.parametrize("width", [360, 700, 1000])
def test_nothing_overflows(browser: Browser, seven: Path, thousand: Path, width: int) -> None:
    browser.resize(width)
    for page, fragment in ((seven, "#host-node-0002"), (thousand, "#host-node-0002")):
        browser.open(page, fragment)
        assert browser.ask("return document.documentElement.scrollWidth") == width
        seen = "const box = document.querySelector('.picture'); box.scrollLeft = 9999;"
        lost = browser.ask(f"{seen} return box.scrollWidth - box.clientWidth - box.scrollLeft")
        assert abs(lost) < 2


def test_it_is_readable_on_paper(browser: Browser, seven: Path, tmp_path: Path) -> None:
    if not shutil.which("pdftotext"):
        pytest.skip("no pdftotext here (package poppler-utils)")
    browser.prefer("dark")
    browser.open(seven, "#host-node-0002")
    path = tmp_path / "report.pdf"
    path.write_bytes(browser.print_page())
    done = subprocess.run(
        ["pdftotext", "-layout", path, "-"], capture_output=True, text=True, check=True, timeout=60
    )
    pages = done.stdout.split("\f")[:-1]
    text = " ".join(done.stdout.split())
    assert 3 <= len(pages) <= 7
    for said in ("Changes", "node-0007 joins", "Not proven:", "the overlay is never sent in clear"):
        assert said in text
    assert "Find a host" not in text
    assert "Skip to" not in text


def test_what_documents_hold_does_nothing(browser: Browser, tmp_path: Path) -> None:
    path = tmp_path / "hostile.html"
    path.write_text(write_report(spoil(make_documents(2))))
    browser.open(path, "#host-node-0001")
    for summary in browser.driver.find_elements("css selector", ".panel summary"):
        summary.click()
    assert browser.ask("return window.ran ?? 'no'") == "no"
    assert browser.ask("return document.images.length") == 0
    assert browser.complaints() == []
    values = browser.ask("return document.querySelector('.values').textContent")
    assert neutralise(f"epoch {HOSTILE}") in values
    text = browser.ask("return document.body.textContent.replace(/{.*}/s, '')")
    assert "\u202e" not in text


def test_a_host_opens_whatever_its_cni_configuration_is(browser: Browser, tmp_path: Path) -> None:
    documents = make_documents(2)
    [name, *_] = documents.hosts
    host = documents.hosts[name]
    ranges = [[{"rangeStart": {"toString": 1}}], "abc", None]
    config = host.cni.config | {"plugins": [{"type": "bridge", "ipam": {"ranges": ranges}}, 1]}
    hosts = documents.hosts | {name: replace(host, cni=replace(host.cni, config=config))}
    path = tmp_path / "odd.html"
    path.write_text(write_report(replace(documents, hosts=hosts)))
    browser.open(path, f"#host-{name}")
    cells = browser.ask("return [...document.querySelectorAll('.cni td')].at(-1).textContent")
    assert cells == '{"toString":1} to nothing  nothing to nothing  nothing to nothing'
    assert browser.complaints() == []


def test_a_thousand_hosts_are_there_at_once(browser: Browser, thousand: Path) -> None:
    """Bounds are wide: machines that test do other things too. docs/performance.md has figures."""
    browser.open(thousand)
    loaded = browser.ask("return performance.getEntriesByType('navigation')[0].domInteractive")
    assert loaded < 5000
    took = browser.ask(
        "const box = document.getElementById('query'); const begun = performance.now();"
        "for (const text of ['n', 'no', 'node-07']) {"
        " box.value = text; box.dispatchEvent(new Event('input')); document.body.offsetHeight; }"
        "return performance.now() - begun"
    )
    assert took < 3000
    assert len(re.findall("<tr id=", thousand.read_text())) == 1000
