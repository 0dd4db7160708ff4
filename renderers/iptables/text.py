"""One rule's text: tokens, quotes, and the one spelling in which rules are compared.

``iptables-save`` quotes a comment that holds anything but ``A-Za-z0-9_-`` and puts a backslash
before ``"``, ``'`` and the backslash itself (``libxtables/xtables.c``, ``xtables_save_string``).
"""

import re
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from ipaddress import ip_network
from typing import Final

Options = dict[str, tuple[str, ...]]
"""A rule as option to arguments. A match module is an option of its own: ``-m tcp``."""

MAX_COMMENT: Final = 255
"""Bytes; ``XT_MAX_COMMENT_LEN`` less its NUL. iptables cuts off the rest without a word."""

_TOKEN: Final = re.compile(r'"((?:[^"\\]|\\.)*)"|(\S+)')
_ESCAPE: Final = re.compile(r"\\(.)")
_TO_ESCAPE: Final = re.compile(r"([\"\\'])")
_PLAIN: Final = re.compile(r"[A-Za-z0-9_-]+")

_ARITY: Final[Mapping[str, int]] = {
    "-s": 1,
    "-d": 1,
    "-i": 1,
    "-o": 1,
    "-p": 1,
    "-m tcp": 0,
    "--tcp-flags": 2,
    "-m comment": 0,
    "--comment": 1,
    "-j": 1,
    "--clamp-mss-to-pmtu": 0,
    "--random-fully": 0,
}
"""Every option that a rule of ours may have, and its arguments, in the order of iptables 1.8.9.

The vocabulary is closed: a rule in a chain of ours that says anything else was not written by us.
"""


def split_tokens(text: str) -> tuple[str, ...]:
    """Split a rule into its words, quotes resolved."""
    return tuple(
        _ESCAPE.sub(r"\1", match[1]) if match[2] is None else match[2]
        for match in _TOKEN.finditer(text)
    )


def canonical_text(text: str) -> str:
    """Respell a rule of a chain of ours, so that equal meaning is equal text.

    Print order differs between versions of iptables, so it does not count. A rule that uses an
    option we do not know, or one twice, comes back as it is, and equals nothing of ours.
    """
    options = _parse_options(split_tokens(text))
    return text if options is None else join_options(options)


def join_options(options: Options) -> str:
    """Spell a rule as ``iptables-save`` prints it."""
    words = []
    for option in _ARITY:
        if option in options:
            words += [option, *options[option]]
    return " ".join(words)


def quote_comment(comment: str) -> str:
    """Spell a comment as ``iptables-save`` does; :func:`join_options` wants it so."""
    if _PLAIN.fullmatch(comment):
        return comment
    return '"' + _TO_ESCAPE.sub(r"\\\1", comment) + '"'


def cut_comment(comment: str) -> str:
    """Make any text fit for a comment: one line, at most 255 bytes, no half characters."""
    if not comment.isprintable():
        comment = "".join(letter if letter.isprintable() else " " for letter in comment)
    return " ".join(comment.split()).encode()[:MAX_COMMENT].decode(errors="ignore")


def is_any(prefix: str) -> bool:
    """Whether a prefix holds every address: ``iptables-save`` leaves such a match out."""
    return prefix.endswith("/0")


@lru_cache(maxsize=4096)
def spell_prefix(prefix: str) -> str:
    """Spell a prefix as documents do; what is none, such as a mask with holes, stays as it is.

    The C library prints the last 32 bits of a mapped IPv6 address in dots, Python does not
    (``::ffff:0.0.0.0/96``, ``::ffff:0:0/96``).
    """
    with suppress(ValueError):
        return str(ip_network(prefix))
    return prefix


def _parse_options(tokens: tuple[str, ...]) -> Options | None:
    options: Options = {}
    rest = list(tokens)
    while rest:
        option = rest.pop(0)
        if option == "-m" and rest:
            option = f"-m {rest.pop(0)}"
        arity = _ARITY.get(option)
        if arity is None or option in options or len(rest) < arity:
            return None
        options[option] = tuple(_respell(option, word) for word in rest[:arity])
        del rest[:arity]
    return options


def _respell(option: str, word: str) -> str:
    if option == "--comment":
        return quote_comment(word)
    if option in {"-s", "-d"}:
        return spell_prefix(word)
    return word
