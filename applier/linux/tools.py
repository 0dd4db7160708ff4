"""The iptables tools: which are installed, what they save, how they load.

The two variants are two kernel interfaces with one syntax: rules of one are invisible to the
other's tools, so every call here names its program by variant and absolute path.
"""

import errno
import os
import re
import subprocess
import time
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

from applier.errors import HostError, NotInstalled, Unobservable, Unsupported
from applier.linux.programs import find_program
from applier.linux.writes import write
from renderers.iptables import find_hidden
from schemas.state import IptablesVariant

_TIMEOUT: Final = 60.0
"""Seconds for one call; ``--wait`` is a sixth of it."""
_RESOURCE_PROBLEM: Final = 4
"""``RESOURCE_PROBLEM`` (``xshared.h``): the lock or the kernel was busy, or the kernel refused."""
_RESTORE_ATTEMPTS: Final = 4
_FIRST_PAUSE: Final = 0.04
"""Seconds before the second attempt; doubled before each other one."""

_LINE: Final = re.compile(r"\bline:? (\d+)\b")


class _Output(NamedTuple):
    code: int
    stdout: str
    stderr: str


class Iptables:
    """The doors to iptables."""

    def iptables_variants(self) -> tuple[IptablesVariant, ...]:
        """Return the variants whose tools are installed, the host's default first."""
        default = _default_variant()
        both = (IptablesVariant.NFT, IptablesVariant.LEGACY)
        there = [variant for variant in both if _program(variant, "save", ipv6=False)]
        return tuple(sorted(there, key=lambda variant: variant is not default))

    def iptables_save(self, variant: IptablesVariant, *, ipv6: bool) -> str:
        """Return what ``iptables-save`` prints; empty where the kernel has no such tables.

        Raises:
            NotInstalled: the tool is not there.
            Unsupported: the kernel lacks this variant.
            Unobservable: the tool failed, or could not show a table of those we write to.

        """
        program = _require(variant, "save", ipv6=ipv6)
        if variant is IptablesVariant.LEGACY and not _has_legacy_tables(ipv6=ipv6):
            return ""
        output = _run(Unobservable, program, "")
        if output.code:
            raise _refusal(program, output)
        if hidden := find_hidden(output.stdout + "\n" + output.stderr):
            reason = f"table {', '.join(hidden)} holds rules that it cannot show"
            raise Unobservable("run", program, reason)
        return output.stdout

    def iptables_restore(self, variant: IptablesVariant, text: str, *, ipv6: bool) -> None:
        """Load with ``--noflush``: each table is one transaction, several tables are not.

        Raises:
            NotInstalled: the tool is not there.
            HostError: it failed; with what it said, and the line of the text that it named.

        """
        program = _require(variant, "restore", ipv6=ipv6)
        with write("run", f"{program} --noflush"):
            output = _run(HostError, program, text, "--noflush", "--wait", "10")
            for attempt in range(_RESTORE_ATTEMPTS - 1):
                if output.code != _RESOURCE_PROBLEM:
                    break
                time.sleep(_FIRST_PAUSE * 2**attempt)
                output = _run(HostError, program, text, "--noflush", "--wait", "10")
            if output.code:
                reason = _explain(output.stderr, text)
                raise HostError("run", f"{program} --noflush", reason, output.code)


@cache
def _default_variant() -> IptablesVariant | None:
    """Ask the host's ``iptables`` which variant it is; releases before 1.8 do not say: legacy."""
    program = find_program("iptables")
    if program is None:
        return None
    says_nft = "nf_tables" in _run(Unobservable, program, "", "--version").stdout
    return IptablesVariant.NFT if says_nft else IptablesVariant.LEGACY


def _program(variant: IptablesVariant, verb: str, *, ipv6: bool) -> str | None:
    """Return the variant's program: by its own name, or the plain one where that is the same."""
    family = "ip6tables" if ipv6 else "iptables"
    path = find_program(f"{family}-{variant}-{verb}")
    if path is None and _default_variant() is variant:
        path = find_program(f"{family}-{verb}")
    return path


def _require(variant: IptablesVariant, verb: str, *, ipv6: bool) -> str:
    path = _program(variant, verb, ipv6=ipv6)
    if path is None:
        name = f"{'ip6tables' if ipv6 else 'iptables'}-{variant}-{verb}"
        reason = "not installed (Debian and Ubuntu: package iptables)"
        raise NotInstalled("find", name, reason, errno.ENOENT)
    return path


def _has_legacy_tables(*, ipv6: bool) -> bool:
    """Whether legacy tables exist; to ask its own tool would load the modules that make them."""
    names = Path("/proc/net/ip6_tables_names" if ipv6 else "/proc/net/ip_tables_names")
    try:
        return bool(names.read_text("ascii").strip())
    except FileNotFoundError:
        return False
    except OSError as error:
        reason = error.strerror or str(error)
        raise Unobservable("read", str(names), reason, error.errno or 0) from error


def _run(failure: type[HostError], program: str, text: str, *arguments: str) -> _Output:
    """Run a tool to its end. Text that is no UTF-8 survives the way in and out."""
    try:
        done = subprocess.run(  # noqa: S603 - an absolute path, and arguments of ours
            [program, *arguments],
            input=text,
            capture_output=True,
            encoding="utf-8",
            errors="surrogateescape",
            env={**os.environ, "LC_ALL": "C"},
            timeout=_TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        reason = f"did not end within {_TIMEOUT:.0f} s"
        raise failure("run", program, reason, errno.ETIMEDOUT) from error
    except OSError as error:
        reason = error.strerror or str(error)
        raise failure("run", program, reason, error.errno or 0) from error
    return _Output(done.returncode, done.stdout, done.stderr)


def _refusal(program: str, output: _Output) -> HostError:
    """Tell a kernel that lacks the variant from one that could not be read."""
    lacking = "Protocol not supported" in output.stderr or "Table does not exist" in output.stderr
    reason = _explain(output.stderr, "")
    return (Unsupported if lacking else Unobservable)("run", program, reason, output.code)


def _explain(stderr: str, text: str) -> str:
    """Return the first lines that a tool said, and the line of our text that it meant."""
    said = [line.strip() for line in stderr.splitlines() if line.strip()]
    reason = "; ".join(said[:3]) or "it failed without a word"
    named = _LINE.search(stderr)
    lines = text.splitlines()
    if named and 1 <= int(named[1]) <= len(lines):
        reason += f"; line {named[1]} is {lines[int(named[1]) - 1]!r}"
    return reason
