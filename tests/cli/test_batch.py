"""``scd predict --pairs``: one bad pair stops no other, and each is told as soon as it is done."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from scenes import noise, write_scene
from standins import tiny_model

from scdcli.cli import batch
from scdcli.errors import InputError

SMALL = ("-m", "model.safetensors", "--chip", "64", "--overlap", "0", "--vector", "none")


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A working folder with three scenes and a tiny model."""
    monkeypatch.chdir(tmp_path)
    tiny_model(tmp_path / "model.safetensors")
    for seed, name in enumerate("abc"):
        write_scene(tmp_path / f"{name}.tif", noise((3, 60, 80), seed=seed))
    return tmp_path


def test_two_folders_are_pairs_of_the_images_of_one_name(scd, stand_in, tmp_path):
    for file in ("2009/n.tif", "2009/s.tif", "2009/s.tif.aux.xml", "2018/n.jp2", "2018/w.tif"):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).touch()
    result = scd("predict", "--pairs", "2009", "2018", "-o", "maps")
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines() == [str(Path("maps/n"))]
    assert (
        "Left out, as the other folder has no image of the name: 2009/s.tif and 1" in result.stderr
    )
    (tmp_path / "2018/n.jp2").unlink()
    result = scd("predict", "--pairs", "2009", "2018", "-o", "more")
    assert "2009 and 2018 hold 2 and 1 images and share no name" in result.stderr
    result = scd("predict", "--pairs", "2009", "2081", "-o", "more")
    assert "2081 is not a folder" in result.stderr
    assert scd("predict", "--pairs", "2009").exit_code == 2
    assert scd("predict", "--pairs", "2009", "2018", "3").exit_code == 2


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    """A prediction that takes no time; images with the name of an error raise it."""
    monkeypatch.chdir(tmp_path)
    seen = []
    errors = {
        "missing.tif": InputError("missing.tif does not exist; check the name."),
        "secret.tif?key=1": InputError("https://h/secret.tif?key=1 cannot be\nread; check it."),
        "bug.tif": ZeroDivisionError("of pixels"),
        "stop.tif": KeyboardInterrupt(),
        "terminate.tif": SystemExit(143),
    }

    def predict_pair(before, after, out, predictor, options, terminal, cluster):
        seen.append((before, after, predictor))
        if error := errors.get(after.split("/")[-1]):
            raise error
        summary = {
            "changed": {"pixels": 1200, "hectares": 1.5, "percent": 25.0},
            "seconds": 2.0,
            "pair": [before, after],
        }
        if not (out / "summary.json").exists():
            out.mkdir(parents=True)
            (out / "summary.json").write_text(json.dumps(summary))
        return summary

    monkeypatch.setattr("scdcli.cli.batch.predict_pair", predict_pair)
    models = []
    monkeypatch.setattr("scdcli.cli.predict._predictor", lambda *_: models.append(1) or models)
    return seen


def table(*afters, name="pairs.csv", columns="before,after,output"):
    rows = "".join(f"{n}.tif,{after},out/{n}\n" for n, after in enumerate(afters))
    Path(name).write_text(f"{columns}\n{rows}", encoding="utf-8")


def test_a_table_is_predicted_with_the_real_thing(scd, here):
    (here / "lists").mkdir()
    (here / "lists/pairs.csv").write_text(
        "before;after;output;site\r\n../a.tif;../b.tif;;X\r\n../a.tif;../none.tif;;Y\r\n"
        "../b.tif;../c.tif;changes;Z\r\n",
        encoding="utf-8-sig",
    )
    result = scd("predict", "--pairs", "lists/pairs.csv", *SMALL, "-o", "maps")
    assert result.exit_code == 3, result.output
    assert result.stdout == "maps/a__b\nmaps/changes\n"
    assert "lists/pairs.csv: not used: site." in result.stderr
    (problem,) = [line for line in result.stderr.splitlines() if line.startswith("Error")]
    assert problem.startswith("Error: lists/pairs.csv, line 3: lists/../none.tif does not exist")
    assert result.stderr.endswith("1 of 3 pairs failed: lists/pairs.csv, line 3.\n")
    assert sorted(path.name for path in (here / "maps").iterdir() if path.is_dir()) == [
        "a__b",
        "changes",
    ]
    summary = json.loads((here / "maps/changes/summary.json").read_text())
    assert summary["inputs"]["after"]["name"] == "c.tif"


