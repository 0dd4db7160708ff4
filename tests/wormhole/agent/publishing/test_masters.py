"""The cluster's masters as files of a host: on a real folder, with an API in memory."""

import json
import pickle
import stat
from base64 import b64encode
from pathlib import Path

import pytest
from memory_api import MemoryApi

from applier.errors import HostError
from applier.linux.files import Files
from applier.paths import Paths
from applier.psk import load_master
from schemas.problems import Problems
from wormhole.agent.publishing.masters import Held, ensure_master, hold_masters, read_master
from wormhole.cluster.errors import ApiError
from wormhole.psk.epochs import decode_master, encode_master
from wormhole.psk.store import Entries

SECRET = "/api/v1/namespaces/wormhole-system/secrets/wormhole-psk"
ONE, TWO = bytes(range(32)), bytes(range(1, 33))
DATA = {"2026-11": encode_master(ONE), "2026-12": encode_master(TWO)}
FILES = Files()


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(data=tmp_path / "data")


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def snapshot(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {path.name: (path.read_bytes(), path.stat().st_ino) for path in folder.iterdir()}


def api_with(data: dict[str, str] | None) -> MemoryApi:
    api = MemoryApi()
    api.put(SECRET, {"kind": "Secret", "metadata": {}} | ({"data": data} if data else {}))
    return api


def test_the_host_holds_what_the_secret_holds(paths: Paths) -> None:
    held = hold_masters(FILES, paths, DATA, {"2026-11"})
    assert held == Held(epochs=("2026-11", "2026-12"), changed=("2026-11", "2026-12"))
    assert load_master(FILES, paths, "2026-11") == ONE
    assert paths.master("2026-12").read_bytes() == b64encode(TWO) + b"\n"
    assert mode_of(paths.master("2026-11")) == 0o600
    assert (mode_of(paths.masters), mode_of(paths.data)) == (0o700, 0o700)


def test_a_second_time_nothing_is_written(paths: Paths) -> None:
    hold_masters(FILES, paths, DATA, ())
    before = snapshot(paths.masters)
    assert hold_masters(FILES, paths, DATA, ()) == Held(epochs=("2026-11", "2026-12"))
    assert snapshot(paths.masters) == before


def test_a_master_put_there_by_hand_is_left_as_it_is_if_it_is_the_same(paths: Paths) -> None:
    FILES.create_file(paths.master("2026-11"), b64encode(ONE), 0o400)
    before = snapshot(paths.masters)
    held = hold_masters(FILES, paths, {"2026-11": DATA["2026-11"]}, ())
    assert (held, snapshot(paths.masters)) == (Held(epochs=("2026-11",)), before)


def test_where_a_file_differs_the_secret_wins_and_that_is_told(paths: Paths) -> None:
    FILES.create_file(paths.master("2026-11"), b64encode(TWO), 0o600)
    held = hold_masters(FILES, paths, {"2026-11": DATA["2026-11"]}, ())
    remark = f"{paths.master('2026-11')}: held another master of this epoch; it is the Secret's now"
    assert held == Held(epochs=("2026-11",), changed=("2026-11",), remarks=(remark,))
    assert load_master(FILES, paths, "2026-11") == ONE
    assert [path.name for path in paths.masters.iterdir()] == ["2026-11"]


@pytest.mark.parametrize(
    ("content", "mode", "wrong"),
    [
        (b64encode(ONE), 0o644, "others may read this secret"),
        (b"", 0o600, "not a master secret"),
        (b"\xff\xfe", 0o600, "not a master secret"),
    ],
)
def test_a_damaged_or_open_file_is_written_again(
    paths: Paths, content: bytes, mode: int, wrong: str
) -> None:
    FILES.create_file(paths.master("2026-11"), content, mode)
    held = hold_masters(FILES, paths, {"2026-11": DATA["2026-11"]}, ())
    assert held.remarks == (f"{paths.master('2026-11')}: {wrong}; it is the Secret's now",)
    assert load_master(FILES, paths, "2026-11") == ONE
    assert mode_of(paths.master("2026-11")) == 0o600


def test_a_master_that_left_the_secret_goes_unless_it_is_in_use(paths: Paths) -> None:
    hold_masters(FILES, paths, DATA | {"2026-10": encode_master(b"\x07" * 32)}, ())
    held = hold_masters(FILES, paths, {"2026-12": DATA["2026-12"]}, {"2026-11", "2026-12"})
    assert held == Held(epochs=("2026-11", "2026-12"), changed=("2026-10",))
    assert sorted(path.name for path in paths.masters.iterdir()) == ["2026-11", "2026-12"]


def test_an_empty_secret_removes_nothing(paths: Paths) -> None:
    hold_masters(FILES, paths, DATA, ())
    assert hold_masters(FILES, paths, {}, ()) == Held(epochs=("2026-11", "2026-12"))


def test_what_is_no_master_is_nobody_elses_to_remove(paths: Paths) -> None:
    FILES.create_file(paths.master("README"), b"put masters here\n", 0o644)
    assert hold_masters(FILES, paths, DATA, ()).epochs == ("2026-11", "2026-12")
    assert paths.master("README").read_bytes() == b"put masters here\n"


@pytest.mark.parametrize("name", ["../x", ".", "..", ".hidden", "a/b", "", "x" * 64, "\x1b[2J"])
def test_a_name_that_could_lead_elsewhere_is_ignored_and_named(
    paths: Paths, tmp_path: Path, name: str
) -> None:
    held = hold_masters(FILES, paths, {name: DATA["2026-11"], "2026-12": DATA["2026-12"]}, ())
    assert held.epochs == ("2026-12",)
    assert held.remarks == (f"Secret entry {name!r}: ignored, since it is no epoch's name",)
    files = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file())
    assert files == [Path("data/psk/2026-12")]


