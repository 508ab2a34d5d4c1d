// A transposition: y[i[axes[0]], i[axes[1]], ...] = x[i[0], i[1], ...].
// Specification: lutloom.core.ops.permute.Permute.reference
//
// Lane `lanes[l]` of a word becomes lane l; with one entry all stay. Words come in the order of the
// input and leave in that of the result, whose dimensions in words are `sizes`, outermost first.
// They are kept in a circular memory: word t of the result leaves LAG beats behind the beat in
// which word t came, which is two beats behind its own coming, or more. So the memory holds what
// has come and has not left, not whole frames, and while one part of a frame leaves the next comes.
// LAG and DEPTH are computed by lutloom.codegen.kernels.permute.
// `steps[d]` is what the slot grows by, modulo DEPTH, when index d of the result grows and all inner
// ones go back to zero.
// Cycles a frame: WORDS + LAG; WORDS where only lanes change places; plus a constant.
#pragma once

#include <ap_int.h>
#include <hls_stream.h>

#ifndef __SYNTHESIS__
#include <stdexcept>
#include <vector>
#endif

#include "lutloom/bits.hpp"
#include "lutloom/lanes.hpp"

namespace lutloom {

template <int BITS, int WIDTH, typename Lane, int LANES>
ap_uint<WIDTH> permute_lanes(const ap_uint<WIDTH>& word, const Lane (&lanes)[LANES]) {
#pragma HLS INLINE
  static_assert(LANES == 1 || LANES * BITS == WIDTH, "there should be an entry for each lane");
  if (LANES == 1) {
    return word;
  }
  ap_uint<WIDTH> result = 0;
  for (int lane = 0; lane < LANES; ++lane) {
#pragma HLS UNROLL
    set_lane(result, lane, get_lane<ap_uint<BITS> >(word, lanes[lane]));
  }
  return result;
}

// Words that stay where they are.
template <int WORDS, int BITS, int WIDTH, typename Lane, int LANES>
void permute(hls::stream<ap_uint<WIDTH> >& in, hls::stream<ap_uint<WIDTH> >& out,
             const Lane (&lanes)[LANES]) {
#pragma HLS INLINE
  for (int beat = 0; beat < WORDS; ++beat) {
#pragma HLS PIPELINE II=1 style=flp
    out.write(permute_lanes<BITS>(in.read(), lanes));
  }
}

template <int WORDS, int BITS, int LAG, int WIDTH, int DEPTH, typename Lane, int LANES,
          typename Size, typename Step, int RANK>
void permute(hls::stream<ap_uint<WIDTH> >& in, hls::stream<ap_uint<WIDTH> >& out,
             ap_uint<WIDTH> (&memory)[DEPTH], const Lane (&lanes)[LANES],
             const Size (&sizes)[RANK], const Step (&steps)[RANK]) {
#pragma HLS INLINE
  ap_uint<bits_for(WORDS)> indices[RANK];
#pragma HLS ARRAY_PARTITION variable=indices type=complete dim=1
  for (int axis = 0; axis < RANK; ++axis) {
#pragma HLS UNROLL
    indices[axis] = 0;
  }
  ap_uint<bits_for(DEPTH - 1)> free = 0;
  ap_uint<bits_for(DEPTH - 1)> slot = 0;
#ifndef __SYNTHESIS__
  std::vector<int> since(DEPTH, WORDS + LAG);
#endif

  // slot is that of the word at `indices` of the result, free that of the next one to come.
  for (int beat = 0; beat < WORDS + LAG; ++beat) {
#pragma HLS PIPELINE II=1 style=flp
#pragma HLS DEPENDENCE variable=memory type=inter direction=RAW dependent=true distance=2
    if (beat >= LAG) {
#ifndef __SYNTHESIS__
      if (beat - since[slot.to_int()] < 2 || (beat < WORDS && slot == free)) {
        throw std::logic_error("a transposition reads a word less than two beats after it came");
      }
#endif
      out.write(memory[slot]);
      bool carry = true;
      for (int axis = RANK - 1; axis >= 0; --axis) {
#pragma HLS UNROLL
        if (carry && indices[axis] == sizes[axis] - 1) {
          indices[axis] = 0;
        } else if (carry) {
          const ap_uint<bits_for(2 * DEPTH - 1)> next = slot + steps[axis];
          slot = next >= DEPTH ? int(next) - DEPTH : int(next);
          indices[axis] = indices[axis] + 1;
          carry = false;
        }
      }
    }
    if (beat < WORDS) {
      memory[free] = permute_lanes<BITS>(in.read(), lanes);
#ifndef __SYNTHESIS__
      since[free.to_int()] = beat;
#endif
      free = free == DEPTH - 1 ? 0 : int(free) + 1;
    }
  }
}

}  // namespace lutloom