def test_resume_leaves_alone_what_is_finished(scd, here):
    (here / "pairs.csv").write_text("before,after\na.tif,b.tif\nb.tif,c.tif\n")
    call = ("predict", "--pairs", "pairs.csv", *SMALL)
    assert scd(*call, "--shard", "1/2").stdout == "a__b\n"
    made = (here / "a__b/from.tif").stat().st_mtime_ns
    result = scd(*call, "--resume", "--json", "-q")
    assert result.exit_code == 0, result.output
    first, second = (json.loads(line) for line in result.stdout.splitlines())
    assert (first["status"], second["status"]) == ("skipped", "done")
    assert first["summary"] == json.loads((here / "a__b/summary.json").read_text())
    assert (here / "a__b/from.tif").stat().st_mtime_ns == made
    other = scd(*call, "--resume", "--threshold", "0.9", "-q")
    assert other.exit_code == 3
    assert "line 2: a__b" in other.stderr
    assert "2 of 2 pairs failed" in other.stderr
    again = scd(*call, "--resume", "--threshold", "0.9", "--overwrite", "--json", "-q")
    assert [json.loads(line)["status"] for line in again.stdout.splitlines()] == ["done", "done"]


def test_shards_leave_the_files_of_all_pairs_together(scd, here):
    """The last shard to end finds what the others have made, and what has failed there."""
    (here / "pairs.csv").write_text(
        "before,after,name\na.tif,b.tif,n\nb.tif,none.tif,s\nb.tif,c.tif,w\n"
    )
    call = ("predict", "--pairs", "pairs.csv", *SMALL, "-o", "maps", "--vector", "gpkg")
    first = scd(*call, "--shard", "1/3")
    assert f"{Path('maps/index.html')} shows all pairs; maps has" in first.stderr
    assert "transitions.csv all areas, of 1 of 3 pairs." in first.stderr
    assert states(here) == {"n": "done", "s": "waiting", "w": "waiting"}
    assert scd(*call, "--shard", "2/3").exit_code == 3
    assert scd(*call, "--shard", "3/3").exit_code == 0
    assert states(here) == {"n": "done", "s": "failed", "w": "done"}
    page = (here / "maps/index.html").read_text(encoding="utf-8")
    assert "Failed: none.tif does not exist" in page
    assert "1 of 3 pairs failed" in page
    assert (here / "maps/changes.gpkg").is_file()
    # without --report and polygons, neither is left
    again = (*call[:-2], "--vector", "none", "--no-report", "--overwrite")
    assert scd(*again).exit_code == 3
    assert not (here / "maps/changes.gpkg").exists()


def states(here):
    pairs = json.loads((here / "maps/batch.json").read_text())["pairs"]
    return {each["name"]: each["status"] for each in pairs}


def test_a_batch_does_not_replace_the_files_of_others(scd, stand_in):
    table("a.tif")
    Path("maps").mkdir()
    Path("maps/summary.json").write_text("{}")
    result = scd("predict", "--pairs", "pairs.csv", "-o", "maps")
    assert result.exit_code == 1
    assert "maps is the folder of a prediction, whose files those of the batch" in result.stderr
    Path("maps/summary.json").rename("maps/transitions.csv")
    result = scd("predict", "--pairs", "pairs.csv", "-o", "maps")
    assert "maps holds transitions.csv, which no batch has made" in result.stderr
    assert stand_in == []


def test_a_wrong_option_is_told_once(scd, here):
    (here / "pairs.csv").write_text("before,after\na.tif,b.tif\nb.tif,c.tif\n")
    for option, name in (("--vector", "kml"), ("--tta", "flop"), ("--device", "tpu")):
        result = scd(
            "predict", "--pairs", "pairs.csv", "-q", "-m", "model.safetensors", option, name
        )
        assert result.exit_code == 1
        assert result.stderr.startswith("Error: no ")
        assert result.stderr.count(f"'{name}'") == 1