@pytest.mark.parametrize(
    "value",
    [
        "",
        "!",
        b64encode(ONE).decode(),
        b64encode(b64encode(ONE[:31])).decode(),
        b64encode(b64encode(bytes(32))).decode(),
    ],
)
def test_an_entry_that_is_no_master_is_ignored_and_not_shown(paths: Paths, value: str) -> None:
    FILES.create_file(paths.master("2026-11"), b64encode(ONE), 0o600)
    held = hold_masters(FILES, paths, {"2026-11": value}, ())
    rule = "ignored, since it is no master secret (32 bytes in base64)"
    assert held == Held(epochs=("2026-11",), remarks=(f"Secret entry '2026-11': {rule}",))
    assert load_master(FILES, paths, "2026-11") == ONE


def test_a_link_is_replaced_and_what_it_led_to_is_left_alone(paths: Paths, tmp_path: Path) -> None:
    (tmp_path / "theirs").write_bytes(b"theirs")
    (tmp_path / "theirs").chmod(0o600)
    paths.masters.mkdir(parents=True)
    paths.master("2026-11").symlink_to(tmp_path / "theirs")
    paths.master("2026-12").symlink_to(tmp_path / "nowhere")
    held = hold_masters(FILES, paths, DATA, ())
    assert held.epochs == ("2026-11", "2026-12")
    assert (tmp_path / "theirs").read_bytes() == b"theirs"
    assert not (tmp_path / "nowhere").exists()
    assert [path.is_symlink() for path in sorted(paths.masters.iterdir())] == [False, False]


def test_one_file_that_cannot_be_read_does_not_stop_the_others(paths: Paths) -> None:
    paths.master("2026-11").mkdir(parents=True)
    held = hold_masters(FILES, paths, DATA, ())
    remark = f"read file {paths.master('2026-11')}: Is a directory (code 21)"
    assert held == Held(epochs=("2026-12",), changed=("2026-12",), remarks=(remark,))


def test_a_full_disk_is_told_and_not_raised(paths: Paths) -> None:
    class FullDisk(Files):
        def create_file(self, path: Path, content: bytes, mode: int) -> None:
            del content, mode
            raise HostError("create file", str(path), "No space left on device", 28)

    held = hold_masters(FullDisk(), paths, {"2026-11": DATA["2026-11"]}, ())
    remark = f"create file {paths.master('2026-11')}: No space left on device (code 28)"
    assert held == Held(epochs=(), remarks=(remark,))


