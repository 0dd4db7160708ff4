import pytest

from renderers.iptables.text import (
    MAX_COMMENT,
    canonical_text,
    cut_comment,
    is_any,
    quote_comment,
    spell_prefix,
    split_tokens,
)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", ()),
        ("-i a -j DROP", ("-i", "a", "-j", "DROP")),
        ('--comment "two words" -j X', ("--comment", "two words", "-j", "X")),
        (r'--comment "it\'s \"so\" \\ -j Y"', ("--comment", 'it\'s "so" \\ -j Y')),
    ],
)
def test_a_rule_is_split_as_iptables_splits_it(text: str, tokens: tuple[str, ...]) -> None:
    assert tokens == split_tokens(text)


@pytest.mark.parametrize(
    ("comment", "spelled"),
    [
        ("plain_word-1", "plain_word-1"),
        ("two words", '"two words"'),
        ("a:b", '"a:b"'),
        ("it's", r'"it\'s"'),
        ('say "x"', r'"say \"x\""'),
        ("back\\slash", r'"back\\slash"'),
        ("", '""'),
    ],
)
def test_a_comment_is_quoted_as_iptables_save_quotes_it(comment: str, spelled: str) -> None:
    assert spelled == quote_comment(comment)
    assert (comment,) == split_tokens(spelled)


def test_a_comment_is_cut_at_a_whole_character() -> None:
    assert cut_comment("a" + "é" * 200) == "a" + "é" * 127
    assert len(cut_comment("a" + "é" * 200).encode()) == MAX_COMMENT


def test_a_comment_is_one_line() -> None:
    assert cut_comment(" one\ntwo\x00\tthree ") == "one two three"


@pytest.mark.parametrize(
    ("prefix", "spelled"),
    [
        ("10.244.0.0/16", "10.244.0.0/16"),
        ("fd00::/48", "fd00::/48"),
        ("::ffff:0.0.0.0/96", "::ffff:0:0/96"),
        ("10.0.0.0/255.0.255.0", "10.0.0.0/255.0.255.0"),
    ],
)
def test_a_prefix_is_spelled_as_in_documents(prefix: str, spelled: str) -> None:
    assert spelled == spell_prefix(prefix)


@pytest.mark.parametrize(
    ("prefix", "expected"),
    [("0.0.0.0/0", True), ("::/0", True), ("10.0.0.0/10", False), ("::/10", False)],
)
def test_only_a_length_of_zero_is_every_address(prefix: str, expected: bool) -> None:  # noqa: FBT001 - a parameter
    assert expected == is_any(prefix)


def test_the_order_of_options_does_not_count() -> None:
    syn = "-p tcp -m tcp --tcp-flags SYN,RST SYN"
    comment = '-m comment --comment "a b"'
    canonical = f"-s 10.0.0.0/8 -i a {syn} {comment} -j DROP"
    shuffled = f"{comment} {syn} -i a -s 10.0.0.0/8 -j DROP"
    assert canonical == canonical_text(shuffled)
    assert canonical == canonical_text(canonical)


@pytest.mark.parametrize(
    "text",
    [
        "-j DROP -m conntrack --ctstate NEW",  # a module that we do not use
        "-j DROP ! -i a",  # a negation
        "-j DROP -i a -i b",  # an option twice
        "-j DROP -s",  # an argument missing
        "-g CHAIN -i a",  # goto
    ],
)
def test_a_rule_outside_our_vocabulary_stays_as_it_is(text: str) -> None:
    assert text == canonical_text(text)


def test_a_mask_with_holes_stays_as_it_is() -> None:
    assert canonical_text("-j DROP -s 10.0.0.0/255.0.255.0") == "-s 10.0.0.0/255.0.255.0 -j DROP"
