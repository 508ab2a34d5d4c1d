// The line buffer: what a kernel needs to walk over the windows of an image while it comes in.
//
// `LineBuffer` is counters only. The words themselves (a word: the channels of one pixel that are
// handled at a time) lie in an array of the kernel's own, circular, in the order in which they
// come. A kernel is one flat loop over BEATS beats; each gives one tap, takes one word, or both:
//
//   typedef Axis<32, 3, 1, 1, 1, 1, 32> Rows;       // size, kernel, stride, dilation, pad before,
//   typedef Axis<32, 3, 1, 1, 1, 1, 32> Columns;    // spacing, results
//   typedef LineBuffer<Rows, Columns, 4, 1, 264> Buffer;  // words a pixel, groups, depth
//   Word memory[Buffer::kDepth];                    // BIND_STORAGE type=ram_s2p
//   Buffer buffer;
//   for (int beat = 0; beat < BEATS; ++beat) {
//   #pragma HLS PIPELINE II=1 style=flp
//   #pragma HLS DEPENDENCE variable=memory type=inter direction=RAW dependent=true distance=2
//     const bool gives = buffer.gives();
//     const bool takes = buffer.takes();
//     if (gives) {
//       ... buffer.is_masked() ? fill : memory[buffer.address()] ...
//     }
//     if (takes) {
//       memory[buffer.write_address()] = in.read();
//     }
//     buffer.step(gives, takes);
//   }
//   buffer.finish();                                // a check in simulation, nothing in hardware
//
// Order of taps, outermost first: row and column of the result, group, kernel row, kernel column,
// word of the group. The pixel's FOLDS words are GROUPS groups of FOLDS / GROUPS words each. So one
// group is the order of `window` and `matvec`, and as many groups as words are the order of
// depthwise sums and pools: all taps of one channel fold before the next fold.
// Beside `is_masked()` (the tap lies outside of the image, or in a gap between pixels) a tap knows
// `is_first()` and `is_last()` of its group, and the counters `group`, `kernel_row`,
// `kernel_column` and `word`. All of them are those of the tap that is next; read them while
// `gives`.
//
// BEATS and DEPTH are computed by lutloom.codegen.kernels.line_buffer: no beat is lost for want of
// room, and DEPTH is the least with which that is so. The rules:
// - a tap is given as soon as its word is there: it was taken two beats ago, or earlier;
// - a word is taken while the slot it goes to holds nothing that is still to be read: taps of a
//   group come in ascending order of their words, so the slots below the last tap given are free,
//   unless a later group or window begins below it.
// Two beats between taking and reading a word are what the DEPENDENCE says: the distance that
// holds, and not `false`, with which the tool might move a write behind the read of its word. In
// simulation, `step` proves it at every tap, and that the slot read holds the very word that the
// tap is; in one beat the slots read and written differ.
#pragma once

#include <ap_int.h>

#ifndef __SYNTHESIS__
#include <stdexcept>
#include <vector>
#endif

#include "lutloom/bits.hpp"

namespace lutloom {

// Windows along one axis: tap t of result r looks at place STRIDE * r + DILATION * t - PAD, and
// pixel i of the SIZE pixels lies at place SPACING * i.
template <int SIZE, int KERNEL, int STRIDE, int DILATION, int PAD, int SPACING, int RESULTS>
struct Axis {
  static_assert(SIZE >= 1 && KERNEL >= 1 && RESULTS >= 1, "an axis should have pixels and windows");
  static_assert(STRIDE >= 1 && DILATION >= 1 && SPACING >= 1, "windows should go forward");
  static constexpr int kSize = SIZE;
  static constexpr int kKernel = KERNEL;
  static constexpr int kStride = STRIDE;
  static constexpr int kDilation = DILATION;
  static constexpr int kPad = PAD;
  static constexpr int kSpacing = SPACING;
  static constexpr int kResults = RESULTS;
  // The first place is `kFirstPhase` places behind the (virtual) pixel `kFirst`.
  static constexpr int kFirst = floor_divide(-PAD, SPACING);
  static constexpr int kFirstPhase = -PAD - SPACING * kFirst;
  // The first pixel that the first window can see.
  static constexpr int kFirstSeen = kFirst < 0 ? 0 : kFirst + (kFirstPhase != 0 ? 1 : 0);
  // The pixel at or before the last place.
  static constexpr int kLast =
      floor_divide(STRIDE * (RESULTS - 1) + DILATION * (KERNEL - 1) - PAD, SPACING);
  static constexpr int kLargest = kLast > SIZE ? kLast : SIZE;
  static constexpr int kBits =
      1 + bits_for(-kFirst > kLargest + STRIDE ? -kFirst : kLargest + STRIDE);
};

// A place on an axis: `phase` places behind `pixel`.
template <typename Axis>
struct Position {
  ap_int<Axis::kBits> pixel;
  ap_uint<bits_for(Axis::kSpacing - 1)> phase;

