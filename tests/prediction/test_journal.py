"""What an interrupted prediction keeps, and that it is taken up only for the same prediction."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from scdcli.errors import OutputError
from scdcli.prediction.journal import JOURNAL, differences, open_journal

IDENTITY = {"model": "abc", "settings": {"threshold": 0.5, "tta": "none"}, "bands": (1, 2)}
LAYERS = {"from": np.arange(12, dtype=np.uint8).reshape(3, 4), "to": np.zeros((3, 4), np.uint8)}


def stored(folder, identity=IDENTITY):
    open_journal(folder, identity, resume=False).store(3, LAYERS)


def test_a_supertile_comes_back_as_it_was(tmp_path):
    stored(tmp_path)
    journal = open_journal(tmp_path, IDENTITY, resume=True)
    assert journal.load(2) is None
    assert journal.resumed == 0
    layers = journal.load(3)
    assert layers.keys() == LAYERS.keys()
    assert all((layers[name] == LAYERS[name]).all() for name in LAYERS)
    assert journal.resumed == 1


@given(layer=arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9))))
def test_any_layer_comes_back(tmp_path_factory, layer):
    folder = tmp_path_factory.mktemp("work")
    journal = open_journal(folder, IDENTITY, resume=True)
    journal.store(0, {"from": layer})
    assert (journal.load(0)["from"] == layer).all()


def test_nothing_is_kept_unless_asked_for(tmp_path):
    stored(tmp_path)
    assert open_journal(tmp_path, IDENTITY, resume=False).load(3) is None
    assert not (tmp_path / JOURNAL).exists()


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "text"])
def test_a_damaged_supertile_is_made_again(tmp_path, damage):
    stored(tmp_path)
    path = next((tmp_path / JOURNAL).glob("*.npz"))
    content = bytearray(path.read_bytes())
    content[60] ^= 0xFF  # in the compressed pixels of the first layer
    found = {"cut": content[:-9], "flipped": content, "empty": b"", "text": b"no archive"}
    path.write_bytes(found[damage])
    journal = open_journal(tmp_path, IDENTITY, resume=True)
    assert journal.load(3) is None
    assert not path.exists()
    journal.store(3, LAYERS)
    assert journal.load(3) is not None


def test_parts_are_kept_every_half_minute_and_go_with_their_supertile(tmp_path, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr("scdcli.prediction.journal.time.monotonic", lambda: clock[0])
    journal = open_journal(tmp_path, IDENTITY, resume=False)
    part = journal.part(3)
    for now, chips, kept in ((29, 1, None), (30, 2, 2), (59, 3, 2), (60, 4, 4)):
        clock[0] = now
        part.offer({"chips": np.array(chips)})
        found = journal.part(3).load()
        assert (found and int(found["chips"])) == kept
    assert journal.part(2).load() is None
    journal.store(3, LAYERS)
    assert journal.part(3).load() is None


def test_a_part_without_room_is_no_error(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("scdcli.prediction.journal.KEEP_EVERY", 0)
    journal = open_journal(tmp_path, IDENTITY, resume=False)
    monkeypatch.setattr("scdcli.prediction.journal._write", full)
    journal.part(0).offer({"chips": np.array(1)})
    assert journal.part(0).load() is None


def test_a_journal_half_removed_is_none(tmp_path):
    stored(tmp_path)
    (tmp_path / JOURNAL / "identity.json").unlink()
    assert open_journal(tmp_path, IDENTITY, resume=True).load(3) is None
    assert not (tmp_path / JOURNAL).exists()


@pytest.mark.parametrize("damage", [b"", b'{"model": ', b"\xff\xfe\x00"])
def test_a_damaged_identity_is_one_sentence_and_nothing_is_lost(tmp_path, damage):
    stored(tmp_path)
    (tmp_path / JOURNAL / "identity.json").write_bytes(damage)
    with pytest.raises(OutputError, match=r"identity\.json is damaged .*leave out --resume"):
        open_journal(tmp_path, IDENTITY, resume=True)
    assert (tmp_path / JOURNAL / "000003.npz").exists()


def test_another_prediction_is_not_taken_up(tmp_path):
    stored(tmp_path)
    other = IDENTITY | {"settings": {"threshold": 0.6, "tta": "none"}}
    with pytest.raises(OutputError, match=r"settings threshold was 0\.5 and is 0\.6"):
        open_journal(tmp_path, other, resume=True)
    assert open_journal(tmp_path, IDENTITY, resume=True).load(3) is not None


def test_differences_name_both_values_and_not_too_many():
    many = {str(number): number for number in range(9)}
    assert differences(many, many | {"4": 5}) == "4 was 4 and is 5"
    assert differences({}, many).endswith("2 was null and is 2 and 6 more")
    assert differences({"a": [1, 2]}, {"a": (1, 2)}) == ""
    assert len(differences({"a": "x" * 500}, {"a": 1})) < 100
