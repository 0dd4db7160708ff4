"""What a compile wrote to one commit of exactly that, with a message made of the difference."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Final

from review.changes.compare import compare
from review.changes.review import Review
from schemas.document import HOSTS_FOLDER, MESH_FILE, list_documents, load_host
from schemas.problems import Problem, Problems
from schemas.state import Documents, Value
from wormhole.files.rendering import is_rendering, name_files
from wormhole.files.statereader import Reader
from wormhole.git.commit import Commit, commit_files, find_changes
from wormhole.git.message import Occasion, write_message
from wormhole.git.repository import Repository, find_repository, refuse_ignored
from wormhole.git.tree import list_tree

_HOST_AND_FILE: Final = 2


class Target(Value, frozen=True, kw_only=True):
    """Where a state, and perhaps its rendering, will be committed."""

    repository: Repository
    state: str
    """The state folder, from the top of the work tree."""
    rendered: str | None


class Committed(Value, frozen=True, kw_only=True):
    """A commit, and what it says."""

    commit: Commit
    message: str

    @property
    def subject(self) -> str:
        """The first line."""
        return self.message.partition("\n")[0]


def choose_target(state: Path, rendered: Path | None, documents: Documents) -> Target:
    """Find the work tree that both folders lie in, before anything is written to them.

    Raises:
        Problems: there is no committing there, now or ever.

    """
    folders = (state,) if rendered is None else (state, rendered)
    repository = find_repository(folders)
    target = Target(
        repository=repository,
        state=repository.locate(state),
        rendered=None if rendered is None else repository.locate(rendered),
    )
    files = () if rendered is None else tuple(name_files(documents))
    refuse_ignored(repository, _name_all(target, documents, files))
    return target


def commit_state(
    target: Target,
    documents: Documents,
    rendered: tuple[str, ...],
    warnings: tuple[Problem, ...],
) -> Committed | None:
    """Commit a state and the files of its rendering as they are in the work tree.

    Returns None when HEAD has all of it already.

    Raises:
        GitError: git, or a hook of the user's, refused; the files are written, and nothing else.

    """
    changed = find_changes(
        target.repository,
        _list_folders(target),
        _name_all(target, documents, rendered),
        lambda path, content: _is_ours(target, documents.mesh.name, path, content),
    )
    if not changed:
        return None
    in_state = {path for path in changed if not _is_below(path, target.rendered)}
    review, why_none = _review(target, documents)
    message = write_message(
        Occasion(
            mesh=documents.mesh.name,
            hosts=len(documents.hosts),
            review=review,
            why_none=why_none,
            state_files=len(in_state),
            rendered_files=len(changed) - len(in_state),
            warnings=warnings,
        )
    )
    return Committed(commit=commit_files(target.repository, changed, message), message=message)


def describe_oddities(target: Target, made: Committed) -> Iterator[Problem]:
    """Yield what somebody should know about where a commit went, and what is in it."""
    for path in made.commit.surplus:
        yield Problem(file=path, rule="is in the commit too: a hook of this repository added it")
    for path in made.commit.altered:
        rule = "is in the commit with other content than was written: a hook of this repository"
        yield Problem(file=path, rule=f"{rule} changed it")
    if target.repository.superproject:
        rule = "is a submodule: the repository around it still points at the commit before"
        yield Problem(file=target.repository.top, rule=rule)


def _review(target: Target, documents: Documents) -> tuple[Review | None, str]:
    """Compare with what HEAD has; or return nothing, and why if there is something."""
    try:
        committed = _read_committed(target)
    except Problems as error:
        return None, str(error.problems[0])
    return (None, "") if committed is None else (compare(committed, documents), "")


def _read_committed(target: Target) -> Documents | None:
    """Read the state that HEAD has; None when it has none.

    Raises:
        Problems: it has one that cannot be read, such as another version's.

    """
    repository = target.repository
    mesh = _join(target.state, MESH_FILE)
    if not repository.head or not list_tree(repository.folder, repository.head, (mesh,)):
        return None
    return Reader().read_revision(repository.folder, repository.head, target.state).documents


def _name_all(target: Target, documents: Documents, rendered: Iterable[str]) -> tuple[str, ...]:
    """Return every file that belongs to what is committed, from the top."""
    state = [_join(target.state, name) for name in list_documents(documents)]
    return (*state, *(_join(target.rendered or "", name) for name in rendered))


def _list_folders(target: Target) -> tuple[str, ...]:
    folders = (_join(target.state, MESH_FILE), _join(target.state, HOSTS_FOLDER))
    return folders if target.rendered is None else (*folders, target.rendered)


def _is_ours(target: Target, mesh: str, path: str, content: bytes) -> bool:
    """Whether a committed file is one that a compile of this mesh wrote."""
    if _is_below(path, _join(target.state, HOSTS_FOLDER)):
        with suppress(Problems):
            return load_host(content, path).mesh == mesh
    if _is_below(path, target.rendered):
        parts = PurePosixPath(path).relative_to(target.rendered or "").parts
        return len(parts) == _HOST_AND_FILE and is_rendering(*parts, content, mesh)
    return False


def _is_below(path: str, folder: str | None) -> bool:
    return folder is not None and PurePosixPath(folder) in PurePosixPath(path).parents


def _join(folder: str, name: str) -> str:
    return str(PurePosixPath(folder) / name)
