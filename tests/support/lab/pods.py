"""Turn a CNI configuration list into a pod with an interface, as a container runtime would.

The runtime's part is that of the CNI specification 1.0.0, section 3: each plugin in turn, its
own configuration with the list's name and version, and the result of the plugin before it.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from lab.namespace import LabError
from lab.network import LabHost

_PLUGIN_FOLDERS: Final = ("/usr/lib/cni", "/opt/cni/bin")
CONFLIST: Final = "/etc/cni/net.d/10-wormhole.conflist"


def plugin_folder() -> Path | None:
    """Return the folder that holds the CNI plugins here: Debian's, or the usual one."""
    folders = map(Path, (os.environ.get("CNI_PATH") or ":".join(_PLUGIN_FOLDERS)).split(":"))
    return next((folder for folder in folders if (folder / "bridge").exists()), None)


@dataclass(frozen=True, kw_only=True)
class PortMapping:
    """A host port that leads to a pod's port, as a pod's ``hostPort`` asks for."""

    host_port: int
    container_port: int
    protocol: str = "tcp"


class Pod:
    """A network namespace on a host, with the interface that the plugins gave it."""

    def __init__(
        self,
        host: LabHost,
        name: str,
        *,
        ports: tuple[PortMapping, ...] = (),
        conflist: str = CONFLIST,
    ) -> None:
        self.host = host
        self.name = name
        self._ports = ports
        self._conflist = conflist
        self._result: dict[str, Any] = {}

    def __enter__(self) -> Self:
        # Without duplicate address detection a pod's IPv6 addresses work at once.
        self.host.sh(
            f"ip netns add {self.name}; ip -n {self.name} link set lo up;"
            f"ip netns exec {self.name} sysctl -qw net.ipv6.conf.default.accept_dad=0"
        )
        config = self._read_config()
        for plugin in config["plugins"]:
            self._result = self._call("ADD", config, plugin)
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()

    def remove(self) -> None:
        """Take the pod off the network, plugins in reverse, and remove its namespace."""
        if self._result:
            self._leave()
            self.host.run("ip", "netns", "delete", self.name)

    def restart(self) -> None:
        """Make the pod anew on a host that was rebooted: its namespace is gone already."""
        self._leave()
        self.__enter__()

    def _leave(self) -> None:
        config = self._read_config()
        for plugin in reversed(config["plugins"]):
            self._call("DEL", config, plugin)
        self._result = {}

    @property
    def addresses(self) -> tuple[str, ...]:
        """The pod's addresses, without their lengths, in the order the plugins gave them."""
        return tuple(ip["address"].partition("/")[0] for ip in self._result["ips"])

    @property
    def ipv4(self) -> str:
        """The pod's first IPv4 address."""
        return next(address for address in self.addresses if ":" not in address)

    @property
    def ipv6(self) -> str:
        """The pod's first IPv6 address."""
        return next(address for address in self.addresses if ":" in address)

    @property
    def mtu(self) -> int:
        """The MTU of the pod's interface, in bytes."""
        return int(self.sh("cat /sys/class/net/eth0/mtu"))

    def command(self, *command: str) -> tuple[str, ...]:
        """Return the argument vector that runs a command in this pod, from its host."""
        return ("ip", "netns", "exec", self.name, *command)

    def sh(self, script: str, *, check: bool = True, timeout: float = 60) -> str:
        """Run a shell script in the pod; return what it wrote to its standard output."""
        command = self.command("sh", "-euc", script)
        return self.host.run(*command, check=check, timeout=timeout).stdout

    def _read_config(self) -> dict[str, Any]:
        config: dict[str, Any] = json.loads(self.host.run("cat", self._conflist).stdout)
        return config

    def _call(self, verb: str, config: dict[str, Any], plugin: dict[str, Any]) -> dict[str, Any]:
        folder = plugin_folder()
        if folder is None:
            raise LabError(f"no CNI plugins in {' or '.join(_PLUGIN_FOLDERS)}")
        request = {**plugin, "name": config["name"], "cniVersion": config["cniVersion"]}
        if plugin.get("capabilities", {}).get("portMappings") and self._ports:
            request["runtimeConfig"] = {"portMappings": [_spell(port) for port in self._ports]}
        if self._result:
            request["prevResult"] = self._result
        environment = {
            "CNI_COMMAND": verb,
            "CNI_CONTAINERID": f"{self.host.number}-{self.name}",
            "CNI_NETNS": f"/run/netns/{self.name}",
            "CNI_IFNAME": "eth0",
            "CNI_PATH": str(folder),
        }
        done = self.host.run(
            str(folder / plugin["type"]),
            stdin=json.dumps(request),
            environment=environment,
            check=False,
        )
        if done.returncode:
            said = f"{done.stdout}{done.stderr}".strip()
            raise LabError(f"{self.host.name}: CNI {verb} by {plugin['type']}: {said}")
        return json.loads(done.stdout) if done.stdout.strip() else {}


def _spell(port: PortMapping) -> dict[str, object]:
    return {
        "hostPort": port.host_port,
        "containerPort": port.container_port,
        "protocol": port.protocol,
    }
