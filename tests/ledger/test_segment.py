"""Segments: what was written comes back, and nothing that was not."""

import errno
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from control_plane.errors import HomeReadOnly, LedgerUnavailable
from control_plane.ledger import segment as segment_module
from control_plane.ledger.scan import Frame, Scan
from control_plane.ledger.segment import COPY, FRAME, HEADER_BYTES, Segment
from tests.ledger.journals import BODIES, WHOLE, WRITER, content, packed


def read(content: bytes) -> tuple[list[Frame], int]:
    scan = Scan(content)
    return list(scan.frames()), scan.damaged


@pytest.mark.requirement("LEDGER-46")
def test_a_scan_reads_the_frames_in_order() -> None:
    frames, damaged = read(WHOLE)
    assert [frame.body for frame in frames] == BODIES
    assert [frame.sequence for frame in frames] == list(range(7, 13))
    assert damaged == 0


@pytest.mark.requirement("LEDGER-55")
@pytest.mark.parametrize("flip", [0x01, 0x80, 0xFF])
def test_a_changed_byte_costs_at_most_its_own_frame_and_is_reported(flip: int) -> None:
    whole, _ = read(WHOLE)
    end = len(WHOLE.rstrip(b"\0")) + FRAME.size
    for at in range(HEADER_BYTES, end):
        changed = bytearray(WHOLE)
        changed[at] ^= flip
        frames, damaged = read(bytes(changed))
        assert set(frames) <= set(whole), f"byte {at} became an event"
        assert len(frames) >= len(whole) - 1, f"byte {at} cost more than its frame"
        assert damaged or frames == whole, f"byte {at} was lost without a report"


@pytest.mark.requirement("LEDGER-55")
@settings(max_examples=150, deadline=None)
@given(st.data())
def test_no_damage_ever_becomes_an_event(data: st.DataObject) -> None:
    bodies = data.draw(st.lists(st.binary(min_size=1, max_size=80), min_size=1, max_size=8))
    written = content(bodies, size=1400)
    changed = bytearray(written)
    at = data.draw(st.integers(0, len(written) - 1))
    # Not zeros: behind the last frame they cannot be told from the end.
    noise = bytes(byte or 1 for byte in data.draw(st.binary(min_size=1, max_size=200)))
    changed[at : at + len(noise)] = noise[: len(changed) - at]
    whole, _ = read(written)
    frames, damaged = read(bytes(changed))
    assert set(frames) <= set(whole)
    assert damaged or len(frames) == len(whole)


@pytest.mark.requirement("LEDGER-54")
def test_a_torn_frame_is_not_read_whatever_lay_under_it() -> None:
    earlier = content([b"old" * 50] * 11, first=3, salt=5)
    torn = packed(99, 13, [b"the one that was not finished"])
    start = len(content(size=0)) - FRAME.size
    for length in range(len(torn)):
        half = bytearray(content(old=earlier))
        half[start : start + length] = torn[:length]
        frames, _ = read(bytes(half))
        assert [frame.body for frame in frames] == BODIES


@pytest.mark.requirement("LEDGER-55")
def test_zeros_in_the_middle_do_not_hide_what_follows() -> None:
    hole = bytearray(WHOLE)
    first_end = HEADER_BYTES + FRAME.size + len(BODIES[0])
    hole[first_end : first_end + FRAME.size + len(BODIES[1])] = bytes(FRAME.size + len(BODIES[1]))
    frames, damaged = read(bytes(hole))
    assert [frame.sequence for frame in frames] == [7, 9, 10, 11, 12]
    assert damaged == 1


@pytest.mark.requirement("LEDGER-55")
def test_frames_of_an_earlier_use_are_never_read() -> None:
    earlier = content([b"old"] * 60, first=1, salt=1)
    frames, damaged = read(content([b"new"], first=61, salt=2, old=earlier))
    assert [frame.body for frame in frames] == [b"new"]
    assert damaged == 0


@pytest.mark.requirement("LEDGER-55")
def test_one_damaged_header_costs_nothing_and_two_are_reported() -> None:
    for at in range(COPY - 4):
        changed = bytearray(WHOLE)
        changed[at] ^= 0xFF
        assert read(bytes(changed))[0] == read(WHOLE)[0]
        changed[at] ^= 0xFF
        changed[COPY + at] ^= 0xFF
        assert read(bytes(changed))[0] == read(WHOLE)[0]
    both = bytearray(WHOLE)
    both[10] ^= 1
    both[COPY + 10] ^= 1
    assert read(bytes(both)) == ([], 1)


@pytest.mark.parametrize("size", [0, 1, COPY, HEADER_BYTES, HEADER_BYTES + 5])
def test_a_file_that_was_cut_off_is_read_as_far_as_it_goes(size: int) -> None:
    assert read(WHOLE[:size])[0] == []


def test_numbers_go_on_beyond_four_billion() -> None:
    frames, damaged = read(content(first=2**32 - 3))
    assert [frame.sequence for frame in frames] == list(range(2**32 - 3, 2**32 + 3))
    assert damaged == 0


def test_noise_is_searched_through_quickly() -> None:
    noise = bytearray(content(size=4 << 20, old=os.urandom(4 << 20)))
    noise[HEADER_BYTES] ^= 1
    frames, damaged = read(bytes(noise))
    assert [frame.sequence for frame in frames] == [8, 9, 10, 11, 12]
    assert damaged >= 1


def test_a_retired_segment_shows_nothing(tmp_path: Path) -> None:
    segment = Segment(tmp_path / "s", 4096)
    segment.start(WRITER, 1, 5)
    segment.map[HEADER_BYTES : HEADER_BYTES + 17] = packed(5, 1, [b"event"])
    assert read((tmp_path / "s").read_bytes())[0] == [Frame(1, b"event")]
    segment.retire()
    assert read((tmp_path / "s").read_bytes()) == ([], 0)
    segment.delete()
    assert not list(tmp_path.iterdir())


@pytest.mark.requirement("LEDGER-49")
def test_the_blocks_are_reserved_before_the_first_write(tmp_path: Path) -> None:
    segment = Segment(tmp_path / "s", 1 << 20)
    assert (tmp_path / "s").stat().st_blocks * 512 >= 1 << 20
    segment.delete()


@pytest.mark.requirement("LEDGER-49")
@pytest.mark.parametrize("fault", [errno.ENOSPC, errno.EFBIG, errno.EIO])
def test_no_room_is_a_coded_error_that_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: int
) -> None:
    def refuse(handle: int, size: int) -> None:
        raise OSError(fault, os.strerror(fault))

    monkeypatch.setattr(segment_module, "_reserve", refuse)
    with pytest.raises(LedgerUnavailable, match=os.strerror(fault)):
        Segment(tmp_path / "s", 1 << 20)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_not_there_is_a_coded_error(tmp_path: Path) -> None:
    with pytest.raises(HomeReadOnly):
        Segment(tmp_path / "missing" / "s", 4096)
