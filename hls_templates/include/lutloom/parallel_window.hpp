// Windows of an image, several taps a word: whole pixels come in, and all taps of a kernel row, or
// of a window, leave in one word, so that the product behind it takes several pixels a cycle.
// Specification: lutloom.core.ops.window.Window.reference
//
// Both are for one group of channels. The elements of a word are in row-major order, as everywhere.
//
// - `row_window`: a word is the taps of one kernel row. Pixels pass a shift register in front of
//   the line buffer, and what is stored for a pixel is the word that ends with it; so one address
//   reads them all, for KERNEL times the bits. (As many memories of a pixel each would take the
//   same block RAMs at the usual depths, below 512 words, and a rotation behind them.) Columns
//   behind the last one are those of the next row, which is what the shift register then holds:
//   they are masked.
//   Cycles a frame: the larger of pixels and output words, plus a constant.
// - `whole_window`: a word is a window, or several that stand side by side. Pixels pass a shift
//   register that spans the windows, a word of PIXELS at a time, the stretches between kernel rows
//   being a circular memory. As many windows leave together as begin in a word, or one; when the
//   last tap of the last one has come. Each ends behind the one before it: there is nothing to wait
//   for, and each tap is always in the same place of the same register.
//   Cycles a frame: the words of pixels, plus a constant.
//
// Beside finn-hlslib's ConvolutionInputGenerator_1D_parallel (one axis, SIMD channels, no padding)
// and the MMV generators (several windows a word, a copy of the whole buffer for each): there is
// one form for one and two axes, dilation, strides and padding; a word is all taps of windows, one
// behind the other, so that the order of elements stays that of the tensor; registers shift by
// constant places instead of being addressed.
#pragma once

#include <ap_int.h>
#include <hls_stream.h>

#ifndef __SYNTHESIS__
#include <stdexcept>
#endif

#include "lutloom/bits.hpp"
#include "lutloom/line_buffer.hpp"
#include "lutloom/recode.hpp"

