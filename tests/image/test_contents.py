"""The image holds what an agent needs, and nothing of the machine that built it."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from wormhole import __version__

pytestmark = [pytest.mark.image, pytest.mark.timeout(900)]  # cold: two minutes on an idle machine

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
PACKAGES = Path("opt/wormhole/lib/python3.11/site-packages")
ROOMS = ("applier", "compiler", "renderers", "schemas", "wormhole")
Inside = Callable[..., str]


@pytest.fixture
def inside(image: Path) -> Inside:
    """Return a function that runs a program in the image, without network."""

    def run(*command: str, code: int = 0, **environment: str) -> str:
        done = subprocess.run(
            ["unshare", "--net", "chroot", image, *command],
            env={"PATH": PATH, "PYTHONDONTWRITEBYTECODE": "1", **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == code, done.stdout
        return done.stdout

    return run


def test_the_program_is_this_version(inside: Inside) -> None:
    assert inside("wormhole", "--version") == f"wormhole {__version__}\n"


def test_both_variants_of_iptables_are_there_for_both_families(inside: Inside) -> None:
    said = {
        program: inside(program, "--version").partition("(")[2].strip(")\n")
        for family in ("iptables", "ip6tables")
        for program in (f"{family}-nft-save", f"{family}-legacy-save", f"{family}-nft-restore")
    }
    assert {*said.values()} == {"nf_tables", "legacy"}
    assert all(("nft" in program) == (word == "nf_tables") for program, word in said.items())


def test_wireguard_can_be_made_looked_at_and_loaded(inside: Inside) -> None:
    assert inside("wireguard-go", "--version").startswith("wireguard-go")
    assert inside("wg", "--version").startswith("wireguard-tools")
    assert inside("modprobe", "--version").startswith("kmod")


@pytest.mark.parametrize("plugin", ["bridge", "host-local", "loopback", "portmap"])
def test_plugins_speak_the_version_that_the_configuration_asks_for(
    inside: Inside, plugin: str
) -> None:
    said = json.loads(inside(f"/usr/lib/cni/{plugin}", CNI_COMMAND="VERSION"))
    assert "1.0.0" in said["supportedVersions"]


def test_the_program_is_installed_and_not_linked_to_its_sources(
    image: Path, inside: Inside
) -> None:
    script = "import sys, importlib; print(*sys.path[1:], *("
    script += "importlib.import_module(room).__file__ for room in sys.argv[1:]), sep='\\n')"
    said = inside("/opt/wormhole/bin/python", "-c", script, *ROOMS).splitlines()
    assert said == [
        *("/usr/lib/python311.zip", "/usr/lib/python3.11", "/usr/lib/python3.11/lib-dynload"),
        *(f"/{PACKAGES}", *(f"/{PACKAGES}/{room}/__init__.py" for room in ROOMS)),
    ]
    assert [*(image / PACKAGES).glob("*.pth")] == []
    assert [*(image / PACKAGES).glob("__editable__*")] == []
    (record,) = (image / PACKAGES).glob("wormhole_mesh-*.dist-info")
    assert "editable" not in (record / "direct_url.json").read_text()


def test_the_sources_are_all_there_and_nothing_else_of_them(image: Path) -> None:
    root = Path(__file__).parents[2]
    there = {path.relative_to(image / PACKAGES) for path in files(image / PACKAGES, ROOMS)}
    assert there == {path.relative_to(root) for path in files(root, ROOMS)}


def files(root: Path, folders: tuple[str, ...]) -> list[Path]:
    return [
        path
        for folder in folders
        for path in (root / folder).rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    ]


def test_the_agent_finds_all_that_it_imports(inside: Inside) -> None:
    script = "import wormhole.agent.assembly, wormhole.cluster.connection, prometheus_client\n"
    script += "from kubernetes.client import ApiClient; from kubernetes.config import kube_config"
    assert inside("/opt/wormhole/bin/python", "-I", "-W", "error", "-c", script) == ""


def test_everything_of_ours_is_compiled_and_stays_as_it_is(image: Path, inside: Inside) -> None:
    ours = [path for path in files(image / PACKAGES, ROOMS) if path.suffix == ".py"]
    compiled = [path.parent / f"__pycache__/{path.stem}.cpython-311.pyc" for path in ours]
    assert [path for path in compiled if not path.exists()] == []
    # PEP 552: flags of 1 mean that the source is not looked at.
    assert {path.read_bytes()[4:8] for path in compiled} == {b"\1\0\0\0"}

    before = listing(image / "opt")
    inside("wormhole", "--help")
    inside("wormhole", "validate", "/nowhere", code=2)
    assert listing(image / "opt") == before


def listing(folder: Path) -> dict[str, tuple[int, int]]:
    return {
        str(path): (path.lstat().st_mtime_ns, path.lstat().st_size) for path in folder.rglob("*")
    }


def test_what_only_the_build_needs_is_not_shipped(image: Path) -> None:
    unwanted = ("opt/build", "opt/wheel", "source", "wheels", "opt/wormhole/bin/pip", "usr/bin/gcc")
    assert [path for path in unwanted if (image / path).exists()] == []
    assert [*(image / "var/lib/apt/lists").iterdir()] == []
    assert (image / "etc/resolv.conf").read_text() == ""
    assert (image / "etc/apt/apt.conf.d/99machine").read_text() == ""
