"""The page is one file that needs nothing, and what documents hold stays text in it."""

import json
import re
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser

import pytest
from msgspec.structs import replace
from sizes import HOSTILE, make_documents, spoil

from review.changes.compare import compare
from review.model.packet import Packet
from review.model.story import Fate, Place, Stage, Step, Story
from review.proof.claim import Claim, Counterexample, Proof, Unfollowed
from review.report.page import Comparison, spell_data, write_report
from schemas.state import Documents
from schemas.values import NodeName


class Reader(HTMLParser):
    """Takes a page apart as a browser does: elements, and the text of each."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self._open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in {"meta", "input", "br", "link", "img"}:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in self._open:
            while self._open.pop() != tag:
                pass

    def handle_data(self, data: str) -> None:
        self.texts.append((self._open[-1] if self._open else "", data))


def make_proof() -> Proof:
    packet = Packet(source="10.0.0.10", destination="10.0.1.10")
    step = Step(host=NodeName("node-0000"), stage=Stage.ROUTE, decision="no route")
    story = Story(
        packet=packet, arrived=packet, fate=Fate.UNREACHABLE, host=step.host, steps=(step,)
    )
    found = Counterexample(
        claim=Claim.REACH,
        subject="pods of node-0000 do not reach pods of node-0001",
        story=story,
        place=Place(file="hosts/node-0000.json", path=("routes",)),
        fault="there is no route",
    )
    return Proof(
        hosts=2,
        classes=1,
        families=("IPv4",),
        pairs=2,
        situations=9,
        packets=1234,
        counterexamples=(found,),
    )


def test_it_has_one_script_and_one_policy_that_lets_only_that_run() -> None:
    page = write_report(make_documents(3))
    script = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    assert len(script) == 1
    digest = b64encode(sha256(script[0].encode()).digest()).decode()
    policy = next(
        attributes["content"]
        for tag, attributes in Reader(page).elements
        if tag == "meta" and attributes.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy == (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none';"
        f" form-action 'none'; script-src 'sha256-{digest}'"
    )


def test_it_refers_to_nothing_outside() -> None:
    old = make_documents(3)
    new = make_documents(4)
    page = write_report(new, Comparison(old=old, review=compare(old, new)), make_proof())
    for _, attributes in Reader(page).elements:
        for name in ("src", "href", "action", "data", "poster", "srcset"):
            assert (attributes.get(name) or "#").startswith("#")
    assert re.findall(r"https?://(?!www\.w3\.org/2000/svg)", page) == []
    assert "@import" not in page
    assert "url(" not in page


def test_it_is_the_same_each_time() -> None:
    assert write_report(make_documents(5)) == write_report(make_documents(5))


def test_what_documents_hold_is_text() -> None:
    plain, spoilt = (
        Reader(write_report(spoil(make_documents(2), "plain"))),
        write_report(spoil(make_documents(2))),
    )
    read = Reader(spoilt)
    assert [tag for tag, _ in read.elements] == [tag for tag, _ in plain.elements]
    assert "\x1b" not in spoilt
    assert "\u202e" not in re.sub(
        r'<script type="application/json".*?</script>', "", spoilt, flags=re.DOTALL
    )
    (data,) = [text for tag, text in read.texts if tag == "script" and text.startswith("{")]
    assert HOSTILE in json.dumps(json.loads(data), ensure_ascii=False).replace("\\u001b", "\x1b")


def test_no_text_in_the_data_can_begin_an_element() -> None:
    assert {*"<>&"} & {*spell_data({HOSTILE: HOSTILE})} == set()
    assert json.loads(spell_data({HOSTILE: HOSTILE})) == {HOSTILE: HOSTILE}


def test_the_essentials_are_there_without_a_script() -> None:
    old, new = make_documents(2, silent=[1]), make_documents(3, silent=[1])
    page = write_report(new, Comparison(old=old, review=compare(old, new)), make_proof())
    text = " ".join(text for tag, text in Reader(page).texts if tag not in {"script", "style"})
    for said in (
        "node-0002 joins",
        "10.0.2.0/24",
        "node-0001: no endpoint, so nobody reaches them before they have spoken",
        "pods of node-0000 do not reach pods of node-0001",
        "mend it in hosts/node-0000.json at routes",
        "1,234 packets walked in 9 situations",
        "Without JavaScript the hosts are listed",
    ):
        assert said in " ".join(text.split())


@pytest.mark.parametrize("section", ["changes", "proof", "warnings"])
def test_sections_without_content_are_left_out(section: str) -> None:
    assert f'id="{section}"' not in write_report(make_documents(2))


def test_two_equal_states_are_said_to_be_so() -> None:
    same = make_documents(2)
    page = write_report(same, Comparison(old=same, review=compare(same, same)))
    assert "Nothing changes: both states are the same." in page


def test_a_proof_without_counterexamples_says_what_holds() -> None:
    page = write_report(make_documents(2), proof=replace(make_proof(), counterexamples=()))
    assert "<b>Proven:</b> every pod reaches every pod" in page


def test_contradictions_are_warnings() -> None:
    documents = make_documents(2)
    first = next(iter(documents.hosts.values()))
    other = replace(
        first, wireguard=replace(first.wireguard, mtu=1280, preshared_key_epoch="2026-11")
    )
    page = write_report(replace(documents, hosts={**documents.hosts, first.name: other}))
    assert "hosts have different MTUs: 1280, 1440" in page
    assert (
        "hosts have different epochs of pre-shared keys, and do not talk across: 2026-11, none"
        in page
    )


def test_a_thousand_hosts_are_a_page_of_a_megabyte() -> None:
    assert len(write_report(make_documents(1000)).encode()) < 1_100_000


def find_verdict(documents: Documents, **changes: object) -> str:
    proof = replace(make_proof(), **{"counterexamples": ()} | changes)
    page = write_report(documents, proof=proof)
    return re.sub("<[^>]*>", "", page[page.index('<p class="verdict') :].partition("</p>")[0])


def test_the_verdict_is_that_of_check() -> None:
    sound = make_documents(3)
    broken = replace(sound, hosts={name: sound.hosts[name] for name in sorted(sound.hosts)[1:]})
    odd = Unfollowed(place=Place(file="hosts/node-0000.json", path=("sysctls",)), fault="is odd")
    proven = (
        "Proven: every pod reaches every pod, nothing for the overlay leaves in clear, nobody"
        " speaks in another's name"
    )
    assert find_verdict(sound) == proven
    assert find_verdict(sound, counterexamples=make_proof().counterexamples) == (
        "Not proven: 1 counter-example"
    )
    assert find_verdict(sound, unfollowed=(odd, odd)) == (
        "Not proven: 2 places that cannot be followed"
    )
    assert find_verdict(broken) == "Not proven: 1 contradiction among the warnings"


def test_what_cannot_be_followed_is_told_with_its_place() -> None:
    odd = Unfollowed(
        place=Place(file="hosts/node-0000.json", path=("sysctls",)), fault="is <b>odd</b>", hosts=3
    )
    page = write_report(make_documents(3), proof=replace(make_proof(), unfollowed=(odd,)))
    assert (
        "<p><code>hosts/node-0000.json</code> at <code>sysctls</code>:"
        " is &lt;b&gt;odd&lt;/b&gt;; stands for 3 hosts</p>"
    ) in page
