"""On a host: apply and plan, against the native tools on the same artifacts. Root only.

Each run has a network namespace and a ``/run`` of its own, which end with it.
"""

import itertools
import os
import shutil
import sys
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

from bench.clock import Run, median, run, take_turns
from bench.meshes import private_key, write_inventory
from bench.offline import WORMHOLE
from bench.rows import Row, spell_ratio, spell_seconds

TOOLS = ("unshare", "ip", "wg", "wireguard-go", "iptables-restore", "ip6tables-restore", "sysctl")
_AS_LONG = "times the time"
_HOST = "node-0000"
_PRELUDE = "set -e; mount -t tmpfs tmpfs /run; mkdir /run/cni; "
# The process behind the device ends with the device; nothing of a run may outlive it.
_EPILOGUE = "; ip link delete wormhole-wg0"
_CLOCK = "date +%s%N"


def missing() -> str:
    """Say why nothing can be measured here; empty when it can."""
    if os.geteuid() != 0:
        return "not root"
    lacking = [tool for tool in TOOLS if shutil.which(tool) is None]
    return f"missing: {', '.join(lacking)}" if lacking else ""


def measure_host(folder: Path, size: int, times: int) -> Iterator[Row]:
    """Measure one size of mesh, as its first host sees it."""
    _prepare(folder, size)
    label = f"{size:,} peers"
    ours, theirs = take_turns(
        times,
        lambda: _measure_inside(folder, _apply(size)),
        lambda: _measure_inside(folder, _by_hand(size)),
    )
    yield Row(
        f"`apply` from empty, {label}",
        spell_seconds(median(ours)),
        f"native tools {spell_seconds(median(theirs))}",
        spell_ratio(median(ours) / median(theirs), _AS_LONG),
        "at most 2" if size == 1000 else "shown",
    )
    plans, imports = _measure_plans(folder, size)
    yield Row(
        f"`plan` without changes, {label}",
        spell_seconds(plans),
        f"`import pyroute2` {spell_seconds(imports)}",
        spell_ratio(plans / imports, _AS_LONG),
        "at most 2" if size == 1000 else "shown",
    )


def _prepare(folder: Path, size: int) -> None:
    """Write the state, the artifacts, and a configuration with the private key in it."""
    inventory = write_inventory(folder / f"{size}.json", size + 1)
    run([*WORMHOLE, "compile", str(inventory), "-o", f"host-{size}"], cwd=folder)
    arguments = ["render", f"host-{size}", "--host", _HOST, "-o", f"by-hand-{size}"]
    run([*WORMHOLE, *arguments], cwd=folder)
    data = folder / "data"
    data.mkdir(exist_ok=True)
    key = data / "private.key"
    key.write_bytes(b64encode(private_key(0)) + b"\n")
    key.chmod(0o600)
    configuration = folder / f"by-hand-{size}" / _HOST / "wormhole-wg0.conf"
    head = f"[Interface]\nPrivateKey = {key.read_text()}"
    body = configuration.read_text()
    whole = body.replace("[Interface]\n", head, 1) if "[Interface]" in body else head + body
    configuration.with_name("setconf").write_text(whole)


def _apply(size: int) -> str:
    return f"{_wormhole('apply', size)} > /dev/null"


def _by_hand(size: int) -> str:
    return (
        f"cd by-hand-{size}/{_HOST}; wireguard-go wormhole-wg0 2> /dev/null;"
        " ip -force -batch ip.batch; wg setconf wormhole-wg0 setconf; sysctl -qp sysctl.conf;"
        " iptables-restore --noflush iptables.rules; ip6tables-restore --noflush ip6tables.rules;"
        " cp *.conflist /run/cni"
    )


def _wormhole(command: str, size: int) -> str:
    folders = "--data-dir data --cni-conf-dir /run/cni --run-dir /run/wormhole"
    return f"{' '.join(WORMHOLE)} {command} host-{size} --host {_HOST} {folders}"


def _measure_inside(folder: Path, script: str) -> Run:
    """Time a script in namespaces of its own, without the time to make them."""
    text = f"{_PRELUDE} rm -f data/*.json; {_CLOCK}; ({script}); {_CLOCK}{_EPILOGUE}"
    result = run(["unshare", "-n", "-m", "sh", "-c", text], cwd=folder)
    return Run(_seconds_between(result.output.split())[0], result.peak_bytes, result.output)


def _measure_plans(folder: Path, size: int, times: int = 7) -> tuple[float, float]:
    """Time plans of a converged host and imports of pyroute2, in turns: two medians."""
    imports = f"{sys.executable} -c 'import pyroute2'"
    steps = f"{_CLOCK}; {_wormhole('plan', size)} > /dev/null; {_CLOCK}; {imports}; {_CLOCK}; "
    text = f"{_PRELUDE} rm -f data/*.json; {_apply(size)}; {steps * times} true{_EPILOGUE}"
    seconds = _seconds_between(
        run(["unshare", "-n", "-m", "sh", "-c", text], cwd=folder).output.split()
    )
    taken = [[Run(each, 0, "") for each in seconds[start::3]] for start in (0, 1)]
    return median(taken[0]), median(taken[1])


def _seconds_between(stamps: list[str]) -> list[float]:
    times = [int(stamp) for stamp in stamps]
    return [(after - before) / 1e9 for before, after in itertools.pairwise(times)]
