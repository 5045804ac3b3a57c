// What is done to a row of numbers on its own: norm, activation, exponentials, 8-bit rounding. Knows no weights' layout.
//
// Lengths are multiples of 8. A row's result depends on that row alone.
#pragma once

#include <immintrin.h>

#include <cmath>
#include <cstdint>
#include <limits>

inline float sum_of(__m256 x) {
  __m128 half = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
  half = _mm_add_ps(half, _mm_movehl_ps(half, half));
  return _mm_cvtss_f32(_mm_add_ss(half, _mm_movehdup_ps(half)));
}

inline float max_of(__m256 x) {
  __m128 half = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
  half = _mm_max_ps(half, _mm_movehl_ps(half, half));
  return _mm_cvtss_f32(_mm_max_ss(half, _mm_movehdup_ps(half)));
}

// e**x to about 2 units in the last place, by Cody and Waite's reduction and a polynomial of degree 6 (Cephes' expf).
// NaN stays NaN; below -87.3 it is 0.
inline __m256 exp_of(__m256 x) {
  const __m256 is_tiny = _mm256_cmp_ps(x, _mm256_set1_ps(-87.3f), _CMP_LT_OQ);
  // min and max return their second operand where the first is NaN, so x comes second
  const __m256 kept = _mm256_max_ps(_mm256_set1_ps(-87.3f), _mm256_min_ps(_mm256_set1_ps(88.3f), x));
  const __m256 n = _mm256_round_ps(_mm256_mul_ps(kept, _mm256_set1_ps(1.44269504f)),
                                   _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  __m256 r = _mm256_fnmadd_ps(n, _mm256_set1_ps(0.693359375f), kept);
  r = _mm256_fnmadd_ps(n, _mm256_set1_ps(-2.12194440e-4f), r);
  __m256 p = _mm256_set1_ps(1.9875691500e-4f);
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.3981999507e-3f));
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(8.3334519073e-3f));
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(4.1665795894e-2f));
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.6666665459e-1f));
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(5.0000001201e-1f));
  p = _mm256_fmadd_ps(p, _mm256_mul_ps(r, r), _mm256_add_ps(r, _mm256_set1_ps(1.0f)));
  const __m256i power = _mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127)), 23);
  return _mm256_andnot_ps(is_tiny, _mm256_mul_ps(p, _mm256_castsi256_ps(power)));
}

// Root-mean-square normalisation: x / sqrt(mean(x**2) + epsilon) * weight.
inline void norm_row(const float* x, const float* weight, int64_t length, float epsilon, float* out) {
  __m256 squares = _mm256_setzero_ps();
  for (int64_t i = 0; i < length; i += 8) {
    const __m256 value = _mm256_loadu_ps(x + i);
    squares = _mm256_fmadd_ps(value, value, squares);
  }
  const __m256 factor = _mm256_set1_ps(1.0f / std::sqrt(sum_of(squares) / static_cast<float>(length) + epsilon));
  for (int64_t i = 0; i < length; i += 8)
    _mm256_storeu_ps(out + i, _mm256_mul_ps(_mm256_mul_ps(_mm256_loadu_ps(x + i), factor), _mm256_loadu_ps(weight + i)));
}

enum Activation : int64_t { kRelu = 0, kGelu = 1, kGeluTanh = 2, kSilu = 3 };

inline __m256 activate(__m256 x, int64_t activation) {
  const __m256 one = _mm256_set1_ps(1.0f);
  switch (activation) {
    case kRelu:
      return _mm256_max_ps(_mm256_setzero_ps(), x);  // NaN stays NaN
    case kGeluTanh: {
      // x/2 (1 + tanh(u)) is x / (1 + e**-2u), with u = sqrt(2/pi) (x + 0.044715 x**3)
      const __m256 cubic = _mm256_fmadd_ps(_mm256_mul_ps(x, x), _mm256_set1_ps(0.044715f), one);
      const __m256 minus_2u = _mm256_mul_ps(_mm256_mul_ps(x, cubic), _mm256_set1_ps(-1.5957691216f));
      return _mm256_div_ps(x, _mm256_add_ps(one, exp_of(minus_2u)));
    }
    case kSilu:
      return _mm256_div_ps(x, _mm256_add_ps(one, exp_of(_mm256_sub_ps(_mm256_setzero_ps(), x))));
    default: {
      alignas(32) float values[8];
      _mm256_store_ps(values, x);
      for (float& value : values) value = 0.5f * value * (1.0f + std::erf(value * 0.70710678f));
      return _mm256_load_ps(values);
    }
  }
}

// activation(up[0:length]), times up[length:2 length] where there is a gate.
inline void activate_row(const float* up, int64_t length, bool is_gated, int64_t activation, float* out) {
  for (int64_t i = 0; i < length; i += 8) {
    const __m256 active = activate(_mm256_loadu_ps(up + i), activation);
    _mm256_storeu_ps(out + i, is_gated ? _mm256_mul_ps(active, _mm256_loadu_ps(up + length + i)) : active);
  }
}

// What `bytes` of a row stand for: lowest + step * byte.
struct Rounding {
  float step, lowest;
};

// Rounds a row to 0..127: pairs of 8-bit products must not overflow the 16 bits in which AVX2 adds them.
// A row that is not finite gets a step that is not, and so are all products with it.
inline Rounding round_row(const float* x, int64_t length, uint8_t* bytes) {
  __m256 low = _mm256_set1_ps(std::numeric_limits<float>::infinity());
  __m256 high = _mm256_set1_ps(-std::numeric_limits<float>::infinity());
  __m256 nothing = _mm256_setzero_ps();
  for (int64_t i = 0; i < length; i += 8) {
    const __m256 value = _mm256_loadu_ps(x + i);
    low = _mm256_min_ps(low, value);
    high = _mm256_max_ps(high, value);
    nothing = _mm256_add_ps(nothing, _mm256_sub_ps(value, value));  // 0, or NaN of what is not finite
  }
  const float lowest = -max_of(_mm256_sub_ps(_mm256_setzero_ps(), low));
  const float step = (max_of(high) - lowest) / 127.0f;
  if (sum_of(nothing) != 0.0f || !std::isfinite(step)) {
    for (int64_t i = 0; i < length; ++i) bytes[i] = 0;
    return {std::numeric_limits<float>::quiet_NaN(), 0.0f};
  }
  const __m256 begin = _mm256_set1_ps(lowest);
  const __m256 per_step = _mm256_set1_ps(step > 1e-30f ? 1.0f / step : 0.0f);
  for (int64_t i = 0; i < length; i += 8) {
    const __m256 scaled = _mm256_mul_ps(_mm256_sub_ps(_mm256_loadu_ps(x + i), begin), per_step);
    const __m256i whole = _mm256_cvtps_epi32(scaled);
    const __m128i words = _mm_packs_epi32(_mm256_castsi256_si128(whole), _mm256_extracti128_si256(whole, 1));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(bytes + i), _mm_packus_epi16(words, words));
  }
  return {step, lowest};
}

inline float dot(const float* a, const float* b, int64_t length) {
  __m256 sum = _mm256_setzero_ps();
  for (int64_t i = 0; i < length; i += 8) sum = _mm256_fmadd_ps(_mm256_loadu_ps(a + i), _mm256_loadu_ps(b + i), sum);
  return sum_of(sum);
}
