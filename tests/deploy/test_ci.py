"""What is shipped for CI: each shell step runs here, with everything real but the services."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from wormhole_git import run_git, write_inventory

ROOT = Path(__file__).parents[2]
ACTION = ROOT / "deploy/ci/github/action.yml"
GITLAB = ROOT / "deploy/ci/gitlab.yml"
HOOKS = ROOT / ".pre-commit-hooks.yaml"
STEPS: list[dict[str, Any]] = yaml.safe_load(ACTION.read_text())["runs"]["steps"]
SHELL = ("bash", "--noprofile", "--norc", "-euo", "pipefail")
MARKER = "<!-- wormhole review of state -->"

NOT_FETCHED = "The base, {}, cannot be read: check out with {}."

needs_jq = pytest.mark.skipif(shutil.which("jq") is None, reason="no jq, which the runners have")

GH = """\
#!/bin/sh
# Records what it is asked; answers a list with $GH_COMMENTS.
printf '%s\\n' "$*" >> "$GH_LOG"
case "$*" in
  *--input*) cat > "$GH_BODY"; exit "${GH_EXIT:-0}";;
  *) cat "$GH_COMMENTS"; exit "${GH_EXIT:-0}";;
esac
"""
CURL = """\
#!/bin/sh
# Records what it is asked; answers with the user, a page of notes, or nothing.
printf '%s\\n' "$*" >> "$CURL_LOG"
for argument; do
  case "$argument" in @wormhole-note.json) cp wormhole-note.json "$CURL_BODY";; esac
  case "$argument" in @*) head -n 1 "${argument#@}" >> "$CURL_HEADERS";; esac
done
case "$*" in
  *--data*) echo '{}';;
  */user) echo '{"id": 7}';;
  *page=1) cat "$CURL_NOTES";;
  *) echo '[]';;