namespace lutloom {

// TAPS taps of CHANNELS channels a word, DILATION columns apart. Buffer: of such words, one a
// pixel, with a kernel of one column, which is that of the last tap.
template <int CHANNELS, int TAPS, int DILATION, int BEATS, typename Buffer, typename Codes>
void row_window(hls::stream<ap_uint<CHANNELS * Codes::kInBits> >& in,
                hls::stream<ap_uint<TAPS * CHANNELS * Codes::kOutBits> >& out,
                ap_uint<TAPS * CHANNELS * Codes::kInBits> (&memory)[Buffer::kDepth]) {
#pragma HLS INLINE
  constexpr int kBits = CHANNELS * Codes::kInBits;
  constexpr int kOutBits = CHANNELS * Codes::kOutBits;
  constexpr int kReach = (TAPS - 1) * DILATION + 1;
  // recent[i] came i pixels before the last one.
  ap_uint<kBits> recent[kReach];
#pragma HLS ARRAY_PARTITION variable=recent type=complete dim=1
  for (int place = 0; place < kReach; ++place) {
#pragma HLS UNROLL
    recent[place] = 0;
  }
  const ap_uint<kOutBits> fill = Codes::template fill<CHANNELS>();
  Buffer buffer;

  for (int beat = 0; beat < BEATS; ++beat) {
#pragma HLS PIPELINE II=1 style=flp
#pragma HLS DEPENDENCE variable=memory type=inter direction=RAW dependent=true distance=2
    const bool gives = buffer.gives();
    const bool takes = buffer.takes();
    if (gives) {
      const ap_uint<TAPS * kBits> x = memory[buffer.address()];
      ap_uint<TAPS * kOutBits> y = 0;
      for (int tap = 0; tap < TAPS; ++tap) {
#pragma HLS UNROLL
        const int column = int(buffer.column.pixel) - DILATION * (TAPS - 1 - tap);
        const bool is_masked = buffer.is_masked() || column < 0 || column >= Buffer::kWidth;
        const ap_uint<kBits> pixel = x.range((tap + 1) * kBits - 1, tap * kBits);
        const ap_uint<kOutBits> seen = Codes::template of<CHANNELS>(pixel);
        y.range((tap + 1) * kOutBits - 1, tap * kOutBits) = is_masked ? fill : seen;
      }
      out.write(y);
    }
    if (takes) {
      for (int place = kReach - 1; place > 0; --place) {
#pragma HLS UNROLL
        recent[place] = recent[place - 1];
      }
      if (!buffer.is_overhang()) {
        recent[0] = in.read();
      }
      ap_uint<TAPS * kBits> word = 0;
      for (int tap = 0; tap < TAPS; ++tap) {
#pragma HLS UNROLL
        word.range((tap + 1) * kBits - 1, tap * kBits) = recent[DILATION * (TAPS - 1 - tap)];
      }
      memory[buffer.write_address()] = word;
    }
    buffer.step(gives, takes);
  }
  buffer.finish();
}

// A shift register as long as windows reach, in words of PIXELS: from each tap to the one in the
// kernel row below it. Only what taps see, `kReach` words a kernel row, is registers if the rest is
// worth a memory.
template <typename Rows, typename Columns, int PIXELS>
struct WindowSpan {
  static_assert(Rows::kSpacing == 1 && Columns::kSpacing == 1, "pixels should have no gaps");
  static_assert(Columns::kSize % PIXELS == 0, "words should be whole");
  static_assert(PIXELS % Columns::kStride == 0 || Columns::kStride % PIXELS == 0,
                "windows should begin in the same pixels of all words");
  // Windows of a word, which begin one stride apart, and words from one of them to the next.
  static constexpr int kWindows = PIXELS > Columns::kStride ? PIXELS / Columns::kStride : 1;
  static constexpr int kStep = Columns::kStride > PIXELS ? Columns::kStride / PIXELS : 1;
  static_assert(Columns::kResults % kWindows == 0, "words of windows should be whole");
  static constexpr int kGroups = Columns::kResults / kWindows;
  static constexpr int kWidth = Columns::kSize / PIXELS;
  // Columns from the first tap of a word of windows to the last; the column of that in the first
  // such word, and pixels behind it in its word.
  static constexpr int kAcross =
      (Columns::kKernel - 1) * Columns::kDilation + (kWindows - 1) * Columns::kStride;
  static constexpr int kLast = kAcross - Columns::kPad;
  static constexpr int kBehind = PIXELS - 1 - modulo(kLast, PIXELS);
  static constexpr int kReach = ceil_divide(kAcross + 1 + kBehind, PIXELS);
  static constexpr int kLine = Rows::kDilation * kWidth;
  static constexpr bool kHasMemory = Rows::kKernel > 1 && kLine - kReach >= 3;
  // Slots of the memory, each a word for every kernel row but the first.
  static constexpr int kDepth = kHasMemory ? kLine - kReach : 1;
  static constexpr int kStretches = Rows::kKernel > 1 ? Rows::kKernel - 1 : 1;
  static constexpr int kSegment = kHasMemory ? kReach : kLine;
  static constexpr int kRegisters = (Rows::kKernel - 1) * kSegment + kReach;
  // The word in which windows end: the first ones, and from the last of a line to the first of the
  // next.
  static constexpr int kFirst = ((Rows::kKernel - 1) * Rows::kDilation - Rows::kPad) * kWidth +
                                floor_divide(kLast, PIXELS);
  static constexpr int kLineStep = Rows::kStride * kWidth - kStep * (kGroups - 1);
  static_assert(Rows::kResults == 1 || kLineStep >= 1, "each window should end behind the last");
  // Where a window ends before the first word, so many beats before it.
  static constexpr int kEarly = kFirst < 0 ? -kFirst : 0;
};

// Results says what leaves of a word of windows, with `tables`, one word after the other.
template <int CHANNELS, int PIXELS, int BEATS, typename Rows, typename Columns, typename Codes,
          typename Results, int OUT_BITS, typename... Tables>
void of_whole_windows(
    hls::stream<ap_uint<PIXELS * CHANNELS * Codes::kInBits> >& in,
    hls::stream<ap_uint<OUT_BITS> >& out,
    ap_uint<WindowSpan<Rows, Columns, PIXELS>::kStretches * PIXELS * CHANNELS * Codes::kInBits> (
        &memory)[WindowSpan<Rows, Columns, PIXELS>::kDepth],
    const Tables&... tables) {
#pragma HLS INLINE
  typedef WindowSpan<Rows, Columns, PIXELS> Span;
  constexpr int kPixelBits = CHANNELS * Codes::kInBits;
  constexpr int kBits = PIXELS * kPixelBits;
  constexpr int kOutBits = CHANNELS * Codes::kOutBits;
  constexpr int kWords = Rows::kSize * Span::kWidth;
  constexpr int kWait = Span::kLineStep > Span::kStep ? Span::kLineStep : Span::kStep;
  // span[i] came i pixels before the last one, but for what is in the memory.
  ap_uint<kPixelBits> span[PIXELS * Span::kRegisters];
#pragma HLS ARRAY_PARTITION variable=span type=complete dim=1
  for (int place = 0; place < PIXELS * Span::kRegisters; ++place) {
#pragma HLS UNROLL
    span[place] = 0;
  }
  ap_uint<bits_for(Span::kDepth - 1)> slot = 0;
  ap_uint<Span::kStretches * kBits> carried = 0;
  const ap_uint<kOutBits> fill = Codes::template fill<CHANNELS>();
  Results results;
  Position<Rows> row;
  Position<Columns> column;
  ap_uint<bits_for(Rows::kResults - 1)> line = 0;
  ap_uint<bits_for(Span::kGroups - 1)> group = 0;
  ap_uint<bits_for(Span::kEarly + Span::kFirst + kWait)> wait = Span::kEarly + Span::kFirst;
  bool has_windows = true;

  // A word a beat, or none before and behind the image: word beat - kEarly. Positions are those of
  // the first of the windows that are next.
  for (int beat = 0; beat < BEATS; ++beat) {
#pragma HLS PIPELINE II=1 style=flp
#pragma HLS DEPENDENCE variable=memory type=inter direction=RAW dependent=true distance=2
    // What leaves the registers of a kernel row goes to the memory, and comes back kDepth beats
    // later: it is read one beat before that, from the slot that is written next.
    const ap_uint<bits_for(Span::kDepth - 1)> next =
        slot == Span::kDepth - 1 ? 0 : int(slot) + 1;
    const ap_uint<Span::kStretches * kBits> returned = carried;
    if (Span::kHasMemory) {
      ap_uint<Span::kStretches * kBits> leaving = 0;
      for (int stretch = 0; stretch < Span::kStretches; ++stretch) {
#pragma HLS UNROLL
        for (int pixel = 0; pixel < PIXELS; ++pixel) {
#pragma HLS UNROLL
          const int lane = stretch * PIXELS + pixel;
          leaving.range((lane + 1) * kPixelBits - 1, lane * kPixelBits) =
              span[PIXELS * (stretch * Span::kSegment + Span::kReach) - 1 - pixel];
        }
      }
      carried = memory[next];
      memory[slot] = leaving;
    }
    slot = next;
    for (int place = PIXELS * Span::kRegisters - 1; place >= PIXELS; --place) {
#pragma HLS UNROLL
      span[place] = span[place - PIXELS];
    }
    if (beat >= Span::kEarly && beat < Span::kEarly + kWords) {
      const ap_uint<kBits> word = in.read();
      for (int pixel = 0; pixel < PIXELS; ++pixel) {
#pragma HLS UNROLL
        span[PIXELS - 1 - pixel] = word.range((pixel + 1) * kPixelBits - 1, pixel * kPixelBits);
      }
    }
    if (Span::kHasMemory) {
      for (int stretch = 0; stretch < Rows::kKernel - 1; ++stretch) {
#pragma HLS UNROLL
        for (int pixel = 0; pixel < PIXELS; ++pixel) {
#pragma HLS UNROLL
          const int lane = stretch * PIXELS + pixel;
          span[PIXELS * ((stretch + 1) * Span::kSegment + 1) - 1 - pixel] =
              returned.range((lane + 1) * kPixelBits - 1, lane * kPixelBits);
        }
      }
    }

    if (has_windows && wait == 0) {
      ap_uint<Span::kWindows * Rows::kKernel * Columns::kKernel * kOutBits> y = 0;
      for (int i = 0; i < Rows::kKernel; ++i) {
#pragma HLS UNROLL
        const int p = int(row.pixel) + Rows::kDilation * i;
        for (int window = 0; window < Span::kWindows; ++window) {
#pragma HLS UNROLL
          for (int j = 0; j < Columns::kKernel; ++j) {
#pragma HLS UNROLL
            const int across = Columns::kStride * window + Columns::kDilation * j;
            const int q = int(column.pixel) + across;
            const bool is_masked =
                p < 0 || p >= Rows::kSize || q < 0 || q >= Columns::kSize;
            const int place = (Rows::kKernel - 1 - i) * PIXELS * Span::kSegment +
                              Span::kBehind + Span::kAcross - across;
            const ap_uint<kOutBits> seen = Codes::template of<CHANNELS>(span[place]);
            const int lane = (window * Rows::kKernel + i) * Columns::kKernel + j;
            y.range((lane + 1) * kOutBits - 1, lane * kOutBits) = is_masked ? fill : seen;
          }
        }
      }
      out.write(results.of(y, tables...));
      if (group != Span::kGroups - 1) {
        group = group + 1;
        column.template advance<Span::kWindows * Columns::kStride>();
        wait = Span::kStep - 1;
      } else {
        group = 0;
        column = Position<Columns>();
        row.template advance<Rows::kStride>();
        wait = Span::kLineStep - 1;
        has_windows = line != Rows::kResults - 1;
        line = line + 1;
      }
    } else {
      wait = wait - 1;
    }
  }
#ifndef __SYNTHESIS__
  if (has_windows) {
    throw std::logic_error("a loop over windows ended before all were given");
  }
#endif
}

// The windows themselves.
struct AllTaps {
  template <int BITS>
  ap_uint<BITS> of(const ap_uint<BITS>& taps) {
#pragma HLS INLINE
    return taps;
  }
};

template <int CHANNELS, int PIXELS, int BEATS, typename Rows, typename Columns, typename Codes>
void whole_window(
    hls::stream<ap_uint<PIXELS * CHANNELS * Codes::kInBits> >& in,
    hls::stream<ap_uint<WindowSpan<Rows, Columns, PIXELS>::kWindows * Rows::kKernel *
                        Columns::kKernel * CHANNELS * Codes::kOutBits> >& out,
    ap_uint<WindowSpan<Rows, Columns, PIXELS>::kStretches * PIXELS * CHANNELS * Codes::kInBits> (
        &memory)[WindowSpan<Rows, Columns, PIXELS>::kDepth]) {
#pragma HLS INLINE
  of_whole_windows<CHANNELS, PIXELS, BEATS, Rows, Columns, Codes, AllTaps>(in, out, memory);
}

}  // namespace lutloom
