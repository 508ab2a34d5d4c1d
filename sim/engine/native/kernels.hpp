// Every kernel, by the name that its file has.
#pragma once

#include "engine.hpp"

namespace lutloom {

Kernel move_kernel();
Kernel threshold_kernel();
Kernel wide_kernel();

inline const Kernel* all_kernels(std::size_t& count) {
  static const Kernel kernels[] = {
      move_kernel(),
      threshold_kernel(),
      wide_kernel(),
  };
  count = sizeof(kernels) / sizeof(kernels[0]);
  return kernels;
}

}  // namespace lutloom