  Position() : pixel(int(Axis::kFirst)), phase(int(Axis::kFirstPhase)) {}

  // Whether PLACES places on lies one pixel more than PLACES / SPACING pixels on.
  template <int PLACES>
  bool carries() const {
#pragma HLS INLINE
    return int(phase) + PLACES % Axis::kSpacing >= Axis::kSpacing;
  }

  template <int PLACES>
  void advance() {
#pragma HLS INLINE
    constexpr int kPhases = PLACES % Axis::kSpacing;
    const bool is_carry = carries<PLACES>();
    pixel = pixel + PLACES / Axis::kSpacing + (is_carry ? 1 : 0);
    phase = int(phase) + kPhases - (is_carry ? Axis::kSpacing : 0);
  }
};

// OVERHANG: columns up to so many behind the last one are those of the next row, with as many
// words behind the image that no input fills; for kernels whose words hold several columns.
template <typename Rows, typename Columns, int FOLDS, int GROUPS, int DEPTH, int OVERHANG = 0>
struct LineBuffer {
  static_assert(FOLDS % GROUPS == 0, "the groups should divide the words of a pixel");
  static_assert(DEPTH >= 1, "the buffer should hold a word");
  static constexpr int kDepth = DEPTH;
  static constexpr int kWidth = Columns::kSize;
  static constexpr int kGroups = GROUPS;
  static constexpr int kGroupWords = FOLDS / GROUPS;
  static constexpr int kRowWords = Columns::kSize * FOLDS;
  static constexpr int kImageWords = Rows::kSize * kRowWords;
  static constexpr int kWords = kImageWords + OVERHANG * FOLDS;
  static constexpr int kFirstWord = Rows::kFirst * kRowWords + Columns::kFirst * FOLDS;
  // Indices of words are used where they are those of words, or are limits of them.
  static constexpr int kIndexBits =
      bits_for((Rows::kLargest + 2LL) * kRowWords + OVERHANG * FOLDS + DEPTH);
  typedef ap_uint<kIndexBits> Index;
  typedef ap_uint<bits_for(DEPTH - 1)> Address;

  // A word: its number in the image, and its slot.
  struct Place {
    Index index;
    Address address;
  };

  // The tap that is next.
  ap_uint<bits_for(GROUPS - 1)> group;
  ap_uint<bits_for(Rows::kKernel - 1)> kernel_row;
  ap_uint<bits_for(Columns::kKernel - 1)> kernel_column;
  ap_uint<bits_for(kGroupWords - 1)> word;
  Position<Rows> row;
  Position<Columns> column;

  LineBuffer()
      : group(0),
        kernel_row(0),
        kernel_column(0),
        word(0),
        line_result_(0),
        column_result_(0),
        has_taps_(true),
        is_last_window_(false),
        written_(0),
        settled_(0),
        slot_(0),
        low_limit_(0),
        this_limit_(0),
        next_limit_(int(kFirstLimit)) {
#pragma HLS INLINE
    line_.index = int(kFirstWord);
    line_.address = int(modulo(kFirstWord, DEPTH));
    ahead_ = line_;
    enter_window();
#ifndef __SYNTHESIS__
    held_.assign(DEPTH, -1);
    since_.assign(DEPTH, 0);
    beat_ = 0;
#endif
  }

  // Whether this beat gives a tap.
  bool gives() const {
#pragma HLS INLINE
    return has_taps_ && (is_masked() || tap_.index < settled_);
  }

