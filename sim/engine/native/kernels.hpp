// Every kernel, by the name that its file has.
#pragma once

#include "engine.hpp"

namespace lutloom {

Kernel add_kernel();
Kernel bits_kernel();
Kernel bits_pool_kernel();
Kernel convert_kernel();
Kernel copy_kernel();
Kernel depthwise_kernel();
Kernel dot_kernel();
Kernel from_planes_kernel();
Kernel lines_kernel();
Kernel lookup_kernel();
Kernel matmul_kernel();
Kernel max_pool_kernel();
Kernel move_kernel();
Kernel multiply_kernel();
Kernel pack_kernel();
Kernel pad_kernel();
Kernel plane_move_kernel();
Kernel plane_pool_kernel();
Kernel plane_stairs_kernel();
Kernel plane_sums_kernel();
Kernel requantize_kernel();
Kernel tail_kernel();
Kernel table_kernel();
Kernel threshold_kernel();
Kernel to_planes_kernel();
Kernel top_k_kernel();
Kernel unpack_kernel();
Kernel wide_kernel();

inline const Kernel* all_kernels(std::size_t& count) {
  static const Kernel kernels[] = {
      add_kernel(),
      bits_kernel(),
      bits_pool_kernel(),
      convert_kernel(),
      copy_kernel(),
      depthwise_kernel(),
      dot_kernel(),
      from_planes_kernel(),
      lines_kernel(),
      lookup_kernel(),
      matmul_kernel(),
      max_pool_kernel(),
      move_kernel(),
      multiply_kernel(),
      pack_kernel(),
      pad_kernel(),
      plane_move_kernel(),
      plane_pool_kernel(),
      plane_stairs_kernel(),
      plane_sums_kernel(),
      requantize_kernel(),
      tail_kernel(),
      table_kernel(),
      threshold_kernel(),
      to_planes_kernel(),
      top_k_kernel(),
      unpack_kernel(),
      wide_kernel(),
  };
  count = sizeof(kernels) / sizeof(kernels[0]);
  return kernels;
}

}  // namespace lutloom
