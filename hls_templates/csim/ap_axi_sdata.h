// Stand-in for Vitis' header of the same name, which is not among the open ones: for C simulation
// without Vitis only. Unlike there, keep and strb start at 0, so that a forgotten one shows.
#ifndef LUTLOOM_CSIM_AP_AXI_SDATA_H
#define LUTLOOM_CSIM_AP_AXI_SDATA_H

#include <ap_int.h>

namespace hls {

template <typename Data, int USER, int ID, int DEST>
struct axis {
  static_assert(USER == 0 && ID == 0 && DEST == 0, "the stand-in has no user, id and dest signals");
  static constexpr int kBytes = (Data::width + 7) / 8;
  Data data = 0;
  ap_uint<kBytes> keep = 0;
  ap_uint<kBytes> strb = 0;
  ap_uint<1> last = 0;
};

}  // namespace hls

template <int BITS, int USER, int ID, int DEST>
using ap_axiu = hls::axis<ap_uint<BITS>, USER, ID, DEST>;

#endif
