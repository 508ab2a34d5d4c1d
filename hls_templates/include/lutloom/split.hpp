// Parts of a tensor along an axis, each to a stream of its own; what lies between them is dropped.
// Specification: lutloom.core.ops.split.Split.reference
//
// A frame is ROUNDS rounds of WORDS words, and each part is some of a round.
// Cycles a frame: its input words, plus a constant.
#pragma once

#include <ap_int.h>
#include <hls_stream.h>

#include "lutloom/bits.hpp"

namespace lutloom {

// Words BEGIN to END - 1 of a round.
template <int BEGIN, int END>
struct Range {
  static constexpr int kBegin = BEGIN;
  static constexpr int kEnd = END;
};

// Word `index` of a round: to the stream whose range it lies in. Ranges ascend.
template <typename Last, typename Word, typename Index>
void write_part(const Index& index, const Word& word, hls::stream<Word>& out) {
#pragma HLS INLINE
  if (index >= Last::kBegin && index < Last::kEnd) {
    out.write(word);
  }
}

template <typename First, typename Second, typename... Rest, typename Word, typename Index,
          typename... Streams>
void write_part(const Index& index, const Word& word, hls::stream<Word>& out, Streams&... others) {
#pragma HLS INLINE
  if (index >= First::kBegin && index < First::kEnd) {
    out.write(word);
  }
  write_part<Second, Rest...>(index, word, others...);
}

template <int WORDS, int ROUNDS, typename... Ranges, typename Word, typename... Streams>
void split(hls::stream<Word>& in, Streams&... outs) {
#pragma HLS INLINE
  static_assert(sizeof...(Ranges) == sizeof...(Streams), "each stream should have its range");
  ap_uint<bits_for(WORDS)> index = 0;

  // beat = round * WORDS + index
  for (int beat = 0; beat < ROUNDS * WORDS; ++beat) {
#pragma HLS PIPELINE II=1 style=flp
    const Word word = in.read();
    write_part<Ranges...>(index, word, outs...);
    index = index == WORDS - 1 ? 0 : int(index) + 1;
  }
}

}  // namespace lutloom
