"""Turn a container of a pod's specification into a command of a host, as a runtime would run it.

What a container engine does with a manifest, as far as it restricts: a root of its own that cannot
be written, ``/proc/sys`` and ``/sys`` read-only, of ``/dev`` the usual five, the host's folders
where the manifest mounts them, and no capability beyond those it adds. Not played: seccomp,
AppArmor, SELinux and cgroups. Without an image this machine's own files take its place.
"""

import shlex
import sys
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from lab.network import ROOT

Object = dict[str, Any]

_DEVICES: Final = ("null", "zero", "full", "random", "urandom")
_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""As Debian's images have it."""

_SCRIPT: Final = """
mount -t tmpfs tmpfs /mnt
mkdir /mnt/upper /mnt/work /mnt/root
mount -t overlay -o lowerdir={image},upperdir=/mnt/upper,workdir=/mnt/work overlay /mnt/root
at() {{ mkdir -p "/mnt/root$1" && echo "/mnt/root$1"; }}
read_only() {{ mount -o remount,bind,ro "$1"; }}
for folder in /proc /sys {shown}; do mount --rbind $folder $(at $folder); done
for folder in /proc/sys {shown}; do
  mount --bind /mnt/root$folder /mnt/root$folder; read_only /mnt/root$folder
done
read_only /mnt/root/sys
mount -t tmpfs tmpfs /mnt/root/run
mount -t tmpfs -o mode=755 tmpfs /mnt/root/dev
for device in {devices}; do
  touch /mnt/root/dev/$device; mount --bind /dev/$device /mnt/root/dev/$device
done
{mounts}
read_only /mnt/root/run
read_only /mnt/root/dev
read_only /mnt/root
exec chroot /mnt/root setpriv --no-new-privs --inh-caps=-all --ambient-caps=-all \\
  --bounding-set=-all{capabilities} "$@"
"""
_MADE: Final = {
    "DirectoryOrCreate": "mkdir -p {source}",
    "FileOrCreate": "test -e {source} || touch {source}",
    "Directory": "test -d {source}",
    "CharDevice": "test -c {source}",
}
"""What the kubelet does before it mounts a host path of that type."""


def container_command(  # noqa: PLR0913 - each is something that a runtime is told
    pod: Object,
    name: str,
    *arguments: str,
    shown: Collection[Path] = (),
    instead: Mapping[str, Path] | None = None,
    without: Collection[str] = (),
    image: Path | None = None,
) -> tuple[str, ...]:
    """Return the argument vector that runs ``arguments`` as a container of the pod.

    ``shown`` are further folders, read-only. ``instead`` are host paths with what stands for them.
    ``without`` are capabilities that the container is not given although the manifest adds them.
    ``image`` is the root to run in, without this machine's programs and environment.
    """
    found = next(each for each in _containers(pod) if each["name"] == name)
    security = found["securityContext"]
    if security["capabilities"]["drop"] != ["ALL"] or not security["readOnlyRootFilesystem"]:
        raise NotImplementedError(f"{name}: more rights than are played here")
    kept = [each for each in security["capabilities"].get("add", ()) if each not in without]
    script = _SCRIPT.format(
        image=shlex.quote(str(image or "/")),
        shown=shlex.join(map(str, dict.fromkeys((*(() if image else _program()), *shown)))),
        devices=" ".join(_DEVICES),
        mounts="\n".join(_mounts(pod, found, instead or {})),
        capabilities="".join(f",+{each.lower()}" for each in kept),
    )
    private = ("unshare", "--mount", "--propagation", "private")
    given = [f"{each['name']}={each['value']}" for each in found.get("env", ()) if "value" in each]
    environment = ("env", "-i", f"PATH={_PATH}", *given) if image else ("env", *given)
    return (*private, "sh", "-euc", script, name, *environment, *arguments)


def _containers(pod: Object) -> Iterator[Object]:
    yield from pod["initContainers"]
    yield from pod["containers"]


def _program() -> tuple[Path, ...]:
    """Return where the program, this Python and its packages are: they stand for the image's."""
    return (ROOT, Path(sys.prefix), Path(sys.base_prefix))


def _mounts(pod: Object, container: Object, instead: Mapping[str, Path]) -> Iterator[str]:
    volumes = {each["name"]: each["hostPath"] for each in pod["volumes"] if "hostPath" in each}
    for mount in container["volumeMounts"]:
        volume = volumes[mount["name"]]
        source = shlex.quote(str(instead.get(volume["path"], volume["path"])))
        # What the image has as a link, such as /var/run, is followed as a runtime follows it.
        target = "$target"
        yield f"target=/mnt/root$(chroot /mnt/root realpath -m {shlex.quote(mount['mountPath'])})"
        yield _MADE[volume["type"]].format(source=source)
        yield f'mkdir -p "$(dirname {target})"'
        yield f"if [ -d {source} ]; then mkdir -p {target}; else touch {target}; fi"
        yield f"mount --bind {source} {target}"
        if mount.get("readOnly"):
            yield f"read_only {target}"