def test_a_taken_output_fails_its_pair_only(scd, stand_in):
    table("a.tif", "b.tif")
    Path("out/0").mkdir(parents=True)
    result = scd("predict", "--pairs", "pairs.csv")
    assert result.exit_code == 3
    assert "line 2: out/0 exists" in result.stderr
    assert result.stdout == "out/1\n"


def test_a_long_batch_is_announced_after_the_first_pair(monkeypatch):
    clock = iter([0, 30, 60, 90])
    monkeypatch.setattr(batch, "monotonic", lambda: next(clock))
    pace = batch.Pace(5)
    assert pace.after(made=False) is None  # finished before, or failed
    assert pace.after(made=True) == "About 2 minutes to go if the other 3 pairs are like this one."
    assert pace.after(made=True) is None
    clock = iter([0, 30])
    assert batch.Pace(3).after(made=True) is None  # a minute


def test_one_model_serves_all_pairs(scd, stand_in):
    table("a.tif", "b.tif", "c.tif")
    result = scd("predict", "--pairs", "pairs.csv", "-q")
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    assert result.stdout == "out/0\nout/1\nout/2\n"
    assert [model for *_, model in stand_in] == [[1]] * 3


def test_every_pair_is_told_by_number(scd, stand_in):
    table("a.tif", "b.tif")
    said = scd("predict", "--pairs", "pairs.csv").stderr.splitlines()
    assert said[-3:] == [
        "2 of 2: 1.tif, b.tif",
        "2 of 2: 1.50 ha (25.00 %) changed, 2 s",
        "With -o DIR a batch also leaves a page, a layer and a table of all pairs.",
    ]


@pytest.mark.parametrize(
    ("afters", "told"),
    [
        (["missing.tif", "b.tif", "missing.tif"], "2 of 3 pairs failed: pairs.csv, lines 2 and 4."),
        (["missing.tif"], "1 of 1 pairs failed: pairs.csv, line 2."),
        (["missing.tif"] * 12, "lines 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 and 2 more."),
    ],
)
@pytest.mark.parametrize("options", [[], ["-q"]])
def test_failures_are_exit_3_and_told_even_to_the_quiet(scd, stand_in, afters, told, options):
    table(*afters)
    result = scd("predict", "--pairs", "pairs.csv", *options)
    assert result.exit_code == 3
    assert result.stderr.endswith(f"{told}\n")
    failed = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    assert failed[0] == ("Error: pairs.csv, line 2: missing.tif does not exist; check the name.")
    assert len(failed) == afters.count("missing.tif")


def test_a_bug_fails_its_pair_only_and_says_its_type(scd, stand_in):
    table("bug.tif", "b.tif")
    result = scd("predict", "--pairs", "pairs.csv")
    assert result.exit_code == 3
    assert "line 2: ZeroDivisionError: of pixels (" in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stdout == "out/1\n"


def test_verbose_shows_where_errors_come_from(scd, stand_in):
    table("bug.tif", "missing.tif")
    said = scd("predict", "--pairs", "pairs.csv", "--verbose").stderr
    assert said.count("Traceback") == 2
    assert "in predict_pair" in said
    assert "scd 0." in said
    assert scd("-v", "predict", "--pairs", "pairs.csv").stderr.count("Traceback") == 2


@pytest.mark.parametrize(("name", "status"), [("stop.tif", 130), ("terminate.tif", 143)])
def test_a_stopped_batch_goes_no_further(scd, stand_in, name, status):
    table("a.tif", name, "c.tif")
    result = scd("predict", "--pairs", "pairs.csv")
    assert result.exit_code == status
    assert result.stdout == "out/0\n"
    assert len(stand_in) == 2
    assert "Stopped at line 3 of pairs.csv, 2 of 3 pairs are not done; " in result.stderr
    assert "failed" not in result.stderr


