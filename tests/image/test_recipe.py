"""What the image is made from, as far as it can be seen without building it."""

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

from wormhole import __version__

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "deploy/Dockerfile").read_text()
LET_IN = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] == "!"]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def pins(name: str) -> dict[str, str]:
    """Return the versions that a lock file pins; each must have a hash for it to be used at all."""
    text = (ROOT / "deploy" / name).read_text()
    return dict(re.findall(r"^([a-z0-9.-]+)==(\S+) (?=\\\n    --hash=sha256:)", text, re.MULTILINE))


def test_the_base_is_a_date_and_a_digest_and_there_is_no_other() -> None:
    bases = re.findall(r"^ARG BASE=(.*)", DOCKERFILE, re.MULTILINE)
    assert [re.sub("[0-9a-f]{64}", "DIGEST", base) for base in bases] == [
        "debian:bookworm-20260918-slim@sha256:DIGEST"
    ]
    assert re.findall(r"^FROM (.*)", DOCKERFILE, re.MULTILINE) == ["${BASE} AS build", "${BASE}"]
    assert f'base.name="docker.io/library/{bases[0].partition("@")[0]}"' in DOCKERFILE


def test_both_ways_to_build_take_the_same_steps() -> None:
    steps = re.findall(r"^RUN .*install\.sh (\w+)$", DOCKERFILE, re.MULTILINE)
    assert steps == ["dependencies", "program", "packages"]
    assert len(steps) == DOCKERFILE.count("\nRUN ")
    by_hand = (ROOT / "tools/build-root.sh").read_text()
    taken = re.findall(r"^ *run_step \S+ \S+ (\w+)( opt/wormhole)?$", by_hand, re.MULTILINE)
    assert sorted(step for step, _ in taken) == sorted(steps)
    assert "\nCOPY --from=build /opt/wormhole /opt/wormhole\n" in DOCKERFILE


def test_the_version_is_the_programs() -> None:
    assert f'image.version="{__version__}"' in DOCKERFILE
    assert f"--tag wormhole-mesh:{__version__} " in DOCKERFILE


def test_the_builder_sees_what_the_wheel_is_made_of_and_nothing_else() -> None:
    assert (ROOT / ".dockerignore").read_text().splitlines()[1] == "*"
    wheel = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    described = {PROJECT["project"]["readme"], *PROJECT["project"]["license-files"]}
    steps = ("install.sh", "requirements.txt", "requirements-build.txt")
    install = {f"deploy/{name}" for name in steps}
    assert {*LET_IN} == {"pyproject.toml", *wheel, *described, *install}
    assert [path for path in LET_IN if not (ROOT / path).exists()] == []


def test_every_dependency_is_pinned_to_a_version_that_will_do() -> None:
    for wanted, name in (
        (PROJECT["project"]["dependencies"], "requirements.txt"),
        (PROJECT["build-system"]["requires"], "requirements-build.txt"),
    ):
        pinned = pins(name)
        requirements = [Requirement(text) for text in wanted]
        assert [one.name for one in requirements if one.name not in pinned] == [], "make lock"
        for one in requirements:
            assert pinned[one.name] in one.specifier, f"{one}: make lock"


def test_what_is_compiled_is_pinned_for_both_architectures() -> None:
    text = (ROOT / "deploy/requirements.txt").read_text()
    hashes = {
        name: block.count("--hash=")
        for name, block in re.findall(r"^([a-z0-9.-]+)==((?:.*\\\n)*.*)$", text, re.MULTILINE)
    }
    assert {*hashes.values()} == {1, 2}
    compiled = ("cffi", "cryptography", "jsonschema-rs", "msgspec", "pyyaml", "rpds-py")
    assert {name: hashes[name] for name in compiled} == dict.fromkeys(compiled, 2)
