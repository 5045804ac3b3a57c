// Products of a few rows with a weight that is laid out in panels of 16 outputs. Knows no model, no threads.
//
// float32: [panel][input][16]. int8: [panel][input / 4][16][4], with one scale per output.
//
// Every output of every row adds up its inputs in one order, whatever the number of rows: a row's result is the
// same to the last bit whoever shares the product.
#pragma once

#include <immintrin.h>

#include <cstdint>

#include "rows.h"

constexpr int64_t kPanel = 16;

struct LinearView {
  const void* panels;
  const float* scales;  // of int8 weights, one per output; null of float32
  const float* sums;    // of each output's int8 weights
  int64_t num_inputs;   // a multiple of 8
  int64_t num_panels;
};

// Rows as a product reads them: `numbers` for float32 weights, `bytes` and `roundings` for int8.
struct Rows {
  const float* numbers;
  const uint8_t* bytes;
  const Rounding* roundings;
};

// take(row, left, right) gets the sums of a row and a panel. All loops over rows are unrolled: sums stay in registers.
// Rows of x are `stride` numbers apart.
template <int R, class Take>
inline void float_tile(const float* x, int64_t stride, int64_t num_inputs, const float* panel, const Take& take,
                       int64_t row) {
  __m256 sums[R][2];
#pragma GCC unroll 6
  for (int r = 0; r < R; ++r) sums[r][0] = sums[r][1] = _mm256_setzero_ps();
  for (int64_t k = 0; k < num_inputs; ++k) {
    const __m256 left = _mm256_loadu_ps(panel + kPanel * k), right = _mm256_loadu_ps(panel + kPanel * k + 8);
#pragma GCC unroll 6
    for (int r = 0; r < R; ++r) {
      const __m256 value = _mm256_broadcast_ss(x + r * stride + k);
      sums[r][0] = _mm256_fmadd_ps(value, left, sums[r][0]);
      sums[r][1] = _mm256_fmadd_ps(value, right, sums[r][1]);
    }
  }
#pragma GCC unroll 6
  for (int r = 0; r < R; ++r) take(row + r, sums[r][0], sums[r][1]);
}

constexpr int kFloatRows = 6;

// At most `R` rows.
template <int R = kFloatRows, class Take>
inline void float_rows(int64_t num_rows, const float* x, int64_t stride, int64_t num_inputs, const float* panel,
                       const Take& take, int64_t row) {
  if (num_rows == R) return float_tile<R>(x, stride, num_inputs, panel, take, row);
  if constexpr (R > 1) float_rows<R - 1>(num_rows, x, stride, num_inputs, panel, take, row);
}

// sum + the four products of unsigned and signed bytes in each lane
inline void add_products(__m256i& sum, __m256i unsigned_bytes, __m256i signed_bytes) {
#if defined(__AVX512VNNI__)
  // in assembly: GCC 12 copies the sums of the intrinsic from register to register
  __asm__("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(unsigned_bytes), "v"(signed_bytes));
#else
  const __m256i pairs = _mm256_maddubs_epi16(unsigned_bytes, signed_bytes);
  sum = _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
#endif
}

// as many as there are registers for
#if defined(__AVX512VNNI__)
constexpr int kInt8Rows = 8;
#else
constexpr int kInt8Rows = 4;
#endif

template <int R, class Take>
inline void int8_tile(const Rows& x, int64_t num_inputs, const int8_t* panel, const float* scales, const float* sums,
                      const Take& take, int64_t row) {
  __m256i found[R][2];
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) found[r][0] = found[r][1] = _mm256_setzero_si256();
  const uint8_t* bytes = x.bytes + row * num_inputs;
  for (int64_t k = 0; k < num_inputs; k += 4) {
    const __m256i left = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(panel + kPanel * k));
    const __m256i right = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(panel + kPanel * k + 32));
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      int32_t four;
      __builtin_memcpy(&four, bytes + r * num_inputs + k, 4);
      const __m256i values = _mm256_set1_epi32(four);
      add_products(found[r][0], values, left);
      add_products(found[r][1], values, right);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
    const __m256 step = _mm256_set1_ps(x.roundings[row + r].step), lowest = _mm256_set1_ps(x.roundings[row + r].lowest);
    __m256 result[2];
