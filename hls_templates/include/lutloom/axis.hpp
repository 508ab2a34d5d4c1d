// The borders of a unit: AXI streams outside, plain streams inside, an image a call.
//
// TLAST of an image's last beat travels beside the data as a token, from a reader to the writers
// that raise it, each on the last beat of that image only; keep and strb are all ones.
// Cycles a frame: BEATS, plus a constant.
#pragma once

#include <ap_axi_sdata.h>
#include <ap_int.h>
#include <hls_stream.h>

namespace lutloom {

inline void write_tokens(const ap_uint<1>&) {
#pragma HLS INLINE
}

template <typename... Lasts>
void write_tokens(const ap_uint<1>& token, hls::stream<ap_uint<1> >& last, Lasts&... others) {
#pragma HLS INLINE
  last.write(token);
  write_tokens(token, others...);
}

// With as many streams of tokens as there are writers that wait for this reader's.
template <int AXIS_BITS, int WORD_BITS, int BEATS, typename... Lasts>
void read_axis(hls::stream<ap_axiu<AXIS_BITS, 0, 0, 0> >& in,
               hls::stream<ap_uint<WORD_BITS> >& out, Lasts&... lasts) {
  static_assert(WORD_BITS <= AXIS_BITS, "a beat should hold a word");
  for (int beat = 0; beat < BEATS; ++beat) {
#pragma HLS PIPELINE II=1 style=flp
    const ap_axiu<AXIS_BITS, 0, 0, 0> transfer = in.read();
    const ap_uint<WORD_BITS> word = transfer.data.range(WORD_BITS - 1, 0);
    out.write(word);
    if (beat == BEATS - 1) {
      write_tokens(ap_uint<1>(transfer.last), lasts...);
    }
  }
}

template <int AXIS_BITS, int WORD_BITS, int BEATS>
void write_axis(hls::stream<ap_uint<WORD_BITS> >& in, hls::stream<ap_uint<1> >& last,
                hls::stream<ap_axiu<AXIS_BITS, 0, 0, 0> >& out) {
  static_assert(WORD_BITS <= AXIS_BITS, "a beat should hold a word");
  for (int beat = 0; beat < BEATS; ++beat) {
#pragma HLS PIPELINE II=1 style=flp
    ap_axiu<AXIS_BITS, 0, 0, 0> transfer;
    transfer.data = in.read();
    transfer.keep = -1;
    transfer.strb = -1;
    transfer.last = 0;
    if (beat == BEATS - 1) {
      transfer.last = last.read();
    }
    out.write(transfer);
  }
}

}  // namespace lutloom
