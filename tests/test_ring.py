"""The frame ring: what is written is read, and a frame that was overwritten or damaged is noticed."""

import mmap
import os
import struct
import threading

import numpy as np
import pytest

from engine.contract import ring
from engine.contract.errors import MienError
from engine.contract.passes import PASSES
from engine.contract.ring import FrameLost, RingReader, RingWriter


def planes(width=16, height=9, seed=0, names=("Combined", "Depth", "Vector")):
    random = np.random.default_rng(seed)
    components = {entry.name: len(entry.components) for entry in PASSES}
    return {name: random.normal(size=(height, width, components[name])).astype(np.float32) for name in names}


def assert_same(found, expected):
    assert list(found) == list(expected)
    for name in expected:
        assert np.array_equal(found[name], expected[name])


@pytest.mark.parametrize("size", [(1, 1), (16, 9), (333, 77)])
def test_what_is_written_is_read(tmp_path, size):
    writer = RingWriter(tmp_path)
    reader = RingReader(writer.path)
    frame = planes(*size, names=[entry.name for entry in PASSES])
    written = writer.write("View", frame)
    assert_same(reader.read(written.slot, written.sequence), frame)
    assert all(offset % ring.ALIGNMENT == 0 for offset in written.offsets.values())


def test_planes_that_are_not_contiguous_or_not_float32_are_written_right(tmp_path):
    writer = RingWriter(tmp_path)
    flipped = np.arange(24, dtype=np.float64).reshape(3, 2, 4)[::-1]
    written = writer.write("View", {"Combined": flipped})
    assert np.array_equal(RingReader(writer.path).read(written.slot, written.sequence)["Combined"], flipped)


def test_the_last_frames_stay_readable_and_older_ones_are_known_to_be_lost(tmp_path):
    writer = RingWriter(tmp_path, slots=3)
    reader = RingReader(writer.path)
    frames = [planes(seed=seed) for seed in range(8)]
    written = [writer.write("View", frame) for frame in frames]
    for frame, where in zip(frames[-3:], written[-3:], strict=True):
        assert_same(reader.read(where.slot, where.sequence), frame)
    for where in written[:-3]:
        with pytest.raises(FrameLost):
            reader.read(where.slot, where.sequence)


def test_a_larger_frame_moves_the_ring_to_a_larger_file(tmp_path):
    writer = RingWriter(tmp_path, slots=2, slot_size=8192)
    old = RingReader(writer.path)
    small = writer.write("View", planes())
    large = writer.write("View", planes(400, 300))
    assert large.path != small.path
    assert_same(old.read(small.slot, small.sequence), planes())
    assert_same(RingReader(large.path).read(large.slot, large.sequence), planes(400, 300))
    larger = writer.write("View", planes(900, 700))
    assert_same(RingReader(larger.path).read(larger.slot, larger.sequence), planes(900, 700))
    assert large.path.exists(), "a reader may not have opened it yet"
    if os.name != "nt":
        assert not small.path.exists()


def test_a_reader_never_takes_a_torn_frame_for_a_whole_one(tmp_path):
    """A writer that overtakes a reader: each frame is one number throughout, so a mixture would show."""
    writer = RingWriter(tmp_path, slots=2)
    reader = RingReader(writer.path)
    latest, stop = [writer.write("View", {"Combined": np.full((64, 64, 4), 1.0)})], threading.Event()

    def write():
        while not stop.is_set():
            latest[0] = writer.write("View", {"Combined": np.full((64, 64, 4), latest[0].sequence + 1.0)})

    thread = threading.Thread(target=write)
    thread.start()
    whole = lost = 0
    try:
        for _ in range(400):
            where = latest[0]
            try:
                pixels = reader.read(where.slot, where.sequence)["Combined"]
            except FrameLost:
                lost += 1
            else:
                assert pixels.min() == pixels.max() == where.sequence
                whole += 1
    finally:
        stop.set()
        thread.join()
    assert whole


def test_a_frame_half_written_is_not_read(tmp_path):
    writer = RingWriter(tmp_path)
    written = writer.write("View", planes())
    _poke(writer.path, ring.HEADER, struct.pack("<Q", 0))
    with pytest.raises(FrameLost):
        RingReader(writer.path).read(written.slot, written.sequence)


@pytest.mark.parametrize(
    ("offset", "value"),
    [
        (8, struct.pack("<I", 2**31)),  # width
        (12, struct.pack("<I", 0)),  # height
        (16, struct.pack("<I", 4_000_000)),  # planes
        (ring._SLOT.size, struct.pack("<I", 99)),  # the first plane's pass
        (ring._SLOT.size + 4, struct.pack("<I", 1000)),  # its components
        (ring._SLOT.size + 8, struct.pack("<Q", 2**63)),  # its offset
    ],
)
def test_a_damaged_slot_header_reads_no_memory_that_is_not_its_own(tmp_path, offset, value):
    writer = RingWriter(tmp_path, slot_size=8192)
    written = writer.write("View", planes())
    _poke(writer.path, ring.HEADER + offset, value)
    with pytest.raises(FrameLost):
        RingReader(writer.path).read(written.slot, written.sequence)


def test_a_slot_that_is_not_there_is_lost(tmp_path):
    writer = RingWriter(tmp_path)
    with pytest.raises(FrameLost):
        RingReader(writer.path).read(99, 1)


@pytest.mark.parametrize(
    "content",
    [b"", b"MIENRING", b"x" * 4096, ring._HEADER.pack(ring.MAGIC, 9, 1, 64) + bytes(9999),
     ring._HEADER.pack(ring.MAGIC, 1, 64, 2**60) + bytes(9999), ring._HEADER.pack(ring.MAGIC, 1, 0, 64) + bytes(9999)],
)  # fmt: skip
def test_what_is_no_ring_file_is_refused(tmp_path, content):
    path = tmp_path / "wrong.ring"
    path.write_bytes(content)
    with pytest.raises(MienError):
        RingReader(path)


def test_a_ring_file_that_is_missing_is_refused(tmp_path):
    with pytest.raises(MienError, match="cannot be read"):
        RingReader(tmp_path / "none.ring")


def test_without_disk_space_there_is_a_sentence_and_no_crash(tmp_path, monkeypatch):
    writer = RingWriter(tmp_path)

    def full(handle, offset, size):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full, raising=False)
    with pytest.raises(MienError, match=r"no room for a frame.*free some space"):
        writer.write("View", planes())


def _poke(path, offset, content):
    with open(path, "r+b") as file, mmap.mmap(file.fileno(), 0) as memory:
        memory[offset : offset + len(content)] = content
