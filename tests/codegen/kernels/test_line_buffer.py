"""The line buffer: its beats and depths against a loop stepped by hand, and against the C++."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lutloom.hls_templates
from lutloom.codegen.kernels import line_buffer
from lutloom.codegen.kernels.channel_walks import channel_depth
from lutloom.codegen.kernels.line_buffer import Axis, Walk, axes_of, schedule
from lutloom.core.windows import Windows
from lutloom.sim.toolchain import find_ap_headers

TEMPLATES = Path(lutloom.hls_templates.__path__[0])


def axis_of(random: Random, least: int, most: int) -> Axis:
    """Return any windows that fit on an axis of ``least`` to ``most`` pixels."""
    while True:
        size, kernel, stride = (
            random.randint(least, most),
            random.randint(1, 4),
            random.randint(1, 4),
        )
        dilation, spacing = random.randint(1, 3), random.choice([1, 1, 1, 2, 3])
        before, behind = random.randint(-2, 4), random.randint(-6, 4)
        free = (size - 1) * spacing + before + behind - dilation * (kernel - 1)
        if free >= 0:
            return Axis(size, kernel, stride, dilation, before, spacing, free // stride + 1)


def walk_of(random: Random, least: int = 1, most: int = 9) -> Walk:
    folds = random.choice([1, 1, 2, 3, 4, 6])
    groups = random.choice([g for g in range(1, folds + 1) if folds % g == 0])
    rows = axis_of(random, least, most) if random.randint(0, 3) else Axis(1)
    return Walk(rows, axis_of(random, 1, 9), folds, groups, random.choice([0, 0, 1, 2]))


WALKS = st.randoms(use_true_random=False).map(walk_of).filter(lambda walk: walk.taps <= 2000)
TALL = st.randoms(use_true_random=False).map(lambda random: walk_of(random, 20, 80))


def taps_of(walk: Walk) -> list[tuple[int, int, int | None]]:
    """Return window, group and word of each tap; no word if it is masked."""
    rows, columns = walk.rows, walk.columns
    taps: list[tuple[int, int, int | None]] = []
    for window in range(rows.results * columns.results):
        y, x = divmod(window, columns.results)
        for group in range(walk.groups):
            for tap in range(rows.kernel * columns.kernel):
                i, j = divmod(tap, columns.kernel)
                p, row_gap = divmod(rows.stride * y + rows.dilation * i - rows.pad, rows.spacing)
                q, column_gap = divmod(
                    columns.stride * x + columns.dilation * j - columns.pad, columns.spacing
                )
                is_there = not row_gap and not column_gap
                is_there &= 0 <= p < rows.size and 0 <= q < columns.size + walk.overhang
                first = (p * columns.size + q) * walk.folds + group * walk.group_words
                taps += [
                    (window, group, first + word if is_there else None)
                    for word in range(walk.group_words)
                ]
    return taps


def floors_of(walk: Walk) -> list[int]:
    """Return for each window below which word the buffer keeps nothing for it and later ones."""
    rows, columns = walk.rows, walk.columns
    floors: list[int] = []
    first = max(-(columns.pad // columns.spacing), 0) * walk.folds
    for y in range(rows.results):
        place = rows.stride * y - rows.pad
        row = -(-place // rows.spacing)
        is_freeing = place >= 0 and -(-(place + rows.stride) // rows.spacing) > row
        for x in range(columns.results):
            start = columns.stride * x - columns.pad
            floor = floors[-1] if floors else first
            if x == 0 and place >= 0:
                floor = row * columns.size * walk.folds + first
            elif x > 0 and is_freeing and 0 <= start // columns.spacing < columns.size:
                floor = (row * columns.size - (-start // columns.spacing)) * walk.folds
            floors.append(floor)
    return floors


class Loop:
    """The loop that ``line_buffer.hpp`` describes, for some beats, with a buffer of ``depth``."""

    def __init__(self, walk: Walk, depth: int, beats: int) -> None:
        self.takes: list[int] = []
        self.gives: list[int] = []
        taps, floors = taps_of(walk), [*floors_of(walk), walk.words]
        low, there = floors[0], 0
        for beat in range(beats):
            room, gives = walk.words, False
            if len(self.gives) < len(taps):
                window, group, word = taps[len(self.gives)]
                room = min(low, floors[window + (group == walk.groups - 1)]) + depth
                gives = word is None or word < there
            there = len(self.takes)
            if there < min(room, walk.words):
                self.takes.append(beat)
            if gives:
                self.gives.append(beat)
                low = low if word is None else word + 1
                if taps[len(self.gives) : len(self.gives) + 1]:
                    following = taps[len(self.gives)]
                    low = low if following[:2] == (window, group) else floors[following[0]]
        self.is_done = len(self.takes) == walk.words and len(self.gives) == len(taps)


@settings(max_examples=200, deadline=None)
@given(WALKS)
def test_no_window_needs_a_word_that_was_freed_before_it(walk: Walk) -> None:
    floors = floors_of(walk)
    assert floors == sorted(floors)
    assert all(word is None or word >= floors[window] for window, _, word in taps_of(walk))


@settings(max_examples=300, deadline=None)
@given(WALKS)
def test_the_beats_are_the_fewest_with_room_for_a_whole_image(walk: Walk) -> None:
    assert Loop(walk, walk.words, walk.beats).is_done
    assert not Loop(walk, walk.words, walk.beats - 1).is_done
    assert walk.beats >= max(walk.words, walk.taps)


@settings(max_examples=300, deadline=None)
@given(WALKS)
def test_the_depth_is_the_least_that_loses_no_beat(walk: Walk) -> None:
    assert Loop(walk, walk.depth, walk.beats).is_done
    # One word there always is, even if none is seen.
    assert walk.depth == 1 or not Loop(walk, walk.depth - 1, walk.beats).is_done


@settings(max_examples=300, deadline=None)
@given(WALKS, st.integers(2, 40))
def test_words_that_are_groups_of_their_own_are_counted_by_pixel(walk: Walk, words: int) -> None:
    alone = replace(walk, folds=words, groups=words)
    assert channel_depth(alone) == line_buffer.WalkTiming(alone).depth


@settings(max_examples=300, deadline=None)
@given(WALKS)
def test_the_schedule_is_that_of_the_loop(walk: Walk) -> None:
    loop, steps = Loop(walk, walk.depth, walk.beats), schedule(walk)
    assert steps.takes.tolist() == loop.takes
    assert steps.gives.tolist() == loop.gives
    assert steps.beats == walk.beats


@settings(max_examples=200, deadline=None)
@given(TALL)
def test_rows_that_repeat_themselves_need_not_be_counted(walk: Walk) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(line_buffer, "MANY", 0)
        assert line_buffer.least_depth(walk) == line_buffer.WalkTiming(walk).depth


@settings(max_examples=200, deadline=None)
@given(TALL)
def test_rows_that_repeat_themselves_are_scheduled_as_all_rows_are(walk: Walk) -> None:
    steps = schedule(walk)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(line_buffer, "_shortened", lambda _walk: None)
        whole = schedule(walk)
    assert steps.takes.tolist() == whole.takes.tolist()
    assert steps.gives.tolist() == whole.gives.tolist()
    assert steps.beats == whole.beats


K3, SAME, NONE = (3, 3), (1, 1, 1, 1), (0, 0, 0, 0)


@pytest.mark.parametrize(
    ("windows", "image", "folds", "groups", "extra", "depth"),
    [
        # Two rows and two pixels: the third pixel of the third row is taken while the window is
        # read, and the first of the first is free by then.
        (Windows(K3, (1, 1), (1, 1), NONE, (1, 1)), (32, 32), 1, 1, 60, 66),
        (Windows(K3, (1, 1), (1, 1), SAME, (1, 1)), (32, 32), 1, 1, 27, 66),
        (Windows(K3, (1, 1), (1, 1), SAME, (1, 1)), (224, 224), 64, 1, 13890, 2 * 224 * 64 + 128),
        # Two rows come while one row of results is read, and are needed at once.
        (Windows(K3, (2, 2), (1, 1), SAME, (1, 1)), (32, 32), 1, 1, 27, 86),
        (Windows((2, 2), (2, 2), (1, 1), NONE, (1, 1)), (32, 32), 1, 1, 32, 63),
        (Windows((2, 2), (2, 2), (1, 1), NONE, (1, 1)), (32, 32), 4, 4, 131, 264),
        # What is read in the order in which it comes waits for the two beats of a memory only.
        (Windows((1, 1), (2, 2), (1, 1), NONE, (1, 1)), (32, 32), 4, 1, 0, 3),
        (Windows((7, 7), (1, 1), (1, 1), NONE, (1, 1)), (7, 7), 64, 1, 2, 3),
        (Windows((16,), (16,), (1,), (0, 0), (1,)), (1024,), 1, 1, 2, 3),
        (Windows((9,), (1,), (1,), (4, 4), (1,)), (1024,), 1, 1, 0, 8),
        # A transposed convolution of twice the size: a row and its neighbours' border.
        (Windows((4, 4), (1, 1), (1, 1), (2, 2, 2, 2), (2, 2)), (16, 16), 1, 1, 0, 32),
    ],
)
def test_a_frame_takes_its_words_or_taps_and_the_rows_before_the_first_window(
    windows: Windows, image: tuple[int, ...], folds: int, groups: int, extra: int, depth: int
) -> None:
    walk = Walk(*axes_of(windows, image), folds, groups)
    assert walk.beats - max(walk.words, walk.taps) == extra
    assert walk.depth == depth


HARNESS = """
#include <cstdio>
#include <exception>

