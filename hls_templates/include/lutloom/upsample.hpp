// Every element repeated along each axis: y[i, j, ...] = x[i / f[0], j / f[1], ...].
// Specification: lutloom.core.ops.upsample.Upsample.reference
//
// A frame is levels of blocks: level 0 has `sizes[0]` blocks of `blocks[0]` words, each of which
// comes `repeats[0]` times; such a block is `sizes[1]` blocks of level 1, and so on. A word of the
// innermost level is a block of one. A word leaves in the beat in which it comes, and is kept in a
// memory of one block of level 0, if that comes again: a row of an image.
// COPIES lanes of the result are one lane of the input.
// Cycles a frame: its output words, plus a constant.
//
// Beside finn-hlslib's upsample.h and upsample.hpp: the memory is a row there too. Other than there,
// an address is the last one and a constant, not a quotient; and any axis repeats.
#pragma once

#include <ap_int.h>
#include <hls_stream.h>

#ifndef __SYNTHESIS__
#include <stdexcept>
#endif

#include "lutloom/bits.hpp"
#include "lutloom/lanes.hpp"

namespace lutloom {

template <int WORDS, int COPIES, int BITS, int DEPTH, int IN_WIDTH, typename Size, typename Repeat,
          typename Block, int LEVELS>
void upsample(hls::stream<ap_uint<IN_WIDTH> >& in, hls::stream<ap_uint<COPIES * IN_WIDTH> >& out,
              ap_uint<IN_WIDTH> (&memory)[DEPTH], const Size (&sizes)[LEVELS],
              const Repeat (&repeats)[LEVELS], const Block (&blocks)[LEVELS]) {
#pragma HLS INLINE
  ap_uint<bits_for(WORDS)> index[LEVELS];
#pragma HLS ARRAY_PARTITION variable=index type=complete dim=1
  ap_uint<bits_for(WORDS)> repeat[LEVELS];
#pragma HLS ARRAY_PARTITION variable=repeat type=complete dim=1
  for (int level = 0; level < LEVELS; ++level) {
#pragma HLS UNROLL
    index[level] = 0;
    repeat[level] = 0;
  }
  ap_uint<bits_for(DEPTH)> address = 0;
  ap_uint<IN_WIDTH> recent = 0;
  bool is_new = true;
#ifndef __SYNTHESIS__
  long long written = -1;
#endif

  // address is that of the word in its block of level 0; is_new: it has not come before.
  for (int beat = 0; beat < WORDS; ++beat) {
#pragma HLS PIPELINE II=1 style=flp
// A word that the last beat wrote is `recent`: a slot is read two beats after it was written.
#pragma HLS DEPENDENCE variable=memory type=inter direction=RAW dependent=true distance=2
    const bool is_recent = DEPTH == 1 || repeat[LEVELS - 1] != 0;
#ifndef __SYNTHESIS__
    if (!is_new && !is_recent && written == address.to_int64()) {
      throw std::logic_error("an upsampling reads a word one beat after it was written");
    }
    written = is_new ? address.to_int64() : -1;
#endif
    if (is_new) {
      recent = in.read();
      memory[address] = recent;
    } else if (!is_recent) {
      recent = memory[address];
    }
    ap_uint<COPIES * IN_WIDTH> word = 0;
    for (int lane = 0; lane < IN_WIDTH / BITS; ++lane) {
#pragma HLS UNROLL
      const ap_uint<BITS> element = get_lane<ap_uint<BITS> >(recent, lane);
      for (int copy = 0; copy < COPIES; ++copy) {
#pragma HLS UNROLL
        set_lane(word, lane * COPIES + copy, element);
      }
    }
    out.write(word);

    bool carry = true;
    is_new = true;
    for (int level = LEVELS - 1; level >= 0; --level) {
#pragma HLS UNROLL
      if (carry && repeat[level] != repeats[level] - 1) {
        repeat[level] = repeat[level] + 1;
        address = address + 1 - blocks[level];
        carry = false;
      } else if (carry) {
        repeat[level] = 0;
        if (level == 0) {
          address = 0;
        } else if (index[level] != sizes[level] - 1) {
          index[level] = index[level] + 1;
          address = address + 1;
          carry = false;
        } else {
          index[level] = 0;
        }
      }
      is_new = is_new && repeat[level] == 0;
    }
  }
}

}  // namespace lutloom
