// A transposition: y[i[axes[0]], i[axes[1]], ...] = x[i[0], i[1], ...].
// Specification: lutloom.core.ops.permute.Permute.reference
//
// A frame is stored as it comes and read in the order of the result. `sizes` are the dimensions
// of the result in words, outermost first; `strides[d]` is what the address grows by when index d
// grows and all inner ones go back to zero, modulo 2^32.
// Cycles a frame: 2 * WORDS, plus a constant.
#pragma once

#include <ap_int.h>
#include <hls_stream.h>

#include <cstdint>

#include "lutloom/bits.hpp"

namespace lutloom {

template <int WORDS, typename Word, int RANK>
void permute(hls::stream<Word>& in, hls::stream<Word>& out, const std::uint32_t (&sizes)[RANK],
             const std::int32_t (&strides)[RANK]) {
#pragma HLS INLINE
  Word frame[WORDS];
  ap_uint<bits_for(WORDS)> indices[RANK];
#pragma HLS ARRAY_PARTITION variable=indices type=complete dim=1
  for (int axis = 0; axis < RANK; ++axis) {
#pragma HLS UNROLL
    indices[axis] = 0;
  }
  ap_uint<bits_for(WORDS)> address = 0;

  // While draining, address is that of the element at `indices` of the result.
  for (int beat = 0; beat < 2 * WORDS; ++beat) {
#pragma HLS PIPELINE II=1 style=flp
    if (beat < WORDS) {
      frame[beat] = in.read();
    } else {
      out.write(frame[address]);
      bool carry = true;
      for (int axis = RANK - 1; axis >= 0; --axis) {
#pragma HLS UNROLL
        if (carry && indices[axis] == sizes[axis] - 1) {
          indices[axis] = 0;
        } else if (carry) {
          indices[axis] = indices[axis] + 1;
          address = address + strides[axis];
          carry = false;
        }
      }
    }
  }
}

}  // namespace lutloom
