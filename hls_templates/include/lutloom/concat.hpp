// Tensors one behind the other along an axis: of each in turn as many words as its share is.
// Specification: lutloom.core.ops.concat.Concat.reference
//
// PE elements at a time, codes of each input as codes of the result. A frame is ROUNDS rounds of
// LAST::kEnd words; each input has its part of a round.
// Cycles a frame: its output words, plus a constant.
//
// Streams are of different types where inputs are of different widths, so they come as a pack, as
// in finn-hlslib's concat.hpp: the recursion is over types, and each read is a branch of one loop.
#pragma once

#include <ap_int.h>
#include <hls_stream.h>

#include "lutloom/bits.hpp"
#include "lutloom/recode.hpp"

namespace lutloom {

// One input's part of a round, which ends in front of word END: what its codes become.
template <typename Codes, int END>
struct Part {
  typedef Codes Recoded;
  static constexpr int kEnd = END;
};

// Word `index` of a round: from the first stream whose part ends behind it.
template <int PE, typename Last, typename Word, typename Index>
void read_part(const Index& index, Word& word,
               hls::stream<ap_uint<PE * Last::Recoded::kInBits> >& in) {
#pragma HLS INLINE
  word = Last::Recoded::template of<PE>(in.read());
}

template <int PE, typename First, typename Second, typename... Rest, typename Word, typename Index,
          typename... Streams>
void read_part(const Index& index, Word& word,
               hls::stream<ap_uint<PE * First::Recoded::kInBits> >& in, Streams&... others) {
#pragma HLS INLINE
  if (index < First::kEnd) {
    word = First::Recoded::template of<PE>(in.read());
  } else {
    read_part<PE, Second, Rest...>(index, word, others...);
  }
}

template <int PE, int WORDS, int ROUNDS, int OUT_BITS, typename... Parts, typename... Streams>
void concat(hls::stream<ap_uint<PE * OUT_BITS> >& out, Streams&... ins) {
#pragma HLS INLINE
  static_assert(sizeof...(Parts) == sizeof...(Streams), "each stream should have its part");
  ap_uint<bits_for(WORDS)> index = 0;

  // beat = round * WORDS + index
  for (int beat = 0; beat < ROUNDS * WORDS; ++beat) {
#pragma HLS PIPELINE II=1 style=flp
    ap_uint<PE * OUT_BITS> word = 0;
    read_part<PE, Parts...>(index, word, ins...);
    out.write(word);
    index = index == WORDS - 1 ? 0 : int(index) + 1;
  }
}

}  // namespace lutloom
