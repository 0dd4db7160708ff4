"""Where the applier's files are."""

from pathlib import Path

from schemas.state import Value


class Paths(Value, frozen=True, kw_only=True):
    """The three folders. ``run`` is emptied by a reboot, as is what it describes."""

    data: Path = Path("/var/lib/wormhole")
    """Keys, and the memory of what was applied last."""
    cni: Path = Path("/etc/cni/net.d")
    run: Path = Path("/run/wormhole")
    """The lock, the CNI configuration itself, and what the host was like before us."""

    @property
    def private_key(self) -> Path:
        """The host's WireGuard key, base64 as ``wg genkey`` prints it."""
        return self.data / "private.key"

    @property
    def applied(self) -> Path:
        """The desired state that was applied last."""
        return self.data / "applied.json"

    @property
    def attempted(self) -> Path:
        """The names that an apply which may not have ended was about to use."""
        return self.data / "attempted.json"

    @property
    def pending(self) -> Path:
        """The note of a change on trial; see ``applier.pending``."""
        return self.data / "pending.json"

    @property
    def reverted(self) -> Path:
        """What the host went back from, for want of a confirmation."""
        return self.data / "reverted.json"

    @property
    def watchdog_log(self) -> Path:
        """What watchdogs had to say; kept over a boot."""
        return self.data / "watchdog.log"

    @property
    def watchdog_lock(self) -> Path:
        """Held by the watchdog for as long as it lives."""
        return self.run / "watchdog.lock"

    @property
    def sysctls(self) -> Path:
        """The kernel parameters as they were before us."""
        return self.run / "sysctl.json"

    def configuration(self, cni_file: str) -> Path:
        """Return where the CNI configuration is that the name in ``cni`` leads to."""
        return self.run / "cni" / cni_file

    @property
    def masters(self) -> Path:
        """The folder of the epochs' master secrets."""
        return self.data / "psk"

    def master(self, epoch: str) -> Path:
        """Return the file of an epoch's master secret, base64 as ``wg genpsk`` prints it."""
        return self.masters / epoch

    def starting(self, device: str) -> Path:
        """Return the note that a userspace device is being made; see ``applier.kinds.links``."""
        return self.run / f"{device}.starting"