#include "lutloom/line_buffer.hpp"

// One line of takes, one of gives; an empty one of both where the loop ends too early.
template <typename Buffer>
void run(int beats) {
  std::vector<int> takes, gives;
  try {
    Buffer buffer;
    for (int beat = 0; beat < beats; ++beat) {
      const bool is_given = buffer.gives();
      const bool is_taken = buffer.takes();
      if (is_given) gives.push_back(beat);
      if (is_taken) takes.push_back(beat);
      buffer.step(is_given, is_taken);
    }
    buffer.finish();
  } catch (const std::logic_error&) {
    takes.clear();
    gives.clear();
  }
  for (int beat : takes) std::printf("%d ", beat);
  std::puts("");
  for (int beat : gives) std::printf("%d ", beat);
  std::puts("");
}

int main() {
%s
}
"""


def test_the_loop_in_cpp_takes_and_gives_in_the_very_same_beats(tmp_path: Path) -> None:
    compiler = shutil.which("g++")
    if compiler is None:
        pytest.skip("needs g++")
    random = Random(5)
    drawn = [walk_of(random) for _ in range(200)]
    walks = [walk for walk in drawn if walk.taps <= 2000 and walk.depth > 1][:20]
    calls = []
    for walk in walks:
        for depth, beats in (
            (walk.depth, walk.beats),
            (walk.depth, walk.beats - 1),
            (walk.depth - 1, walk.beats),
        ):
            rows, columns = (f"lutloom::Axis<{a.arguments}>" for a in (walk.rows, walk.columns))
            counts = f"{walk.folds}, {walk.groups}, {depth}, {walk.overhang}"
            calls.append(f"  run<lutloom::LineBuffer<{rows}, {columns}, {counts}> >({beats});")
    source = tmp_path / "loops.cpp"
    source.write_text(HARNESS.replace("%s", "\n".join(calls)), encoding="utf-8")
    headers = ["-isystem", str(find_ap_headers()), "-I", str(TEMPLATES / "include")]
    program = tmp_path / "loops"
    flags = ["-std=c++14", "-O0", "-Wall", "-Wno-unknown-pragmas", "-Werror"]
    subprocess.run([compiler, *flags, *headers, str(source), "-o", str(program)], check=True)
    done = subprocess.run([program], check=True, capture_output=True, text=True)
    lines = [[int(beat) for beat in line.split()] for line in done.stdout.splitlines()]
    expected: list[list[int]] = []
    for walk in walks:
        steps = schedule(walk)
        expected += [steps.takes.tolist(), steps.gives.tolist(), [], [], [], []]
    assert lines == expected