esac
"""


class Job(NamedTuple):
    """A checkout of a pull request, and the folder beside it that a runner has."""

    tree: Path
    beside: Path

    def run(self, script: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        file = self.beside / "script.sh"
        file.write_text(script)
        keep = {name: os.environ[name] for name in ("HOME",) if name in os.environ}
        environment = {
            "PATH": f"{self.beside}/bin:{os.environ['PATH']}",
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GITHUB_STEP_SUMMARY": f"{self.beside}/summary",
            "GITHUB_WORKSPACE": str(self.tree),
            "GH_LOG": f"{self.beside}/gh.log",
            "GH_BODY": f"{self.beside}/gh.body",
            "GH_COMMENTS": f"{self.beside}/gh.comments",
        }
        return subprocess.run(
            [*SHELL, str(file)],
            cwd=self.tree,
            env=keep | environment | variables,
            check=False,
            capture_output=True,
            text=True,
            timeout=120,
        )

    def step(self, name: str, **inputs: str) -> "subprocess.CompletedProcess[str]":
        """Run a step of the action with inputs as GitHub would fill them in."""
        [step] = [each for each in STEPS if each["name"].startswith(name)]
        return self.run(step["run"], **fill(step["env"], self.beside, inputs))

    def read(self, name: str) -> str:
        return (self.beside / name).read_text()


def fill(env: dict[str, str], temp: Path, inputs: dict[str, str]) -> dict[str, str]:
    """Evaluate the expressions of an environment, of which there are only plain names."""
    action = yaml.safe_load(ACTION.read_text())["inputs"]
    values = {f"inputs.{name}": str(each["default"]) for name, each in action.items()}
    values |= {"runner.temp": str(temp), "github.repository": "group/mesh"}
    values |= {"github.event.pull_request.number": "12"}
    values |= {f"inputs.{name}": value for name, value in inputs.items()}
    return {
        name: re.sub(r"\$\{\{ ([\w.]+) \}\}", lambda found: values[found[1]], text)
        for name, text in env.items()
    }


@pytest.fixture
def job(tmp_path: Path) -> Job:
    tree, beside = tmp_path / "tree", tmp_path / "beside"
    (tree / "inventory").mkdir(parents=True)
    (beside / "bin").mkdir(parents=True)
    install(beside / "bin/wormhole", spell_wormhole())
    install(beside / "bin/gh", GH)
    install(beside / "bin/curl", CURL)
    run_git(tree, "init", "--quiet", "--initial-branch=main")
    run_git(tree, "config", "user.name", "Ada")
    run_git(tree, "config", "user.email", "ada@example.com")
    made = Job(tree, beside)
    change(made, 3)
    run_git(tree, "tag", "base")
    (beside / "gh.comments").write_text("[]")
    return made


def install(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


def spell_wormhole() -> str:
    return f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -P -m wormhole "$@"\n'


def change(job: Job, nodes: int, *, moved: int = 0) -> None:
    """Change the inventory; compile and commit it."""
    write_inventory(job.tree / "inventory", nodes, moved=moved)
    run_git(job.tree, "add", "inventory")
    run_git(job.tree, "commit", "--quiet", "--message=Change")
    script = "wormhole compile inventory -o state --render native --commit"
    done = job.run(script)
    assert done.returncode == 0, done.stderr


# --- the form ---


@pytest.mark.parametrize("path", [ACTION, GITLAB], ids=["github", "gitlab"])
def test_the_form_is_what_the_service_asks_for(path: Path) -> None:
    check = pytest.importorskip("check_jsonschema", reason="no check-jsonschema, with the schemas")
    names = {ACTION: ("vendor.github-actions", ()), GITLAB: ("vendor.gitlab-ci", ("gitlab-ci",))}
    schema, transform = names[path]
    arguments = ["--builtin-schema", schema, str(path)]
    for name in transform:
        arguments += ["--data-transform", name]
    program = "import sys; from check_jsonschema import main; main(sys.argv[1:])"
    command = [sys.executable, "-c", program, *arguments]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert (check is not None, done.returncode) == (True, 0), done.stdout


@pytest.mark.parametrize("step", STEPS, ids=[step["name"] for step in STEPS])
def test_no_expression_is_part_of_a_script(step: dict[str, Any]) -> None:
    assert "${{" not in step["run"]
    assert (step["shell"], step["run"].splitlines()[0]) == ("bash", "set -euo pipefail")
    assert "uses" not in step


def test_expressions_name_nothing_that_a_stranger_writes() -> None:
    named = {*re.findall(r"\$\{\{ (.*?) \}\}", ACTION.read_text())}
    inputs = {name for name in named if name.startswith("inputs.")}
    assert named - inputs == {
        "github.action_path",
        "github.event.pull_request.base.sha",
        "github.event.pull_request.number",
        "github.repository",
        "github.token",
        "runner.temp",
    }


def scripts() -> dict[str, str]:
    gitlab = yaml.safe_load(GITLAB.read_text())["wormhole-review"]["script"][0]
    inner = gitlab.partition("<<'REVIEW'\n")[2].partition("\nREVIEW")[0]
    return {step["name"]: step["run"] for step in STEPS} | {"gitlab": gitlab, "gitlab-job": inner}


@pytest.mark.parametrize("name", scripts())
def test_shellcheck_finds_nothing(name: str) -> None:
    program = shutil.which("shellcheck") or shutil.which(
        "shellcheck", path=Path(sys.executable).parent
    )
    assert program, "no shellcheck, which comes with the tests' own packages"
    command = [program, "--shell=bash", "--severity=style", "-"]
    done = subprocess.run(
        command, input=scripts()[name], check=False, capture_output=True, text=True, timeout=60
    )
    assert done.stdout == ""


# --- GitHub ---


def test_a_valid_inventory_passes_in_silence(job: Job) -> None:
    done = job.step("Is the inventory valid")
    assert (done.returncode, done.stdout) == (0, "")


def test_a_problem_is_an_annotation_of_its_line(job: Job) -> None:
    file = job.tree / "inventory/mesh.yaml"
    file.write_text(file.read_text().replace("overlayCIDRs", "overlays"))
    done = job.step("Is the inventory valid")
    assert done.returncode == 2
    assert done.stdout.splitlines()[0].startswith(
        "::error file=inventory/mesh.yaml,line=5,title=wormhole unknown-field::Mesh/demo"
    )


def test_several_paths_are_one_inventory(job: Job) -> None:
    (job.tree / "a b").mkdir()
    (job.tree / "inventory/mesh.yaml").rename(job.tree / "a b/mesh.yaml")
    done = job.step("Is the inventory valid", inventory="a b\n\n  \n")
    assert (done.returncode, done.stderr) == (
        0,
        "ok: inventory: mesh demo, 3 nodes, 0 warnings\n",
    )


def test_the_change_is_told(job: Job) -> None:
    change(job, 3, moved=1)
    done = job.step("What changes", base="base")
    assert done.returncode == 0, done.stderr
    comment = job.read("wormhole-comment.md")
    assert comment.splitlines()[0] == MARKER
    assert "node-1 moves to 198.51.100.1:9806" in comment
    assert job.read("summary") == comment


def test_without_a_change_that_is_said(job: Job) -> None:
    assert job.step("What changes", base="base").returncode == 0
    assert "no changes" in job.read("wormhole-comment.md").lower()


def test_a_first_state_has_nothing_to_be_compared_with(job: Job) -> None:
    done = job.step("What changes", base="base", state="other")
    assert done.returncode == 0
    assert job.read("wormhole-comment.md").splitlines() == [
        "<!-- wormhole review of other -->",
        "There is no state at the base of this pull request to compare with.",
    ]


def test_a_base_that_was_not_fetched_is_no_first_state(job: Job) -> None:
    done = job.step("What changes", base="0" * 40)
    assert done.returncode == 1
    assert done.stdout == f"::error::{NOT_FETCHED.format('0' * 40, 'fetch-depth: 0')}\n"
    assert job.read("summary").splitlines() == [
        MARKER,
        "The change cannot be told: see the steps above.",
    ]


def test_without_a_pull_request_there_is_no_base(job: Job) -> None:
    assert job.step("What changes", base="").returncode == 0
    assert job.read("summary").splitlines()[1] == "There is no base to compare with."


def test_a_folder_may_be_named_with_a_slash(job: Job) -> None:
    change(job, 3, moved=1)
    assert job.step("What changes", base="base", state="state/").returncode == 0
    assert "node-1 moves to 198.51.100.1:9806" in job.read("summary")


def test_a_change_that_cannot_be_told_is_no_empty_comment(job: Job) -> None:
    (job.tree / "inventory/mesh.yaml").write_text("[")
    done = job.step("What changes", base="base")
    assert done.returncode == 0
    assert job.read("summary").splitlines() == [
        MARKER,
        "The change cannot be told: see the steps above.",
    ]


def test_a_state_that_was_compiled_passes(job: Job) -> None:
    done = job.step("Is the committed state", rendered="native")
    assert (done.returncode, done.stdout) == (
        0,
        "ok: state and native are what the inventory compiles to, 3 hosts\n",
    )


def test_a_state_that_was_not_compiled_again_fails(job: Job) -> None:
    write_inventory(job.tree / "inventory", 3, moved=1)
    done = job.step("Is the committed state")
    assert (done.returncode, done.stdout.splitlines()) == (
        1,
        [
            "state/mesh.json differs",
            "1 file: state is not what the inventory compiles to: compile, and commit",
        ],
    )
    told = "\n**The committed state is not what the inventory compiles to.**\n"
    assert (job.read("wormhole-comment.md"), job.read("summary")) == (told, told)


def test_native_text_that_says_something_else_fails(job: Job) -> None:
    name = "Is the native text"
    assert job.step(name, rendered="native").returncode == 0
    file = job.tree / "native/node-1/iptables.rules"
    file.write_text(file.read_text().replace("-j DROP", "-j ACCEPT", 1))
    (job.tree / "native/node-2/extra").write_text("")
    done = job.step(name, rendered="native")
    assert (done.returncode, done.stdout.splitlines()[:2]) == (
        1,
        ["native/node-1/iptables.rules differs", "native/node-2/extra is no part of it"],
    )


def test_the_proof_is_run(job: Job) -> None:
    assert job.step("Does the proof hold").returncode == 0


def test_a_proof_that_fails_is_told(job: Job) -> None:
    host = job.tree / "state/hosts/node-1.json"
    document = json.loads(host.read_text())
    guards = [each for each in document["firewall"]["ipv4"] if each["name"] == "guard"]
    guards[0]["rules"].clear()
    host.write_text(json.dumps(document))
    done = job.step("Does the proof hold")
    assert (done.returncode, "::error " in done.stdout) == (1, True), done.stderr
    assert "The proof fails" in job.read("wormhole-comment.md")


@needs_jq
def test_the_first_comment_is_added(job: Job) -> None:
    job.step("What changes", base="base")
    done = job.step("Keep one comment", token="secret")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert job.read("gh.log").splitlines() == [
        "api --paginate repos/group/mesh/issues/12/comments?per_page=100",
        "api --silent --method POST repos/group/mesh/issues/12/comments --input -",
    ]
    assert json.loads(job.read("gh.body"))["body"].startswith(MARKER)


@needs_jq
def test_the_next_one_takes_its_place_and_nobody_elses(job: Job) -> None:
    (job.beside / "gh.comments").write_text(
        json.dumps(
            [
                {"id": 1, "user": {"login": "mallory"}, "body": f"{MARKER}\nmine"},
                {"id": 2, "user": {"login": "github-actions[bot]"}, "body": "something else"},
                {"id": 3, "user": {"login": "github-actions[bot]"}, "body": f"{MARKER}\nold"},
            ]
        )
    )
    job.step("What changes", base="base")
    assert job.step("Keep one comment", token="secret").returncode == 0
    assert job.read("gh.log").splitlines()[1:] == [
        "api --silent --method PATCH repos/group/mesh/issues/comments/3 --input -"
    ]


@needs_jq
def test_a_token_that_may_not_write_fails_nothing(job: Job) -> None:
    job.step("What changes", base="base")
    [step] = [each for each in STEPS if each["name"].startswith("Keep one")]
    variables = fill(step["env"], job.beside, {"token": "secret"}) | {"GH_EXIT": "1"}
    done = job.run(step["run"], **variables)
    assert (done.returncode, done.stdout) == (
        0,
        "::warning::The comment could not be written; the job's summary has it.\n",
    )


@needs_jq
def test_a_comment_is_no_longer_than_the_service_takes(job: Job) -> None:
    (job.beside / "wormhole-comment.md").write_text(MARKER + "\n" + "ü" * 70000)
    assert job.step("Keep one comment", token="secret").returncode == 0
    body = json.loads(job.read("gh.body"))["body"]
    assert len(body) < 65536
    assert body.endswith("ü\n\n(cut: the job's summary has all of it)")


@needs_jq
def test_names_from_a_pull_request_run_nothing(job: Job) -> None:
    state = "$(touch injected)`touch injected`;touch injected"
    for step in STEPS[1:]:
        variables = fill(step["env"], job.beside, {"base": "base", "state": state})
        job.run(step["run"], **variables)
    assert not (job.tree / "injected").exists()


# --- GitLab ---


def gitlab(job: Job, **variables: str) -> "subprocess.CompletedProcess[str]":
    document = yaml.safe_load(GITLAB.read_text())["wormhole-review"]
    defaults = {name: str(value) for name, value in document["variables"].items()}
    base = run_git(job.tree, "rev-parse", "base")
    (job.beside / "curl.notes").touch()
    given = defaults | {
        "CI_MERGE_REQUEST_DIFF_BASE_SHA": base,
        "CI_API_V4_URL": "https://gitlab.example.com/api/v4",
        "CI_PROJECT_ID": "5",
        "CI_MERGE_REQUEST_IID": "12",
        "WORMHOLE_RENDERED": "native",
        "CURL_LOG": f"{job.beside}/curl.log",
        "CURL_BODY": f"{job.beside}/curl.body",
        "CURL_HEADERS": f"{job.beside}/curl.headers",
        "CURL_NOTES": f"{job.beside}/curl.notes",
    }
    return job.run(document["script"][0], **(given | variables))


@needs_jq
def test_gitlab_reviews_and_comments(job: Job) -> None:
    change(job, 3, moved=1)
    (job.beside / "curl.notes").write_text("[]")
    done = gitlab(job, WORMHOLE_GITLAB_TOKEN="secret")
    assert (done.returncode, done.stderr) == (0, "")
    asked = job.read("curl.log")
    notes = "https://gitlab.example.com/api/v4/projects/5/merge_requests/12/notes"
    assert f"--request POST {notes} " in asked
    assert "secret" not in asked
    assert job.read("curl.headers").splitlines()[0] == "PRIVATE-TOKEN: secret"
    body = json.loads(job.read("curl.body"))["body"]
    assert (body.splitlines()[0], "node-1 moves" in body) == (MARKER, True)


@needs_jq
def test_gitlab_changes_its_own_note(job: Job) -> None:
    (job.beside / "curl.notes").write_text(
        json.dumps(
            [
                {"id": 1, "author": {"id": 8}, "body": f"{MARKER}\nmallory's"},
                {"id": 2, "author": {"id": 7}, "body": f"{MARKER}\nours"},
            ]
        )
    )
    assert gitlab(job, WORMHOLE_GITLAB_TOKEN="secret").returncode == 0
    assert "/merge_requests/12/notes/2 " in job.read("curl.log").splitlines()[-1]
    assert "--request PUT" in job.read("curl.log").splitlines()[-1]


def test_gitlab_needs_no_token(job: Job) -> None:
    done = gitlab(job)
    assert (done.returncode, (job.beside / "curl.log").exists()) == (0, False)
    assert (job.tree / "wormhole-review.md").read_text().splitlines()[0] == MARKER
    assert json.loads((job.tree / "wormhole-validate.sarif").read_text())["version"] == "2.1.0"


def test_gitlab_tells_a_base_that_was_not_fetched_from_a_first_state(job: Job) -> None:
    done = gitlab(job, CI_MERGE_REQUEST_DIFF_BASE_SHA="0" * 40)
    assert done.returncode == 1
    assert NOT_FETCHED.format("0" * 40, 'GIT_DEPTH: "0"') in done.stderr
    told = (job.tree / "wormhole-review.md").read_text()
    assert told == f"{MARKER}\n\n**The change cannot be told: the job's log says why.**\n"


def test_gitlab_tells_of_a_folder_named_with_a_slash(job: Job) -> None:
    change(job, 3, moved=1)
    assert gitlab(job, WORMHOLE_STATE="state/").returncode == 0
    assert "node-1 moves" in (job.tree / "wormhole-review.md").read_text()


@needs_jq
def test_gitlab_fails_after_it_has_told_everything(job: Job) -> None:
    write_inventory(job.tree / "inventory", 3, moved=1)
    done = gitlab(job)
    assert done.returncode == 1
    told = (job.tree / "wormhole-review.md").read_text()
    assert "node-1 moves" in told
    assert told.endswith("\n**The committed state is not what the inventory compiles to.**\n")


# --- pre-commit ---


HOOK_LIST: list[dict[str, Any]] = yaml.safe_load(HOOKS.read_text())


def test_hooks_are_of_the_form_that_pre_commit_asks_for() -> None:
    program = pytest.importorskip("pre_commit.main", reason="no pre-commit, which reads them")
    assert program.main(["validate-manifest", str(HOOKS)]) == 0


@pytest.mark.parametrize("hook", HOOK_LIST, ids=[hook["id"] for hook in HOOK_LIST])
def test_a_hook_passes_on_what_was_compiled(hook: dict[str, Any], job: Job) -> None:
    (job.tree / "rendered").symlink_to("native")
    done = job.run(f"{hook['entry']} {' '.join(hook['args'])}")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("hook", HOOK_LIST[:1], ids=["wormhole-validate"])
def test_a_hook_refuses_a_mistake(hook: dict[str, Any], job: Job) -> None:
    (job.tree / "inventory/mesh.yaml").write_text("kind: Mesh")
    assert job.run(f"{hook['entry']} {' '.join(hook['args'])}").returncode == 2


@pytest.mark.parametrize("name", ["wormhole-compile-check", "wormhole-render-check"])
def test_a_hook_refuses_what_was_not_compiled(name: str, job: Job) -> None:
    [hook] = [each for each in HOOK_LIST if each["id"] == name]
    (job.tree / "rendered").symlink_to("native")
    (job.tree / "native/node-1/sysctl.conf").write_text("")
    write_inventory(job.tree / "inventory", 3, moved=1)
    assert job.run(f"{hook['entry']} {' '.join(hook['args'])}").returncode == 1
