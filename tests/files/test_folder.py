"""Output folders appear whole and replace only their own kind."""

from pathlib import Path

import pytest

from scdcli.errors import InputError, OutputError
from scdcli.files.folder import folder_at_once


def listed(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_folder_appears_when_it_is_finished(tmp_path):
    with folder_at_once(tmp_path / "out", mark="done", overwrite=False) as folder:
        (folder / "done").write_text("1")
        assert listed(tmp_path) == [".out.partial"]
    assert listed(tmp_path) == ["out"]


def test_a_failure_leaves_nothing_and_keeps_the_old_one(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/done").write_text("old")
    with pytest.raises(KeyError), folder_at_once(tmp_path / "out", mark="done", overwrite=True):
        raise KeyError
    assert listed(tmp_path) == ["out"]
    assert (tmp_path / "out/done").read_text() == "old"


def test_an_older_one_of_its_kind_is_replaced_when_allowed(tmp_path):
    (tmp_path / "out").mkdir()
    for name in ("done", "stale"):
        (tmp_path / "out" / name).write_text("old")
    with pytest.raises(OutputError, match="out exists; replace it with --overwrite"):
        folder_at_once(tmp_path / "out", mark="done", overwrite=False).__enter__()
    with folder_at_once(tmp_path / "out", mark="done", overwrite=True) as folder:
        (folder / "done").write_text("new")
    assert listed(tmp_path / "out") == ["done"]
    assert listed(tmp_path) == ["out"]


def test_foreign_files_are_never_replaced(tmp_path, monkeypatch):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos/summer.jpg").write_text("dear")
    (tmp_path / "file").write_text("dear too")
    monkeypatch.chdir(tmp_path)
    for place in (tmp_path / "photos", tmp_path / "file", tmp_path / ".", tmp_path / "photos/.."):
        with (
            pytest.raises(OutputError, match="not made by this command"),
            folder_at_once(place, mark="done", overwrite=True),
        ):
            pass
    assert listed(tmp_path) == ["file", "photos"]
    assert listed(tmp_path / "photos") == ["summer.jpg"]


def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(OutputError, match="file/out cannot be written"),
        folder_at_once(tmp_path / "file" / "out", mark="done", overwrite=False),
    ):
        pass


def test_a_folder_with_more_in_it_than_we_made_is_kept(tmp_path):
    (tmp_path / "out").mkdir()
    for name in ("done", "mine"):
        (tmp_path / "out" / name).write_text("")
    with (
        pytest.raises(OutputError, match="also holds mine"),
        folder_at_once(tmp_path / "out", mark="done", overwrite=True, only={"done"}),
    ):
        pass
    assert listed(tmp_path / "out") == ["done", "mine"]


def test_a_result_that_appears_meanwhile_is_kept(tmp_path):
    def finish_elsewhere():
        with folder_at_once(tmp_path / "out", mark="done", overwrite=False):
            (tmp_path / "out").mkdir()
            (tmp_path / "out/other").write_text("")

    with pytest.raises(OutputError, match="out exists"):
        finish_elsewhere()
    assert listed(tmp_path / "out") == ["other"]
    assert listed(tmp_path) == ["out"]


def interrupt_the_swap(tmp_path, monkeypatch, *, renamed):
    """Write a new result that is interrupted before or after it takes its name."""
    rename = Path.replace

    def interrupted(path, target):
        if path.name != ".out.partial":
            return rename(path, target)
        if renamed:
            rename(path, target)
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", interrupted)
    with (
        pytest.raises(KeyboardInterrupt),
        folder_at_once(tmp_path / "out", mark="done", overwrite=True) as folder,
    ):
        (folder / "done").write_text("new")
    monkeypatch.setattr(Path, "replace", rename)


def test_an_interruption_in_the_swap_keeps_the_old_result(tmp_path, monkeypatch):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/done").write_text("old")
    interrupt_the_swap(tmp_path, monkeypatch, renamed=False)
    assert listed(tmp_path) == ["out"]
    assert (tmp_path / "out/done").read_text() == "old"


def test_an_interruption_in_the_swap_of_a_first_result_leaves_nothing(tmp_path, monkeypatch):
    interrupt_the_swap(tmp_path, monkeypatch, renamed=False)
    assert listed(tmp_path) == []


def test_an_interruption_just_after_the_swap_keeps_the_new_result(tmp_path, monkeypatch):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/done").write_text("old")
    interrupt_the_swap(tmp_path, monkeypatch, renamed=True)
    assert (tmp_path / "out/done").read_text() == "new"
    with folder_at_once(tmp_path / "out", mark="done", overwrite=True) as folder:
        assert (tmp_path / "out/done").read_text() == "new"
        (folder / "done").write_text("newer")
    assert (tmp_path / "out/done").read_text() == "newer"
    assert listed(tmp_path) == ["out"]


def test_parents_that_others_use_meanwhile_stay(tmp_path):
    def fail():
        with folder_at_once(tmp_path / "a/b/out", mark="done", overwrite=False):
            (tmp_path / "a/theirs").write_text("")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert listed(tmp_path / "a") == ["theirs"]


def test_parents_made_for_a_failure_go_again(tmp_path):
    with (
        pytest.raises(KeyError),
        folder_at_once(tmp_path / "a/b/out", mark="done", overwrite=False),
    ):
        raise KeyError
    assert listed(tmp_path) == []


def test_two_processes_do_not_write_one_folder(tmp_path):
    with folder_at_once(tmp_path / "out", mark="done", overwrite=False) as folder:
        (folder / "done").write_text("mine")
        with (
            pytest.raises(OutputError, match="out is being written by another process"),
            folder_at_once(tmp_path / "out", mark="done", overwrite=True),
        ):
            pass
    assert listed(tmp_path / "out") == ["done"]
    assert listed(tmp_path) == ["out"]


@pytest.mark.parametrize(
    ("error", "stays"),
    [
        (KeyboardInterrupt(), True),
        (SystemExit(143), True),
        (OSError(28, "No space left on device"), True),
        (OutputError("no room"), True),
        (InputError("the image is damaged"), False),
        (KeyError(), True),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_what_is_kept_outlives_all_but_a_refusal_of_the_inputs(tmp_path, error, stays):
    def fail():
        with folder_at_once(tmp_path / "out", mark="done", overwrite=False, kept="kept") as folder:
            (folder / "kept").mkdir()
            (folder / "kept/part").write_text("1")
            (folder / "draft").write_text("")
            raise error

    with pytest.raises((type(error), OutputError)):
        fail()
    assert listed(tmp_path) == ([".out.partial"] if stays else [])
    if stays:
        assert listed(tmp_path / ".out.partial") == ["kept"]
    with folder_at_once(tmp_path / "out", mark="done", overwrite=False, kept="kept") as folder:
        assert (folder / "kept/part").exists() == stays
        (folder / "done").write_text("")
    assert listed(tmp_path) == ["out"]
    assert listed(tmp_path / "out") == ["done"]


def test_nothing_is_kept_before_there_is_something(tmp_path):
    def stop_early():
        with folder_at_once(
            tmp_path / "a/out", mark="done", overwrite=False, kept="kept"
        ) as folder:
            (folder / "kept").mkdir()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stop_early()
    assert listed(tmp_path) == []


def test_a_result_put_aside_by_a_killed_process_comes_back(tmp_path):
    """Killed between the two renames of a replacement: the old one aside, the new one not there."""
    (tmp_path / ".out.old").mkdir()
    (tmp_path / ".out.old/done").write_text("old")
    with (
        pytest.raises(OutputError, match="out exists"),
        folder_at_once(tmp_path / "out", mark="done", overwrite=False),
    ):
        pass
    assert (tmp_path / "out/done").read_text() == "old"
    assert listed(tmp_path) == ["out"]


def test_killed_while_it_removes_what_was_kept_nothing_half_is_found(tmp_path, monkeypatch):
    """A process may end in the middle of a removal, which is none of one."""
    removed = []

    def die(path, **_):
        removed.append(path.name)
        raise KeyboardInterrupt

    def finish():
        with folder_at_once(tmp_path / "out", mark="done", overwrite=False, kept="kept") as folder:
            (folder / "kept").mkdir()
            (folder / "kept/part").write_text("1")
            (folder / "done").write_text("")
            monkeypatch.setattr("scdcli.files.folder.shutil.rmtree", die)

    with pytest.raises(KeyboardInterrupt):
        finish()
    assert removed[0] != "kept"
    assert not (tmp_path / ".out.partial/kept").exists()
