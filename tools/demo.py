"""Tell the whole story of Wormhole on three hosts in network namespaces of this machine.

Every line after a prompt is run as it stands, and has to end as the story says; the first that
does not ends the demo with exit code 1. Nothing outside of the namespaces and of one temporary
folder is touched. Without root the part of the story that needs no host is told.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from narrator import HEAD, WHOLE, Narrator, NotAsToldError, Run

if TYPE_CHECKING:
    from lab.network import Lab, LabHost
    from lab.pods import Pod

ROOT: Final = Path(__file__).resolve().parent.parent
NODES: Final = ("node-a", "node-b", "node-c")


def main() -> int:
    """Tell as much of the story as this machine allows."""
    sys.path.insert(0, str(ROOT / "tests" / "support"))
    from lab.requirements import missing  # noqa: PLC0415 - the path is set only now

    reasons = missing()
    narrator = Narrator()
    started = time.monotonic()
    try:
        with _workplace(narrator) as (folder, environment):
            if reasons:
                _tell_offline(narrator, folder, environment, reasons)
            else:
                _tell_on_hosts(narrator, folder, environment)
    except NotAsToldError as error:
        narrator.end(f"Not as told: {error}", good=False)
        return 1
    except KeyboardInterrupt:
        narrator.end("Interrupted; everything is cleaned up.", good=False)
        return 130
    narrator.end(f"Everything as told, in {time.monotonic() - started:.0f} seconds.")
    return 0


@contextmanager
def _workplace(narrator: Narrator) -> Iterator[tuple[Path, dict[str, str]]]:
    """Make a folder with the inventory, and an environment in which `wormhole` is a command."""
    with tempfile.TemporaryDirectory(prefix="wormhole-demo-") as name:
        folder = Path(name)
        (folder / "inventory").mkdir()
        for source in sorted((ROOT / "fixtures" / "demo").glob("*.yaml")):
            (folder / "inventory" / source.name).write_text(source.read_text())
        command = folder / "bin" / "wormhole"
        command.parent.mkdir()
        colour = "always" if narrator.colour else "never"
        command.write_text(
            f'#!/bin/sh\nexec "{sys.executable}" -m wormhole "$@" --color={colour}\n'
        )
        command.chmod(0o755)
        yield (
            folder,
            {
                "PATH": f"{command.parent}:{os.environ.get('PATH', '')}:/usr/sbin:/sbin",
                "PYTHONPATH": str(ROOT),
            },
        )


def _tell_offline(
    narrator: Narrator, folder: Path, environment: dict[str, str], reasons: tuple[str, ...]
) -> None:
    def run(command: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            ["sh", "-euc", command],
            cwd=folder,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    narrator.chapter("Every host makes its key", "The private half never leaves its folder.")
    for node in NODES:
        keygen = f"wormhole keygen --data-dir {node} --node {node} >inventory/{node}.yaml"
        narrator.type("anywhere", keygen, run)
    _tell_compiling(narrator, run)
    narrator.chapter("What a host would be told, in its own tools' words")
    narrator.type("anywhere", "wormhole show state --host node-a", run)
    narrator.type("anywhere", "wormhole render state --host node-a -o native", run)
    narrator.type("anywhere", "ls native/node-a; cat native/node-a/ip.batch", run)
    narrator.chapter("The rest of the story needs hosts, and here there can be none")
    narrator.show("\n".join(f"missing: {reason}" for reason in reasons))
    narrator.show("as root, `make demo` installs what it can and tells the rest")


def _tell_compiling(narrator: Narrator, run: Run) -> None:
    narrator.chapter(
        "An inventory becomes documents",
        "What `kubectl get nodes -o yaml` prints, a Mesh, and each host's public key.",
    )
    narrator.type("anywhere", "ls inventory; cat inventory/mesh.yaml inventory/node-a.yaml", run)
    narrator.type("anywhere", "wormhole validate inventory", run)
    misspelt = (
        "sed s/publicKey/pubicKey/ inventory/node-a.yaml | wormhole validate inventory/mesh.yaml -"
    )
    narrator.type("anywhere", misspelt, run, expect=2)
    narrator.type("anywhere", "wormhole compile inventory -o state", run)
    narrator.type("anywhere", "find state -type f | sort", run)


def _tell_on_hosts(narrator: Narrator, folder: Path, environment: dict[str, str]) -> None:
    from lab.dumps import snapshot  # noqa: PLC0415 - see main
    from lab.network import Lab  # noqa: PLC0415
    from lab.pods import Pod  # noqa: PLC0415

    with Lab() as lab, ExitStack() as stack:
        hosts = [lab.add_host(node) for node in NODES]
        for host in hosts:
            host.folder = str(folder)
            host.environment |= environment
        narrator.chapter(
            "Three hosts, each a network namespace, on one wire",
            "Every host makes its key; the private half never leaves it.",
        )
        for host in hosts:
            keygen = f"wormhole keygen --node {host.name} >inventory/{host.name}.yaml"
            narrator.type(host.name, keygen, _on(host))
        _tell_compiling(narrator, _on(hosts[0]))
        first = [snapshot(host) for host in hosts]
        _tell_applying(narrator, hosts)
        pods = [stack.enter_context(Pod(host, f"pod-{host.name[-1]}")) for host in hosts]
        for host in hosts:
            host.settle()
        _tell_pods(narrator, lab, pods)
        _tell_damage(narrator, lab, pods)
        _tell_leaving(narrator, hosts, pods, first)


def _tell_applying(narrator: Narrator, hosts: "list[LabHost]") -> None:
    narrator.chapter(
        "A document becomes a plan", "It is read before anything happens; it writes nothing."
    )
    command = "wormhole plan state --host node-a"
    narrator.type("node-a", command, _on(hosts[0]), expect=1, head=WHOLE)
    narrator.chapter("The plan becomes a network", "Applied, then verified by planning again.")
    for host in hosts:
        narrator.type(host.name, f"wormhole apply state --host {host.name}", _on(host), head=2)


def _tell_pods(narrator: Narrator, lab: "Lab", pods: "list[Pod]") -> None:
    narrator.chapter(
        "Pods talk, and the wire carries nothing but WireGuard",
        "Pods made by the CNI plugins, as a container runtime makes them:",
        *(f"{pod.name} on {pod.host.name}: {' and '.join(pod.addresses)}" for pod in pods),
    )
    here, there = pods[0], pods[2]
    with lab.capture() as capture:
        for address in there.addresses:
            ping = f"ip netns exec {here.name} ping -c 2 -i 0.3 {address}"
            narrator.type("node-a", ping, _on(here.host))
    encrypted = capture.encrypted({9806})
    print("    on the wire meanwhile, seen by tcpdump between the hosts:")
    for packet in encrypted[:4]:
        narrator.show(f"  {packet}")
    narrator.insist(
        f"{len(encrypted)} WireGuard packets to UDP port 9806, none in clear",
        holds=bool(encrypted) and not capture.in_clear({9806}),
    )
    narrator.chapter("A second plan finds nothing to do")
    for pod in pods:
        command = f"wormhole plan state --host {pod.host.name}"
        narrator.type(pod.host.name, command, _on(pod.host))


def _tell_damage(narrator: Narrator, lab: "Lab", pods: "list[Pod]") -> None:
    host, target = pods[0].host, pods[1].ipv4
    narrator.chapter("Somebody changes things by hand", "A plan says what, and apply repairs it.")
    peer = "$(wg show wormhole-wg0 peers | head -n 1)"
    for command in (
        f'wg set wormhole-wg0 peer "{peer}" remove',
        "iptables -t mangle -F WORMHOLE-GUARD",
        "ip link set wormhole-br0 mtu 9000",
        "sysctl -w net.ipv4.ip_forward=0",
    ):
        narrator.type("node-a", command, _on(host))
    narrator.type("node-a", "wormhole plan state --host node-a", _on(host), expect=1)
    narrator.type("node-a", "wormhole apply state --host node-a", _on(host), head=2)
    narrator.type("node-a", "wormhole plan state --host node-a", _on(host))

    narrator.chapter(
        "The tunnel disappears while a pod talks",
        "What cannot be encrypted is unreachable; it is never sent in clear.",
    )
    with lab.capture() as capture:
        talk = host.spawn(*pods[0].command("ping", "-n", "-i", "0.05", target))
        time.sleep(0.5)
        narrator.type("node-a", "ip link delete wormhole-wg0", _on(host))
        time.sleep(1)
        talk.stop()
    narrator.insist(
        f"{pods[0].name} went on sending to {target}; on the wire was nothing in clear",
        holds=bool(capture.encrypted({9806})) and not capture.in_clear({9806}),
    )
    narrator.type("node-a", "wormhole apply state --host node-a", _on(host), head=2)
    narrator.type("node-a", f"ip netns exec pod-a ping -c 1 -W 9 {target}", _on(host))


def _tell_leaving(
    narrator: Narrator,
    hosts: "list[LabHost]",
    pods: "list[Pod]",
    first: list[dict[str, str]],
) -> None:
    from lab.dumps import differences, snapshot  # noqa: PLC0415 - see main

    narrator.chapter("Wormhole leaves", "Everything of its own goes, and nothing else.")
    for pod in pods:
        pod.remove()
    for host, before in zip(hosts, first, strict=True):
        head = HEAD if host is hosts[0] else 2
        narrator.type(host.name, "wormhole destroy", _on(host), head=head)
        left = differences(before, snapshot(host))
        narrator.show(left)
        narrator.insist(
            f"{host.name} is as it was: links, addresses, routes, rules, iptables, sysctls, files",
            holds=not left,
        )


def _on(host: "LabHost") -> Run:
    return lambda command: host.run("sh", "-euc", command, check=False)


if __name__ == "__main__":
    sys.exit(main())
