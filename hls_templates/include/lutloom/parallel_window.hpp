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
// - `whole_window`: a word is a window. Pixels pass a shift register that spans the windows, the
//   stretches between kernel rows being a circular memory. A window leaves when its last tap has
//   come, and each window ends behind the one before it: there is nothing to wait for.
//   Cycles a frame: the pixels, plus a constant.
//
// Beside finn-hlslib's ConvolutionInputGenerator_1D_parallel (one axis, SIMD channels, no padding)
// and the MMV generators (several windows a word, a copy of the whole buffer for each): there is
// one form for one and two axes, dilation, strides and padding; a word is taps of one window, so
// that the order of elements stays that of the tensor; registers shift by constant places instead
// of being addressed.
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

// A shift register as long as a window reaches, in pixels: from each tap to the one in the kernel
// row below it. Only what taps see, `kReach` pixels a kernel row, is registers if the rest is worth
// a memory.
template <typename Rows, typename Columns>
struct WindowSpan {
  static_assert(Rows::kSpacing == 1 && Columns::kSpacing == 1, "pixels should have no gaps");
  static constexpr int kReach = (Columns::kKernel - 1) * Columns::kDilation + 1;
  static constexpr int kLine = Rows::kDilation * Columns::kSize;
  static constexpr bool kHasMemory = Rows::kKernel > 1 && kLine - kReach >= 3;
  // Slots of the memory, each a pixel for every kernel row but the first.
  static constexpr int kDepth = kHasMemory ? kLine - kReach : 1;
  static constexpr int kStretches = Rows::kKernel > 1 ? Rows::kKernel - 1 : 1;
  static constexpr int kSegment = kHasMemory ? kReach : kLine;
  static constexpr int kRegisters = (Rows::kKernel - 1) * kSegment + kReach;
  // The pixel in which windows end: the first one, from one to the next in a line, and from the
  // last of a line to the first of the next.
  static constexpr int kFirst = ((Rows::kKernel - 1) * Rows::kDilation - Rows::kPad) *
                                    Columns::kSize +
                                kReach - 1 - Columns::kPad;
  static constexpr int kLineStep =
      Rows::kStride * Columns::kSize - Columns::kStride * (Columns::kResults - 1);
  static_assert(Rows::kResults == 1 || kLineStep >= 1, "each window should end behind the last");
  // Where a window ends before the first pixel, so many beats before it.
  static constexpr int kEarly = kFirst < 0 ? -kFirst : 0;
};

template <int CHANNELS, int BEATS, typename Rows, typename Columns, typename Codes>
void whole_window(
    hls::stream<ap_uint<CHANNELS * Codes::kInBits> >& in,
    hls::stream<ap_uint<Rows::kKernel * Columns::kKernel * CHANNELS * Codes::kOutBits> >& out,
    ap_uint<WindowSpan<Rows, Columns>::kStretches * CHANNELS * Codes::kInBits> (
        &memory)[WindowSpan<Rows, Columns>::kDepth]) {
#pragma HLS INLINE
  typedef WindowSpan<Rows, Columns> Span;
  constexpr int kBits = CHANNELS * Codes::kInBits;
  constexpr int kOutBits = CHANNELS * Codes::kOutBits;
  constexpr int kPixels = Rows::kSize * Columns::kSize;
  constexpr int kWait = Span::kLineStep > Columns::kStride ? Span::kLineStep : Columns::kStride;
  // span[i] came i pixels before the last one, but for what is in the memory.
  ap_uint<kBits> span[Span::kRegisters];
#pragma HLS ARRAY_PARTITION variable=span type=complete dim=1
  for (int place = 0; place < Span::kRegisters; ++place) {
#pragma HLS UNROLL
    span[place] = 0;
  }
  ap_uint<bits_for(Span::kDepth - 1)> slot = 0;
  ap_uint<Span::kStretches * kBits> carried = 0;
  const ap_uint<kOutBits> fill = Codes::template fill<CHANNELS>();
  Position<Rows> row;
  Position<Columns> column;
  ap_uint<bits_for(Rows::kResults - 1)> line = 0;
  ap_uint<bits_for(Columns::kResults - 1)> result = 0;
  ap_uint<bits_for(Span::kEarly + Span::kFirst + kWait)> wait = Span::kEarly + Span::kFirst;
  bool has_windows = true;

  // A pixel a beat, or none before and behind the image: pixel beat - kEarly.
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
        leaving.range((stretch + 1) * kBits - 1, stretch * kBits) =
            span[stretch * Span::kSegment + Span::kReach - 1];
      }
      carried = memory[next];
      memory[slot] = leaving;
    }
    slot = next;
    for (int place = Span::kRegisters - 1; place > 0; --place) {
#pragma HLS UNROLL
      span[place] = span[place - 1];
    }
    if (beat >= Span::kEarly && beat < Span::kEarly + kPixels) {
      span[0] = in.read();
    }
    if (Span::kHasMemory) {
      for (int stretch = 0; stretch < Rows::kKernel - 1; ++stretch) {
#pragma HLS UNROLL
        span[(stretch + 1) * Span::kSegment] =
            returned.range((stretch + 1) * kBits - 1, stretch * kBits);
      }
    }

    if (has_windows && wait == 0) {
      ap_uint<Rows::kKernel * Columns::kKernel * kOutBits> y = 0;
      for (int i = 0; i < Rows::kKernel; ++i) {
#pragma HLS UNROLL
        for (int j = 0; j < Columns::kKernel; ++j) {
#pragma HLS UNROLL
          const int p = int(row.pixel) + Rows::kDilation * i;
          const int q = int(column.pixel) + Columns::kDilation * j;
          const bool is_masked =
              p < 0 || p >= Rows::kSize || q < 0 || q >= Columns::kSize;
          const int place = (Rows::kKernel - 1 - i) * Span::kSegment +
                            (Columns::kKernel - 1 - j) * Columns::kDilation;
          const int tap = i * Columns::kKernel + j;
          const ap_uint<kOutBits> seen = Codes::template of<CHANNELS>(span[place]);
          y.range((tap + 1) * kOutBits - 1, tap * kOutBits) = is_masked ? fill : seen;
        }
      }
      out.write(y);
      if (result != Columns::kResults - 1) {
        result = result + 1;
        column.template advance<Columns::kStride>();
        wait = Columns::kStride - 1;
      } else {
        result = 0;
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

}  // namespace lutloom