def test_json_is_a_line_per_pair(scd, stand_in):
    Path("pairs.csv").write_text(
        "before,after,output\na.tif,Ω.tif,out/0\na.tif,missing.tif,out/1\n"
        "a.tif,https://me:word@h/secret.tif?key=1,out/2\nbug.tif,bug.tif,out/3\n",
        encoding="utf-8",
    )
    result = scd("predict", "--pairs", "pairs.csv", "--json")
    assert result.exit_code == 3
    done, missing, secret, bug = (json.loads(line) for line in result.stdout.splitlines())
    assert done == {
        "line": 2,
        "before": "a.tif",
        "after": "Ω.tif",
        "output": "out/0",
        "status": "done",
        "error": None,
        "summary": json.loads(Path("out/0/summary.json").read_text()),
    }
    assert missing["status"] == "failed"
    assert missing["summary"] is None
    assert missing["error"] == "missing.tif does not exist; check the name."
    assert secret["after"] == "https://h/secret.tif"
    assert secret["error"] == "https://h/secret.tif cannot be read; check it."
    assert bug["error"].startswith("ZeroDivisionError: of pixels")
    assert not {"key=1", "word"} & set(result.stderr.replace("?", " ").replace(":", " ").split())


def test_shards_share_the_table(scd, stand_in):
    table(*(f"{n}.tif" for n in range(7)))
    told = []
    for number in (1, 2, 3):
        result = scd("predict", "--pairs", "pairs.csv", "--shard", f"{number}/3")
        assert result.exit_code == 0, result.output
        told.append(result.stdout.split())
    assert told == [["out/0", "out/3", "out/6"], ["out/1", "out/4"], ["out/2", "out/5"]]
    assert "Shard 3 of 3: 2 of 7 pairs." in result.stderr
    empty = scd("predict", "--pairs", "pairs.csv", "--shard", "8/9")
    assert (empty.exit_code, empty.stdout) == (0, "")


@pytest.mark.parametrize("shard", ["0/3", "4/3", "1", "1/0", "a/b", "1/2/3", "-1/3", "1 /3", ""])
def test_a_shard_is_i_of_n(scd, stand_in, shard):
    table("a.tif")
    result = scd("predict", "--pairs", "pairs.csv", "--shard", shard)
    assert result.exit_code == 2
    assert "is not I/N with I from 1 to N" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "Give BEFORE and AFTER (0 of 2 images given), or --pairs"),
        (["a.tif"], "(1 of 2 images given)"),
        (["a.tif", "b.tif", "c.tif"], "(3 of 2 images given)"),
        (["a.tif", "b.tif", "--pairs", "pairs.csv"], "not both"),
        (["a.tif", "--pairs", "pairs.csv"], "not both"),
        (["a.tif", "b.tif", "--shard", "1/2"], "--shard takes a part of a table"),
    ],
)
def test_two_images_or_a_table(scd, stand_in, arguments, words):
    table("a.tif")
    result = scd("predict", *arguments)
    assert result.exit_code == 2
    assert words in result.stderr
    assert stand_in == []


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "pairs.csv is empty"),
        ("before,after\n", "pairs.csv lists no pairs"),
        ("before,after\na.tif,\n", "(line 2) without before or without after"),
        ("before,after\na.tif,b.tif\nx/a.tif,x/b.tif\n", "(lines 2 and 3 to a__b)"),
        ("before,after,output\na.tif,b.tif,x\nx/a.tif,b.tif,y\n", "x/a.tif lies in x, the output"),
    ],
)
@pytest.mark.parametrize("shard", ["1/1", "2/2"])
def test_a_bad_table_is_refused_before_any_work(scd, stand_in, monkeypatch, content, words, shard):
    monkeypatch.delattr("scdcli.cli.predict._predictor")  # no model may be loaded
    Path("pairs.csv").write_text(content)
    result = scd("predict", "--pairs", "pairs.csv", "--shard", shard)
    assert result.exit_code == 1, result.output
    assert isinstance(result.exception, SystemExit)
    assert result.stderr.startswith("Error: pairs.csv")
    assert words in result.stderr


def test_a_table_in_windows_1252_is_read_and_said(scd, stand_in):
    text = "sep=;\r\nbefore;after;cloud\r\nWälder.tif;missing.tif;0,5\r\n"
    Path("pairs.csv").write_bytes(text.encode("cp1252"))
    result = scd("predict", "--pairs", "pairs.csv")
    assert stand_in[0][:2] == ("Wälder.tif", "missing.tif")
    name = "pairs.csv (not UTF-8, read as Windows-1252)"
    assert result.stderr.startswith(f'{name}; where names look wrong, save it as "CSV UTF-8".\n')
    assert f"Error: {name}, line 3: missing.tif does not exist" in result.stderr


