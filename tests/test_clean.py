"""Captured curves: what is read from others' files, what is mended, and that jitter goes while peaks stay."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.__main__ import main
from engine.clean import arkit, files, livelink, smooth
from engine.contract import channels as table
from engine.contract import curves as curve_files
from engine.contract.curves import Curves
from engine.contract.errors import MienError
from engine.evaluate import clean as measured

JAW = "AU26 Jaw Drop"
HEADER = ",".join(("Timecode", "BlendshapeCount", *livelink.COLUMNS))


def row(stamp: str, value: float | str = 0.0, **named: float | str) -> str:
    cells = [str(named.get(name, value)) for name in livelink.COLUMNS]
    return ",".join([stamp, "61", *cells])


def written(tmp_path, *rows: str, header: str = HEADER):
    path = tmp_path / "take.csv"
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


def swing(count: int = 120, fps: float = 60.0) -> Curves:
    """A jaw that swings and an eye that blinks."""
    time = np.arange(count) / fps
    jaw = 0.35 + 0.3 * np.sin(2 * math.pi * 1.5 * time)
    blink = np.exp(-(((time - 0.9) / 0.05) ** 2))
    return Curves(fps, (JAW, "AU45 Blink.L"), np.stack([jaw, blink], axis=1))


# ── Live Link Face ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_recording_is_read_at_its_own_rate_from_second_zero(tmp_path):
    rows = [row(f"14:58:{2 + k // 60:02d}:{k % 60:02d}.000", JawOpen=k / 200, HeadYaw=0.1) for k in range(120)]
    curves, notes = livelink.read(written(tmp_path, *rows))
    assert curves.fps == 60.0 and len(curves.values) == 120 and notes == []
    assert curves.at(1.0)[curves.channels.index(JAW)] == pytest.approx(60 / 200)
    assert curves.values[:, curves.channels.index("Head Yaw")] == pytest.approx(-0.1)


def test_dropped_frames_and_missing_values_are_filled_and_told(tmp_path):
    kept = [k for k in range(90) if k not in (20, 21, 22)]
    rows = [row(f"01:00:{k // 30:02d}:{k % 30:02d}", JawOpen="" if k == 40 else k / 100) for k in kept]
    curves, notes = livelink.read(written(tmp_path, *rows))
    assert curves.fps == 30.0 and len(curves.values) == 90
    assert curves.values[:, curves.channels.index(JAW)] == pytest.approx(np.arange(90) / 100)
    assert any("3 dropped frames" in note for note in notes) and any("1 missing value" in note for note in notes)


def test_drop_frame_timecodes_leave_no_hole_at_the_minute():
    """At 29.97 drop-frame, 00:00:59;29 is followed by 00:01:00;02, one frame later; the tenth minute drops none."""
    rate = 30000 / 1001
    for before, after in (("00:00:59;29", "00:01:00;02"), ("00:09:59;29", "00:10:00;00"), ("23:59:59;29", None)):
        if after is not None:
            step = livelink.timecode(after, rate) - livelink.timecode(before, rate)
            assert step == pytest.approx(1001 / 30000, abs=1e-9)
    assert livelink.timecode("01:00:00;00", rate) == pytest.approx(3600.0, abs=0.004)
    assert livelink.timecode("00:00:59;59", 60000 / 1001) < livelink.timecode("00:01:00;04", 60000 / 1001)


@given(
    st.integers(0, 23), st.integers(0, 59), st.integers(0, 59), st.integers(0, 59), st.sampled_from([24.0, 30.0, 60.0])
)
def test_timecodes_are_seconds(hours, minutes, seconds, frames, rate):
    if frames < rate:
        stamp = f"{hours:02d}:{minutes:02d}:{seconds:02d}:{frames:02d}.250"
        expected = hours * 3600 + minutes * 60 + seconds + (frames + 0.25) / rate
        assert livelink.timecode(stamp, rate) == pytest.approx(expected, abs=1e-6)


@given(st.text(max_size=24))
def test_what_is_no_timecode_is_refused(text):
    try:
        assert livelink.timecode(text, 30.0) >= 0
    except MienError as error:
        assert "timecode" in str(error)


def test_a_recording_over_midnight_goes_on(tmp_path):
    rows = [row(f"23:59:59:{k:02d}", JawOpen=0.1) for k in range(30)] + [row(f"00:00:00:{k:02d}") for k in range(30)]
    curves, _ = livelink.read(written(tmp_path, *rows))
    assert curves.duration == pytest.approx(59 / 30, abs=0.05)


@pytest.mark.parametrize("text, said", [
    ("", "no column Timecode"),
    ("a,b\n1,2\n", "no column Timecode"),
    ("Timecode,Hello\n00:00:00:00,1\n", "no column that is an ARKit shape"),
    (HEADER + "\n", "no frames"),
    (HEADER + "\nnow,61,0.5\n", "no row with a timecode"),
    ("Timecode,JawOpen,jawopen\n00:00:00:00,1,1\n", "two columns"),
])  # fmt: skip
def test_what_is_no_recording_is_said(tmp_path, text, said):
    path = tmp_path / "take.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(MienError, match=said):
        livelink.read(path)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_a_recording_or_one_sentence(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("any") / "take.csv"
    path.write_bytes(b"Timecode,JawOpen\n" + content)
    try:
        curves, _ = livelink.read(path)
        assert np.isfinite(curves.values).all()
    except MienError as error:
        assert "\n" not in str(error)


def test_what_is_written_reads_back(tmp_path):
    curves = swing()
    livelink.write(curves, tmp_path / "out.csv")
    back, notes = livelink.read(tmp_path / "out.csv")
    assert notes == [] and back.fps == 60.0
    for name in curves.channels:
        ours = curves.values[:, curves.channels.index(name)]
        assert back.values[:, back.channels.index(name)] == pytest.approx(np.clip(ours, 0, 1.5), abs=1e-6)
    lines = (tmp_path / "out.csv").read_text(encoding="utf-8").splitlines()
    assert lines[0] == HEADER and all(line.count(",") == 62 for line in lines)


# ── ARKit JSON ───────────────────────────────────────────────────────────────────────────────────────────────────────

FRAMES = [{"jawOpen": k / 10, "mouthSmileLeft": 0.3} for k in range(5)]
ROWS = [[k / 10, 0.3] for k in range(5)]
TIMED = [{"weights": row, "time": k / 30} for k, row in enumerate(ROWS)]
LAYOUTS = {
    "LAM": {"names": ["jawOpen", "mouthSmileLeft"], "frames": TIMED},
    "frames of names": {"fps": 30, "frames": FRAMES},
    "a list": FRAMES,
    "Audio2Face": {"facsNames": ["JawOpen", "MouthSmileLeft"], "exportFps": 30.0, "weightMat": ROWS},
    "a rig's prefix": [{"blendShape1.jawOpen": k / 10, "mouthSmile_L": 0.3} for k in range(5)],
}  # fmt: skip


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts_that_are_about_are_read(tmp_path, layout):
    path = tmp_path / "take.json"
    path.write_text(json.dumps(LAYOUTS[layout]), encoding="utf-8")
    curves, notes = arkit.read(path)
    assert curves.fps == 30.0 and notes == []
    assert curves.values[:, curves.channels.index(JAW)] == pytest.approx(np.arange(5) / 10)
    assert curves.values[:, curves.channels.index("AU12 Lip Corner Puller.L")] == pytest.approx(0.3)


@pytest.mark.parametrize("content, said", [
    ({}, "no list of frames"),
    ({"names": ["jawOpen"], "frames": []}, "no frames"),
    ({"names": ["nose"], "frames": [[1]]}, "no ARKit shape"),
    ({"names": ["jawOpen", "jawOpen"], "frames": [[1, 2]]}, "twice"),
    ({"names": ["jawOpen"], "frames": [["1"]]}, "not a number"),
    ({"names": ["jawOpen", "jawLeft"], "frames": [[1]]}, "has 1 weights"),
    ([7], "does not name the shapes"),
])  # fmt: skip
def test_what_is_no_capture_is_said(tmp_path, content, said):
    path = tmp_path / "take.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(MienError, match=said):
        arkit.read(path)


_ANY = st.recursive(
    st.none()
    | st.booleans()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["jawOpen", "time", "x"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["names", "frames", "weights", "jawOpen", "fps", "time"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(max_examples=100, deadline=None)
@given(_ANY)
def test_any_json_is_a_capture_or_one_sentence(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("any") / "take.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    try:
        curves, _ = arkit.read(path)
        assert np.isfinite(curves.values).all()
    except MienError as error:
        assert "\n" not in str(error)


def test_weights_go_out_and_come_back(tmp_path):
    curves = swing(30)
    arkit.write(curves, tmp_path / "out.json")
    back, _ = files.read(tmp_path / "out.json")
    assert table.to_arkit(back.dense()) == pytest.approx(table.to_arkit(curves.dense()), abs=1e-5)


# ── clean-up ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_jitter_goes_and_peaks_stay():
    clean = swing()
    noisy = measured.noisy(clean, 0.02)
    made = smooth.smooth(noisy)
    assert measured.jerk(made.values, 60.0) < 0.25 * measured.jerk(noisy.values, 60.0)
    assert np.abs(measured.peak_losses(clean.values, made.values, 60.0)).max() < 0.05
    assert np.sqrt(np.mean((made.values - clean.values) ** 2)) < 0.6 * 0.02


def test_a_blink_is_kept_where_a_gaussian_of_the_same_jerk_loses_it():
    clean = swing()
    made = smooth.smooth(measured.noisy(clean, 0.02))
    rival = measured.gaussian_at(measured.noisy(clean, 0.02).values, measured.jerk(made.values, 60.0), 60.0)
    ours, theirs = (np.sqrt(np.mean((values - clean.values) ** 2)) for values in (made.values, rival))
    assert ours < theirs


@pytest.mark.parametrize("values", [np.zeros(50), np.full(50, 0.7), np.linspace(0, 1, 50), np.array([0.0, 1.0])])
def test_what_has_no_jitter_is_left_alone(values):
    assert smooth.smooth_channel(values) == pytest.approx(values, abs=2e-3)


def test_no_strength_changes_nothing_and_too_much_is_refused():
    curves = measured.noisy(swing(), 0.02)
    assert (smooth.smooth(curves, 0.0).values == curves.values.clip(0.0, 1.5)).all()
    with pytest.raises(MienError, match="0 to 3"):
        smooth.smooth(curves, 9.0)


def test_the_command_reads_cleans_and_writes(tmp_path, capsys):
    livelink.write(measured.noisy(swing(), 0.02), tmp_path / "in.csv")
    assert main(["clean", str(tmp_path / "in.csv"), "--out", str(tmp_path / "out.json"), "--fps", "24"]) == 0
    assert curve_files.load(tmp_path / "out.json").fps == 24.0
    assert "jerk" in capsys.readouterr().out
    assert main(["clean", str(tmp_path / "in.txt"), "--out", str(tmp_path / "out.json")]) == 2
    assert "no capture that is known" in capsys.readouterr().err
