// Every kernel, by the name that its file has.
#pragma once

#include "engine.hpp"

namespace lutloom {

Kernel add_kernel();
Kernel convert_kernel();
Kernel copy_kernel();
Kernel lookup_kernel();
Kernel matmul_kernel();
Kernel max_pool_kernel();
Kernel move_kernel();
Kernel multiply_kernel();
Kernel requantize_kernel();
Kernel threshold_kernel();
Kernel top_k_kernel();
Kernel wide_kernel();

inline const Kernel* all_kernels(std::size_t& count) {
  static const Kernel kernels[] = {
      add_kernel(),
      convert_kernel(),
      copy_kernel(),
      lookup_kernel(),
      matmul_kernel(),
      max_pool_kernel(),
      move_kernel(),
      multiply_kernel(),
      requantize_kernel(),
      threshold_kernel(),
      top_k_kernel(),
      wide_kernel(),
  };
  count = sizeof(kernels) / sizeof(kernels[0]);
  return kernels;
}

}  // namespace lutloom
