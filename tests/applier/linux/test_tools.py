"""The iptables doors: with the real tools on a real kernel, and with tools that misbehave."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from applier.errors import HostError, Unobservable, Unsupported
from applier.linux import programs, tools
from applier.linux.host import LinuxHost
from applier.linux.tools import Iptables
from schemas.state import IptablesVariant

NFT, LEGACY = IptablesVariant.NFT, IptablesVariant.LEGACY
BOTH = pytest.mark.parametrize("variant", [NFT, LEGACY])
FAMILIES = pytest.mark.parametrize("ipv6", [False, True], ids=["IPv4", "IPv6"])
CHAIN = "*filter\n:WORMHOLE-X - [0:0]\n-A WORMHOLE-X -j ACCEPT\nCOMMIT\n"

Install = Callable[[str, str], Path]


@pytest.fixture
def _real_tools() -> None:
    for name in ("iptables-nft-save", "iptables-legacy-save"):
        if not shutil.which(name, path="/usr/sbin:/sbin"):
            pytest.skip(f"no {name} (package iptables)")


kernel = pytest.mark.usefixtures("_real_tools")


def rules(text: str) -> list[str]:
    return [line for line in text.splitlines() if not line.startswith("#")]


@pytest.mark.kernel
@kernel
@BOTH
@FAMILIES
def test_what_is_restored_is_saved_and_nothing_else_is_flushed(
    host: LinuxHost, variant: IptablesVariant, *, ipv6: bool
) -> None:
    assert rules(host.iptables_save(variant, ipv6=ipv6)) == []
    host.iptables_restore(variant, "*filter\n-A INPUT -i lo -j ACCEPT\nCOMMIT\n", ipv6=ipv6)
    host.iptables_restore(variant, CHAIN, ipv6=ipv6)
    saved = rules(host.iptables_save(variant, ipv6=ipv6))
    assert "-A INPUT -i lo -j ACCEPT" in saved
    assert "-A WORMHOLE-X -j ACCEPT" in saved
    assert rules(host.iptables_save(variant, ipv6=not ipv6)) == []


@pytest.mark.kernel
@kernel
@BOTH
def test_a_refused_line_is_shown_and_nothing_of_its_table_is_loaded(
    host: LinuxHost, variant: IptablesVariant
) -> None:
    text = "*filter\n:WORMHOLE-X - [0:0]\n-A WORMHOLE-X -j NOWHERE\nCOMMIT\n"
    with pytest.raises(HostError) as caught:
        host.iptables_restore(variant, text, ipv6=False)
    assert "NOWHERE" in caught.value.reason or "; line" in caught.value.reason
    assert "WORMHOLE-X" not in host.iptables_save(variant, ipv6=False)


@pytest.mark.kernel
@kernel
def test_a_table_that_the_tool_cannot_show_is_unobservable(host: LinuxHost) -> None:
    script = "table ip filter { chain x { ct mark set 5; }; }"
    subprocess.run(["nft", "-f", "-"], input=script, text=True, check=True)
    with pytest.raises(Unobservable) as caught:
        host.iptables_save(NFT, ipv6=False)
    assert caught.value.reason == "table filter holds rules that it cannot show"


@pytest.mark.kernel
@kernel
def test_a_table_that_we_never_write_to_may_be_unreadable(host: LinuxHost) -> None:
    script = "table ip raw { chain x { ct mark set 5; }; }"
    subprocess.run(["nft", "-f", "-"], input=script, text=True, check=True)
    assert rules(host.iptables_save(NFT, ipv6=False)) == []


@pytest.mark.kernel
@kernel
def test_both_variants_are_there_the_default_first(host: LinuxHost) -> None:
    version = subprocess.check_output(["iptables", "--version"], text=True)
    expected = (NFT, LEGACY) if "nf_tables" in version else (LEGACY, NFT)
    assert host.iptables_variants() == expected


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Give the test a machine that has no other tools than those it installs."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(programs, "_FOLDERS", ())
    monkeypatch.setattr(tools, "_FIRST_PAUSE", 0)
    monkeypatch.setattr(tools, "_has_legacy_tables", lambda *, ipv6: not ipv6)

    def write_script(name: str, body: str) -> Path:
        path = tmp_path / name
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)
        return path

    programs.find_program.cache_clear()
    tools._default_variant.cache_clear()
    yield write_script
    programs.find_program.cache_clear()
    tools._default_variant.cache_clear()


def test_nothing_installed_is_no_variant_and_says_the_package(install: Install) -> None:  # noqa: ARG001 - nothing is
    assert Iptables().iptables_variants() == ()
    with pytest.raises(Unsupported) as caught:
        Iptables().iptables_save(NFT, ipv6=True)
    assert str(caught.value) == (
        "find ip6tables-nft-save: not installed (Debian and Ubuntu: package iptables) (code 2)"
    )


@pytest.mark.parametrize(
    ("version", "variant"),
    [("v1.8.9 (nf_tables)", NFT), ("v1.8.9 (legacy)", LEGACY), ("v1.6.1", LEGACY)],
)
def test_plain_names_serve_where_there_are_no_others(
    install: Install, version: str, variant: IptablesVariant
) -> None:
    install("iptables", f"echo 'iptables {version}'")
    install("iptables-save", "echo saved")
    assert Iptables().iptables_variants() == (variant,)
    assert Iptables().iptables_save(variant, ipv6=False) == "saved\n"
    other = LEGACY if variant is NFT else NFT
    with pytest.raises(Unsupported):
        Iptables().iptables_save(other, ipv6=False)


def test_legacy_without_tables_is_empty_and_its_tool_is_not_run(install: Install) -> None:
    install("ip6tables-legacy-save", "echo the module is loaded now")
    assert Iptables().iptables_save(LEGACY, ipv6=True) == ""


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("echo out; echo first >&2; echo second >&2; exit 1", "first; second"),
        ("exit 1", "it failed without a word"),
    ],
)
def test_a_save_that_fails_is_unobservable(install: Install, body: str, reason: str) -> None:
    path = install("iptables-nft-save", body)
    with pytest.raises(Unobservable) as caught:
        Iptables().iptables_save(NFT, ipv6=False)
    assert str(caught.value) == f"run {path}: {reason} (code 1)"


def test_a_save_that_cannot_show_a_table_is_unobservable_on_either_stream(
    install: Install,
) -> None:
    says = "# Table \\`nat' is incompatible, use 'nft' tool."
    for stream in ("", " >&2"):
        path = install("iptables-nft-save", f'echo "{says}"{stream}')
        with pytest.raises(Unobservable) as caught:
            Iptables().iptables_save(NFT, ipv6=False)
        assert str(caught.value) == f"run {path}: table nat holds rules that it cannot show"


def test_a_kernel_without_nftables_does_not_support_the_variant(install: Install) -> None:
    install(
        "iptables-nft-save", "echo 'Failed to initialize nft: Protocol not supported' >&2; exit 1"
    )
    with pytest.raises(Unsupported):
        Iptables().iptables_save(NFT, ipv6=False)


def test_a_tool_that_hangs_is_given_up(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools, "_TIMEOUT", 0.2)
    path = install("iptables-nft-save", "exec /bin/sleep 20")
    with pytest.raises(Unobservable) as caught:
        Iptables().iptables_save(NFT, ipv6=False)
    assert str(caught.value) == f"run {path}: did not end within 0 s (code 110)"


def test_tools_speak_english_and_odd_bytes_survive(install: Install, tmp_path: Path) -> None:
    install("iptables-nft-save", "echo $LC_ALL; printf '\\377'")
    saved = Iptables().iptables_save(NFT, ipv6=False)
    assert saved == "C\n\udcff"
    install("iptables-nft-restore", f"/bin/cat > {tmp_path}/loaded; echo $* > {tmp_path}/options")
    Iptables().iptables_restore(NFT, saved, ipv6=False)
    assert (tmp_path / "loaded").read_bytes() == b"C\n\xff"
    assert (tmp_path / "options").read_text() == "--noflush --wait 10\n"


def test_a_restore_that_finds_the_kernel_busy_is_tried_again(
    install: Install, tmp_path: Path
) -> None:
    tries = tmp_path / "tries"
    busy = f"echo x >> {tries}; [ $(/usr/bin/wc -l < {tries}) -ge 3 ] || exit 4"
    install("iptables-nft-restore", busy)
    Iptables().iptables_restore(NFT, CHAIN, ipv6=False)
    assert tries.read_text() == "x\nx\nx\n"


def test_a_kernel_that_stays_busy_is_given_up(install: Install, tmp_path: Path) -> None:
    tries = tmp_path / "tries"
    path = install("iptables-nft-restore", f"echo x >> {tries}; echo busy >&2; exit 4")
    with pytest.raises(HostError) as caught:
        Iptables().iptables_restore(NFT, CHAIN, ipv6=False)
    assert str(caught.value) == f"run {path} --noflush: busy (code 4)"
    assert tries.read_text() == "x\n" * 4


@pytest.mark.parametrize("words", ["iptables-restore: line 3 failed", "Error occurred at line: 3"])
def test_the_line_that_a_restore_names_is_shown(install: Install, words: str) -> None:
    path = install("iptables-nft-restore", f"echo '{words}' >&2; exit 1")
    with pytest.raises(HostError) as caught:
        Iptables().iptables_restore(NFT, CHAIN, ipv6=False)
    assert str(caught.value) == (
        f"run {path} --noflush: {words}; line 3 is '-A WORMHOLE-X -j ACCEPT' (code 1)"
    )