def test_a_table_that_cannot_be_opened_is_one_sentence(scd, stand_in):
    result = scd("predict", "--pairs", "none.csv")
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: none.csv cannot be read (")


def test_a_folder_alone_asks_for_a_second_one(scd, stand_in):
    result = scd("predict", "--pairs", ".")
    assert result.exit_code == 2
    assert ". is a folder: give a second one with the later images" in result.stderr


def test_the_table_may_come_from_stdin(stand_in, monkeypatch):
    from click.testing import CliRunner

    from scdcli.cli import main

    text = "\ufeffbefore\tafter\r\nlists/a.tif\tmissing.tif\r\nlists/é.tif\tb.tif\r\n".encode()
    result = CliRunner().invoke(main, ["predict", "--pairs", "-", "-o", "maps"], input=text)
    assert result.exit_code == 3
    assert result.stdout == "maps/é__b\n"
    assert "Error: stdin, line 2: missing.tif" in result.stderr
    assert stand_in[1][:2] == ("lists/é.tif", "b.tif")  # from the working directory


def test_options_of_a_batch_come_from_a_file_or_the_environment(scd, stand_in, monkeypatch):
    table("a.tif", "b.tif")
    Path("scd.toml").write_text('[predict]\npairs = "pairs.csv"\nshard = "2/2"\n')
    assert scd("--config", "scd.toml", "predict").stdout == "out/1\n"
    monkeypatch.setenv("SCD_PREDICT_SHARD", "1/2")
    monkeypatch.setenv("SCD_PREDICT_JSON", "1")
    record = json.loads(scd("--config", "scd.toml", "predict").stdout)
    assert record["output"] == "out/0"


# Without the library, whose import takes seconds: a pair is a sentence or a long wait.
PATIENT = """
import sys, time, types
from scdcli.cli import batch, main
import scdcli.cli.predict as command

def predict_pair(before, after, out, *rest):
    if "slow" in after:
        print("slow", file=sys.stderr, flush=True)
        time.sleep(60)
    return {"changed": {"pixels": 1, "hectares": None, "percent": None}, "seconds": 0}

batch.predict_pair = predict_pair
command._predictor = lambda *rest: None
main(prog_name="scd")
"""


def started(tmp_path, *afters, **pipes):
    rows = "".join(f"{n}.tif,{after}\n" for n, after in enumerate(afters))
    (tmp_path / "pairs.csv").write_text(f"before,after\n{rows}")
    command = [sys.executable, "-c", PATIENT, "predict", "--pairs", "pairs.csv", "--json"]
    return subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True, **pipes)


@pytest.mark.skipif(sys.platform == "win32", reason="needs signals")
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_line_is_there_before_the_next_pair_and_a_signal_ends_the_batch(tmp_path, number, status):
    with started(tmp_path, "a.tif", "slow.tif", "c.tif", stdout=subprocess.PIPE) as process:
        assert json.loads(process.stdout.readline())["after"] == "a.tif"
        for line in iter(process.stderr.readline, ""):
            if line == "slow\n":
                break
        process.send_signal(number)
        told, said = process.communicate(timeout=60)
    assert process.returncode == status
    assert told == ""
    assert "Stopped at line 3 of pairs.csv, 2 of 3 pairs are not done; go on with\n" in said
    assert "\n  scd predict --pairs pairs.csv --json --resume\n" in said
    assert "Traceback" not in said


def test_without_a_reader_a_batch_ends_silently(tmp_path):
    reader, writer = os.pipe()
    os.close(reader)
    with started(tmp_path, "a.tif", "b.tif", stdout=writer) as process:
        os.close(writer)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 141
    assert said.splitlines() == ["1 of 2: 0.tif, a.tif", "1 of 2: 1 pixels changed, 0 s"]


def test_a_result_that_changed_was_not_skipped(tmp_path):
    path = tmp_path / "summary.json"
    assert batch._stamp(path) is None
    path.write_text("{}")
    first = batch._stamp(path)
    assert first == batch._stamp(path)
    time.sleep(0.01)
    path.unlink()
    path.write_text("{}")
    assert first != batch._stamp(path)