#pragma GCC unroll 2
    for (int half = 0; half < 2; ++half) {
      const __m256 raised = _mm256_mul_ps(lowest, _mm256_loadu_ps(sums + 8 * half));
      const __m256 sum = _mm256_fmadd_ps(step, _mm256_cvtepi32_ps(found[r][half]), raised);
      result[half] = _mm256_mul_ps(sum, _mm256_loadu_ps(scales + 8 * half));
    }
    take(row + r, result[0], result[1]);
  }
}

// At most `R` rows.
template <int R, class Take>
inline void int8_rows(int64_t num_rows, const Rows& x, int64_t num_inputs, const int8_t* panel, const float* scales,
                      const float* sums, const Take& take, int64_t row) {
  if (num_rows == R) return int8_tile<R>(x, num_inputs, panel, scales, sums, take, row);
  if constexpr (R > 1) int8_rows<R - 1>(num_rows, x, num_inputs, panel, scales, sums, take, row);
}

// One panel's products with all rows.
template <class Take>
inline void float_panel(const float* x, int64_t num_rows, const LinearView& linear, int64_t index, const Take& take) {
  const int64_t num_inputs = linear.num_inputs;
  const float* panel = static_cast<const float*>(linear.panels) + index * kPanel * num_inputs;
  for (int64_t row = 0; row < num_rows;) {
    const int64_t left = num_rows - row;
    // 7 and 8 as two halves: a tile of one or two rows waits for its own sums
    const int64_t count = left == 7 || left == 8 ? 4 : left < kFloatRows ? left : kFloatRows;
    float_rows(count, x + row * num_inputs, num_inputs, num_inputs, panel, take, row);
    row += count;
  }
}

template <class Take>
inline void int8_panel(const Rows& x, int64_t num_rows, const LinearView& linear, int64_t index, const Take& take) {
  const int64_t num_inputs = linear.num_inputs;
  const int8_t* panel = static_cast<const int8_t*>(linear.panels) + index * kPanel * num_inputs;
  const float *scales = linear.scales + index * kPanel, *sums = linear.sums + index * kPanel;
  for (int64_t row = 0; row < num_rows; row += kInt8Rows) {
    const int64_t count = num_rows - row < kInt8Rows ? num_rows - row : kInt8Rows;
    int8_rows<kInt8Rows>(count, x, num_inputs, panel, scales, sums, take, row);
  }
}

// take(row, panel, left, right) for the panels from `begin` to `end`.
template <class Take>
inline void multiply(const Rows& x, int64_t num_rows, const LinearView& linear, int64_t begin, int64_t end,
                     const Take& take) {
  for (int64_t index = begin; index < end; ++index) {
    const auto of_panel = [&](int64_t row, __m256 left, __m256 right) { take(row, index, left, right); };
    if (linear.scales == nullptr)
      float_panel(x.numbers, num_rows, linear, index, of_panel);
    else
      int8_panel(x, num_rows, linear, index, of_panel);
  }
}

struct Store {
  float* out;
  int64_t width;
  void operator()(int64_t row, int64_t panel, __m256 left, __m256 right) const {
    float* to = out + row * width + panel * kPanel;
    _mm256_storeu_ps(to, left);
    _mm256_storeu_ps(to + 8, right);
  }
};

struct Add {
  float* out;
  int64_t width;
  void operator()(int64_t row, int64_t panel, __m256 left, __m256 right) const {
    float* to = out + row * width + panel * kPanel;
    _mm256_storeu_ps(to, _mm256_add_ps(_mm256_loadu_ps(to), left));
    _mm256_storeu_ps(to + 8, _mm256_add_ps(_mm256_loadu_ps(to + 8), right));
  }
};
