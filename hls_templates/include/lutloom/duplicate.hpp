// Every reader of a value gets a stream of its own: a stream can be read only once.
// Specification: lutloom.core.ops.duplicate.Duplicate.reference
//
// Cycles a frame: WORDS, plus a constant.
#pragma once

#include <ap_int.h>
#include <hls_stream.h>

namespace lutloom {

template <typename Word>
void write_copies(const Word& word, hls::stream<Word>& out) {
#pragma HLS INLINE
  out.write(word);
}

template <typename Word, typename... Streams>
void write_copies(const Word& word, hls::stream<Word>& out, Streams&... others) {
#pragma HLS INLINE
  out.write(word);
  write_copies(word, others...);
}

template <int WORDS, typename Word, typename... Streams>
void duplicate(hls::stream<Word>& in, hls::stream<Word>& out, Streams&... others) {
#pragma HLS INLINE
  for (int beat = 0; beat < WORDS; ++beat) {
#pragma HLS PIPELINE II=1 style=flp
    const Word word = in.read();
    write_copies(word, out, others...);
  }
}

}  // namespace lutloom