  // Whether this beat takes a word.
  bool takes() const {
#pragma HLS INLINE
    const Index limit = group == GROUPS - 1 ? next_limit_ : this_limit_;
    return written_ != int(kWords) && written_ < low_limit_ && written_ < limit;
  }

  bool is_masked() const {
#pragma HLS INLINE
    const bool is_row = row.phase == 0 && row.pixel >= 0 && row.pixel < int(Rows::kSize);
    const bool is_column = column.phase == 0 && column.pixel >= 0 &&
                           column.pixel < Columns::kSize + OVERHANG;
    return !is_row || !is_column;
  }

  bool is_first() const {
#pragma HLS INLINE
    return kernel_row == 0 && kernel_column == 0;
  }

  bool is_last() const {
#pragma HLS INLINE
    return kernel_row == Rows::kKernel - 1 && kernel_column == Columns::kKernel - 1;
  }

  // The slot of the tap's word.
  Address address() const {
#pragma HLS INLINE
    return tap_.address;
  }

  // The slot of the word that is next, and whether that word lies behind the image.
  Address write_address() const {
#pragma HLS INLINE
    return slot_;
  }
  bool is_overhang() const {
#pragma HLS INLINE
    return written_ >= int(kImageWords);
  }

  // End a beat.
  void step(bool gives, bool takes) {
#pragma HLS INLINE
    check(gives, takes);
    settled_ = written_;
    if (takes) {
      written_ = written_ + 1;
      slot_ = slot_ == DEPTH - 1 ? 0 : int(slot_) + 1;
    }
    if (gives) {
      next_tap();
    }
  }

  // In simulation: were the beats enough?
  void finish() const {
#pragma HLS INLINE
#ifndef __SYNTHESIS__
    if (has_taps_ || written_ != int(kWords)) {
      throw std::logic_error("a line buffer's loop ended before all words were taken and given");
    }
#endif
  }

 private:
  // Below `kFirstLimit - DEPTH` no window sees a word.
  static constexpr int kFirstLimit =
      Rows::kFirstSeen * kRowWords + Columns::kFirstSeen * FOLDS + DEPTH;

  // The word of the tap, and those that the walk goes on from: at the start of the kernel column,
  // of the kernel row, of the group; of the window that is next, and of its line of windows.
  Place tap_, column_base_, row_base_, group_base_, ahead_, line_;
  Position<Rows> window_row_, ahead_row_;
  Position<Columns> window_column_, ahead_column_;
  ap_uint<bits_for(Rows::kResults - 1)> line_result_;
  ap_uint<bits_for(Columns::kResults - 1)> column_result_;
  bool has_taps_;
  bool is_last_window_;

  Index written_, settled_;
  Address slot_;
  // The first word that may not be taken: for the sake of the group itself, of what comes behind
  // a group of this window, and of what comes behind its last group. (A limit is DEPTH above the
  // first word that is still needed.)
  Index low_limit_, this_limit_, next_limit_;

  struct Stride {
    int words;
    int slots;
  };

  template <int WORDS>
  static Stride stride() {
#pragma HLS INLINE
    constexpr int kSlots = modulo(WORDS, DEPTH);
    const Stride by = {WORDS, kSlots};
    return by;
  }

  // PLACES places on from `position`, where a pixel is UNIT words.
  template <int PLACES, int UNIT, typename Axis>
  static Stride stride_on(const Position<Axis>& position) {
#pragma HLS INLINE
    constexpr int kPixels = PLACES / Axis::kSpacing;
    return position.template carries<PLACES>() ? stride<(kPixels + 1) * UNIT>()
                                               : stride<kPixels * UNIT>();
  }

  static Place moved(const Place& from, const Stride& by) {
#pragma HLS INLINE
    Place to;
    to.index = from.index + by.words;
    const ap_uint<bits_for(2 * DEPTH - 1)> slot = from.address + by.slots;
    to.address = slot >= DEPTH ? int(slot) - DEPTH : int(slot);
    return to;
  }