def test_an_epoch_without_an_entry_gets_a_random_one_once() -> None:
    api = api_with(None)
    entries = ensure_master(api, "wormhole-system", "2026-11")
    assert len(decode_master(entries["2026-11"]) or b"") == 32
    assert ensure_master(api, "wormhole-system", "2026-11") == entries
    assert api.writes == [f"PUT {SECRET}"]
    other = ensure_master(api_with(None), "wormhole-system", "2026-11")
    assert other["2026-11"] != entries["2026-11"]


def test_a_lost_race_takes_the_winners_master() -> None:
    api = api_with({"2026-10": DATA["2026-12"]})

    def be_faster(request: str) -> None:
        if request.startswith("PUT") and len(api.writes) == 1:
            api.put(SECRET, api.objects[SECRET] | {"data": DATA})

    api.before = be_faster
    assert dict(ensure_master(api, "wormhole-system", "2026-11")) == DATA
    assert api.requests == [f"GET {SECRET}", f"PUT {SECRET}", f"GET {SECRET}"]


def test_a_race_that_never_ends_is_given_up() -> None:
    api = api_with(None)

    def be_faster(request: str) -> None:
        if request.startswith("PUT"):
            api.put(SECRET, api.objects[SECRET])

    api.before = be_faster
    with pytest.raises(ApiError) as caught:
        ensure_master(api, "wormhole-system", "2026-11")
    assert (caught.value.conflict, len(api.writes)) == (True, 8)


def test_a_lost_secret_gets_back_the_master_that_hosts_hold() -> None:
    entries = ensure_master(api_with(None), "wormhole-system", "2026-11", held=ONE)
    assert dict(entries) == {"2026-11": DATA["2026-11"]}


def test_an_entry_that_is_no_master_is_refused_and_left() -> None:
    value = b64encode(b"s3cret").decode()
    api = api_with({"2026-11": value})
    with pytest.raises(Problems) as caught:
        ensure_master(api, "wormhole-system", "2026-11")
    assert str(caught.value) == (
        'Secret/wormhole-system/wormhole-psk data["2026-11"]: not a master secret: 32 bytes in'
        " base64 are needed, as `wg genpsk` prints them; the entry is left as it is"
    )
    assert (api.writes, api.objects[SECRET]["data"]) == ([], {"2026-11": value})


def test_a_secret_that_is_not_there_is_told_with_what_to_apply() -> None:
    with pytest.raises(ApiError) as caught:
        ensure_master(MemoryApi(), "wormhole-system", "2026-11")
    assert caught.value.missing
    assert str(caught.value) == (
        f"GET {SECRET}: 404 NotFound: the Secret wormhole-system/wormhole-psk, which the masters"
        " of pre-shared keys are kept in, is not there: apply Wormhole's manifests again (they"
        " hold it, empty), or run `kubectl create secret generic wormhole-psk"
        " --namespace wormhole-system`"
    )


def test_a_name_that_is_no_epoch_never_reaches_the_secret() -> None:
    api = api_with(None)
    with pytest.raises(Problems) as caught:
        ensure_master(api, "wormhole-system", "../x")
    assert str(caught.value) == (
        "presharedKeyEpoch '../x': must be a plain file name: 1 to 63 letters, digits, '-', '_'"
        " and '.', not beginning with a dot"
    )
    assert api.requests == []


def test_what_the_host_holds_is_given_back_or_nothing(paths: Paths) -> None:
    hold_masters(FILES, paths, DATA, ())
    assert read_master(FILES, paths, "2026-11") == ONE
    paths.master("2026-12").write_bytes(b"x")
    assert [read_master(FILES, paths, epoch) for epoch in ("2026-12", "z", "../psk/2026-11")] == [
        None
    ] * 3


def test_entries_neither_print_nor_pickle() -> None:
    entries = Entries({"data": DATA})
    assert repr(entries) == str(entries) == "<Entries ['2026-11', '2026-12']>"
    for attempt in (pickle.dumps, json.dumps):
        with pytest.raises(TypeError):
            attempt(entries)
