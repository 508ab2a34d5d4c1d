// The channels of the K largest values, largest first, ties to the lowest channel.
// Specification: lutloom.core.ops.top_k.TopK.reference
//
// PE channels come in at a time, one channel number goes out at a time. A list of the K largest
// so far is kept in order; a value enters it in front of the first one that is smaller.
// Cycles a frame: VECTORS * (CHANNELS / PE + K - 1), plus a constant.
#pragma once

#include <ap_int.h>
#include <hls_stream.h>

#include "lutloom/bits.hpp"
#include "lutloom/lanes.hpp"

namespace lutloom {

template <int CHANNELS, int K, int VECTORS, int PE, typename In>
void top_k(hls::stream<ap_uint<PE * In::width> >& in,
           hls::stream<ap_uint<bits_for(CHANNELS - 1)> >& out) {
#pragma HLS INLINE
  static_assert(CHANNELS % PE == 0, "PE should divide the number of channels");
  static_assert(K >= 1 && K <= CHANNELS, "K should be at least 1 and at most the channels");
  constexpr int kFolds = CHANNELS / PE;
  constexpr int kBeats = kFolds + K - 1;
  typedef ap_uint<bits_for(CHANNELS - 1)> Channel;

  In values[K];
#pragma HLS ARRAY_PARTITION variable=values type=complete dim=1
  Channel channels[K];
#pragma HLS ARRAY_PARTITION variable=channels type=complete dim=1
  for (int place = 0; place < K; ++place) {
#pragma HLS UNROLL
    values[place] = 0;
    channels[place] = 0;
  }
  ap_uint<K> is_taken = 0;
  ap_uint<bits_for(kBeats - 1)> beat = 0;
  ap_uint<bits_for(CHANNELS)> channel = 0;

  // The first kFolds beats of a vector fill the list, the last K beats empty it.
  for (int step = 0; step < VECTORS * kBeats; ++step) {
#pragma HLS PIPELINE II=1 style=flp
    if (beat < kFolds) {
      const ap_uint<PE * In::width> x = in.read();
      for (int lane = 0; lane < PE; ++lane) {
#pragma HLS UNROLL
        const In value = get_lane<In>(x, lane);
        // From the back, so that each place sees its neighbour as it was.
        for (int place = K - 1; place >= 0; --place) {
#pragma HLS UNROLL
          const int previous = place == 0 ? 0 : place - 1;
          const bool beats_this = !is_taken[place] || value > values[place];
          const bool beats_previous = !is_taken[previous] || value > values[previous];
          if (place > 0 && beats_previous) {
            values[place] = values[previous];
            channels[place] = channels[previous];
            is_taken[place] = bool(is_taken[previous]);
          } else if (beats_this) {
            values[place] = value;
            channels[place] = Channel(channel + lane);
            is_taken[place] = true;
          }
        }
      }
      channel = channel + PE;
    }
    if (beat >= kFolds - 1) {
      out.write(channels[0]);
      for (int place = 0; place < K - 1; ++place) {
#pragma HLS UNROLL
        channels[place] = channels[place + 1];
      }
    }
    if (beat == kBeats - 1) {
      beat = 0;
      channel = 0;
      is_taken = 0;
    } else {
      beat = beat + 1;
    }
  }
}

}  // namespace lutloom