  void next_tap() {
#pragma HLS INLINE
    const bool ends_words = word == kGroupWords - 1;
    const bool ends_columns = ends_words && kernel_column == Columns::kKernel - 1;
    const bool ends_rows = ends_columns && kernel_row == Rows::kKernel - 1;
    const bool ends_window = ends_rows && group == GROUPS - 1;

    // One adder for all of them: from where, and how far.
    Place from = tap_;
    Stride by = stride<1>();
    if (ends_rows) {
      from = group_base_;
      by = stride<kGroupWords>();
    } else if (ends_columns) {
      from = row_base_;
      by = stride_on<Rows::kDilation, kRowWords>(row);
    } else if (ends_words) {
      from = column_base_;
      by = stride_on<Columns::kDilation, FOLDS>(column);
    }
    if (!is_masked()) {
      low_limit_ = tap_.index + 1 + DEPTH;
    }
    tap_ = moved(from, by);

    word = ends_words ? 0 : int(word) + 1;
    if (ends_words) {
      column_base_ = tap_;
      kernel_column = ends_columns ? 0 : int(kernel_column) + 1;
      column.template advance<Columns::kDilation>();
    }
    if (ends_columns) {
      row_base_ = tap_;
      column = window_column_;
      kernel_row = ends_rows ? 0 : int(kernel_row) + 1;
      row.template advance<Rows::kDilation>();
    }
    if (ends_rows) {
      group_base_ = tap_;
      row = window_row_;
      low_limit_ = this_limit_;
      group = ends_window ? 0 : int(group) + 1;
    }
    if (ends_window) {
      has_taps_ = !is_last_window_;
      enter_window();
    }
  }

  // Go to the window ahead, and look for the one behind it.
  void enter_window() {
#pragma HLS INLINE
    tap_ = column_base_ = row_base_ = group_base_ = ahead_;
    row = window_row_ = ahead_row_;
    column = window_column_ = ahead_column_;
    low_limit_ = this_limit_ = next_limit_;
    if (column_result_ != Columns::kResults - 1) {
      column_result_ = column_result_ + 1;
      // Where the next line begins in the same pixel row, this one frees nothing.
      const bool is_freeing = ahead_row_.pixel >= 0 &&
                              (ahead_row_.phase == 0 ||
                               int(ahead_row_.phase) + Rows::kStride > Rows::kSpacing);
      ahead_ = moved(ahead_, stride_on<Columns::kStride, FOLDS>(ahead_column_));
      ahead_column_.template advance<Columns::kStride>();
      if (is_freeing && ahead_column_.pixel >= 0 && ahead_column_.pixel < int(Columns::kSize)) {
        next_limit_ = ahead_.index + (ahead_row_.phase != 0 ? int(kRowWords) : 0) +
                      (ahead_column_.phase != 0 ? FOLDS : 0) + DEPTH;
      }
    } else if (line_result_ != Rows::kResults - 1) {
      column_result_ = 0;
      line_result_ = line_result_ + 1;
      line_ = moved(line_, stride_on<Rows::kStride, kRowWords>(ahead_row_));
      ahead_ = line_;
      ahead_row_.template advance<Rows::kStride>();
      ahead_column_ = Position<Columns>();
      if (ahead_row_.pixel >= 0) {
        next_limit_ = line_.index + (ahead_row_.phase != 0 ? int(kRowWords) : 0) +
                      (Columns::kFirstSeen - Columns::kFirst) * FOLDS + DEPTH;
      }
    } else {
      is_last_window_ = true;
      next_limit_ = kWords + DEPTH;
    }
  }

#ifndef __SYNTHESIS__
  std::vector<long long> held_, since_;
  long long beat_;
#endif

  // In simulation: is the slot read that of the tap's word, and was it written two beats ago?
  void check(bool gives, bool takes) {
#pragma HLS INLINE
#ifndef __SYNTHESIS__
    const long long slot = tap_.address.to_int64();
    if (gives && !is_masked()) {
      if (held_[slot] != tap_.index.to_int64()) {
        throw std::logic_error("a line buffer reads a word that is not, or no longer, there");
      }
      if (beat_ - since_[slot] < 2) {
        throw std::logic_error("a line buffer reads a word less than two beats after it came");
      }
      if (takes && slot == slot_.to_int64()) {
        throw std::logic_error("a line buffer reads and writes the same slot in one beat");
      }
    }
    if (takes) {
      held_[slot_.to_int64()] = written_.to_int64();
      since_[slot_.to_int64()] = beat_;
    }
    ++beat_;
#endif
  }
};

}  // namespace lutloom
