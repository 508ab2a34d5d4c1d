// Widths of counters and sums, computed at compile time.
#pragma once

namespace lutloom {

// Bits that an unsigned number up to `largest` needs: at least one.
constexpr int bits_for(unsigned long long largest) {
  return largest < 2 ? 1 : 1 + bits_for(largest / 2);
}

constexpr int greatest_common_divisor(int a, int b) {
  return b == 0 ? a : greatest_common_divisor(b, a % b);
}

// a / b, rounded up.
constexpr int ceil_divide(int a, int b) { return (a + b - 1) / b; }

// a / b, rounded down, and what is left, for positive b.
constexpr int floor_divide(int a, int b) { return a >= 0 ? a / b : -ceil_divide(-a, b); }
constexpr int modulo(int a, int b) { return a - b * floor_divide(a, b); }

}  // namespace lutloom
