"""Another project's expression network, run from its own files: here from files of the same shape, random inside."""

import itertools
import json

import numpy as np
import pytest

from engine.contract.errors import MienError
from engine.evaluate import circle, classifier

CHANNELS = (3, 32, 64, 128, 256)


@pytest.fixture
def package(tmp_path):
    """A folder like the package's `model`, some arrays packed to bytes, some not; and what they mean."""
    rng = np.random.default_rng(3)
    shapes = {}
    for block, (before, after) in enumerate(itertools.pairwise(CHANNELS)):
        for conv in range(4):
            name, width = f"dense{block}/conv{conv}", before if conv == 0 else after
            if block == conv == 0:
                shapes[f"{name}/filters"] = (3, 3, width, after)
            else:
                shapes[f"{name}/depthwise_filter"] = (3, 3, width, 1)
                shapes[f"{name}/pointwise_filter"] = (1, 1, width, after)
            shapes[f"{name}/bias"] = (after,)
    shapes |= {"fc/weights": (256, 7), "fc/bias": (7,)}
    rows, content, arrays = [], b"", {}
    for name, shape in shapes.items():
        row = {"name": name, "shape": list(shape), "dtype": "float32"}
        if "bias" in name:
            arrays[name] = rng.normal(0, 0.1, shape).astype("<f4")
            content += arrays[name].tobytes()
        else:
            scale = 2.0 / 255 / np.sqrt(np.prod(shape[:-1]))
            packed = rng.integers(0, 256, shape, dtype=np.uint8)
            arrays[name] = packed * scale - 127.5 * scale
            row["quantization"] = {"dtype": "uint8", "scale": scale, "min": -127.5 * scale}
            content += packed.tobytes()
        rows.append(row)
    (tmp_path / classifier.MANIFEST).write_text(json.dumps([{"weights": rows}]))
    (tmp_path / classifier.WEIGHTS).write_bytes(content)
    return tmp_path, arrays


def slowly(arrays, face):
    """The same network in float64, pixel by pixel as the package's source reads."""

    def convolve(x, kernel, stride, each):
        size = -(-x.shape[0] // stride)
        missing = max((size - 1) * stride + 3 - x.shape[0], 0)
        x = np.pad(x, ((missing // 2, missing - missing // 2),) * 2 + ((0, 0),))
        out = np.zeros((size, size, kernel.shape[2] if each else kernel.shape[3]))
        for i in range(3):
            for j in range(3):
                part = x[i : i + stride * (size - 1) + 1 : stride, j : j + stride * (size - 1) + 1 : stride]
                out += part * kernel[i, j, :, 0] if each else part @ kernel[i, j]
        return out

    def separable(x, name, stride):
        deep = convolve(x, arrays[f"{name}/depthwise_filter"], stride, True)
        return deep @ arrays[f"{name}/pointwise_filter"][0, 0] + arrays[f"{name}/bias"]

    x = (face.astype(np.float64) - [122.782, 117.001, 104.298]) / 255
    for block in range(4):
        name = f"dense{block}"
        if block == 0:
            one = convolve(x, arrays[f"{name}/conv0/filters"], 2, False) + arrays[f"{name}/conv0/bias"]
        else:
            one = separable(x, f"{name}/conv0", 2)
        one = np.maximum(one, 0)
        two = separable(one, f"{name}/conv1", 1)
        three = separable(np.maximum(one + two, 0), f"{name}/conv2", 1)
        four = separable(np.maximum(one + two + three, 0), f"{name}/conv3", 1)
        x = np.maximum(one + two + three + four, 0)
    scores = x.mean(axis=(0, 1)) @ arrays["fc/weights"] + arrays["fc/bias"]
    return scores - scores.mean()


def test_the_network_is_the_one_that_its_source_describes(package):
    folder, arrays = package
    face = np.random.default_rng(4).integers(0, 256, (classifier.SIZE, classifier.SIZE, 3), dtype=np.uint8)
    found = classifier.evidence(classifier.load(folder), face)
    assert tuple(found) == classifier.LABELS
    assert list(found.values()) == pytest.approx(slowly(arrays, face), abs=1e-4)


def test_the_face_is_cut_out_from_brows_to_chin_and_stays_in_shape():
    picture = np.zeros((300, 200, 3), np.uint8)
    picture[100:220, 60:120] = 200
    points = np.tile([90.0, 160.0], (478, 1))
    points[:, 0] = np.linspace(60, 120, 478)
    points[list(classifier._BROWS), 1], points[classifier._CHIN, 1] = 100, 220
    square = classifier.cut_out(picture, points)
    light = square[..., 0] > 100
    assert square.shape == (classifier.SIZE, classifier.SIZE, 3)
    assert np.ptp(np.flatnonzero(light.any(axis=1))) == pytest.approx(classifier.SIZE / 1.2, abs=3)
    assert np.ptp(np.flatnonzero(light.any(axis=0))) == pytest.approx(classifier.SIZE / 2.4, abs=3)


@pytest.mark.parametrize("broken", ["no weights", "short weights", "no manifest", "not a manifest"])
def test_broken_files_are_one_sentence(package, broken):
    folder, _ = package
    if broken == "no weights":
        (folder / classifier.WEIGHTS).unlink()
    elif broken == "short weights":
        (folder / classifier.WEIGHTS).write_bytes(b"\0" * 1000)
    elif broken == "no manifest":
        (folder / classifier.MANIFEST).unlink()
    else:
        (folder / classifier.MANIFEST).write_text('[{"weights": [{"name": 3}]}]')
    with pytest.raises(MienError, match="unpack"):
        classifier.load(folder)


def test_the_weights_are_found_where_the_variable_says(package, monkeypatch, tmp_path):
    folder, _ = package
    monkeypatch.setenv("MIEN_FACE_API", str(folder))
    assert classifier.folder() == folder
    monkeypatch.setenv("MIEN_FACE_API", str(tmp_path / "nowhere"))
    assert classifier.folder() is None


def test_pictures_without_a_face_do_not_count():
    changes = np.zeros((circle.POINTS, 2, 2))
    changes[0] = [[np.nan, np.nan], [0.4, 0.2]]
    changes[1] = np.nan
    found = circle._told(changes)
    assert (found.valence[0], found.arousal[0], found.valence[1], found.missed) == (0.4, 0.2, 0.0, 3)
