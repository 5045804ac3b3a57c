// One query over the keys and values of one head of one row. Knows no caches' layout beyond [length][width].
//
// T5 does not scale the scores. Keys and values are float32 or float16; sums are float32.
#pragma once

#include <immintrin.h>

#include <cstdint>
#include <limits>

#include "rows.h"

using Half = uint16_t;

inline __m256 load8(const float* from) { return _mm256_loadu_ps(from); }
inline __m256 load8(const Half* from) {
  return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
}

inline void copy8(const float* from, float* to) { _mm256_storeu_ps(to, _mm256_loadu_ps(from)); }
inline void copy8(const float* from, Half* to) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm256_cvtps_ph(_mm256_loadu_ps(from), _MM_FROUND_TO_NEAREST_INT));
}

// Each of four vectors summed up, side by side.
inline __m128 sums_of(__m256 a, __m256 b, __m256 c, __m256 d) {
  const __m256 sums = _mm256_hadd_ps(_mm256_hadd_ps(a, b), _mm256_hadd_ps(c, d));
  return _mm_add_ps(_mm256_castps256_ps128(sums), _mm256_extractf128_ps(sums, 1));
}

// scores[t] = query . keys[t] + bias[t]. Reads and writes scores up to the next multiple of 4.
template <class Number, int W>
inline void score(const float* query, const Number* keys, const float* bias, int64_t length, int64_t width,
                  float* scores) {
  const int64_t num_eights = W ? W : width / 8;
  int64_t t = 0;
  for (; t + 4 <= length; t += 4) {
    const Number* key = keys + t * width;
    __m256 sums[4] = {_mm256_setzero_ps(), _mm256_setzero_ps(), _mm256_setzero_ps(), _mm256_setzero_ps()};
#pragma GCC unroll 8
    for (int64_t i = 0; i < num_eights; ++i) {
      const __m256 part = _mm256_loadu_ps(query + 8 * i);
#pragma GCC unroll 4
      for (int j = 0; j < 4; ++j) sums[j] = _mm256_fmadd_ps(part, load8(key + j * width + 8 * i), sums[j]);
    }
    const __m128 found = sums_of(sums[0], sums[1], sums[2], sums[3]);
    _mm_storeu_ps(scores + t, bias ? _mm_add_ps(found, _mm_loadu_ps(bias + t)) : found);
  }
  for (; t < length; ++t) {
    __m256 sum = _mm256_setzero_ps();
    for (int64_t i = 0; i < num_eights; ++i)
      sum = _mm256_fmadd_ps(_mm256_loadu_ps(query + 8 * i), load8(keys + t * width + 8 * i), sum);
    // in the order of sums_of, so that a key's score does not depend on where it stands
    const __m128 found = sums_of(sum, sum, sum, sum);
    scores[t] = _mm_cvtss_f32(found) + (bias ? bias[t] : 0.0f);
  }
}

// Turns scores into e**(score - largest), and returns their sum. Writes up to the next multiple of 8.
inline float weigh(float* scores, int64_t length) {
  float highest = -std::numeric_limits<float>::infinity();
  for (int64_t t = 0; t < length; ++t) highest = scores[t] > highest ? scores[t] : highest;
  for (int64_t t = length; t % 8; ++t) scores[t] = -std::numeric_limits<float>::infinity();
  __m256 total = _mm256_setzero_ps();
  for (int64_t t = 0; t < length; t += 8) {
    const __m256 weight = exp_of(_mm256_sub_ps(_mm256_loadu_ps(scores + t), _mm256_set1_ps(highest)));
    _mm256_storeu_ps(scores + t, weight);
    total = _mm256_add_ps(total, weight);
  }
  return sum_of(total);
}

// out = sum over t of weights[t] values[t], times `factor`.
template <class Number, int W>
inline void mix(const float* weights, const Number* values, int64_t length, int64_t width, float factor, float* out) {
  const int64_t num_eights = W ? W : width / 8;
  for (int64_t first = 0; first < num_eights; first += 8) {
    const int64_t count = W ? W : (num_eights - first < 8 ? num_eights - first : 8);
    __m256 sums[8] = {};
    for (int64_t t = 0; t < length; ++t) {
      const __m256 weight = _mm256_broadcast_ss(weights + t);
      const Number* value = values + t * width + 8 * first;
#pragma GCC unroll 8
      for (int64_t i = 0; i < count; ++i) sums[i] = _mm256_fmadd_ps(weight, load8(value + 8 * i), sums[i]);
    }
#pragma GCC unroll 8
    for (int64_t i = 0; i < count; ++i)
      _mm256_storeu_ps(out + 8 * (first + i), _mm256_mul_ps(sums[i], _mm256_set1_ps(factor)));
  }
}

// scores: room for `length` numbers and 8 more.
template <class Number>
inline void attend(const float* query, const Number* keys, const Number* values, const float* bias, int64_t length,
                   int64_t width, float* scores, float* out) {
  if (width == 64) {
    score<Number, 8>(query, keys, bias, length, width, scores);
    const float total = weigh(scores, length);
    mix<Number, 8>(scores, values, length, width, 1.0f / total, out);
  } else {
    score<Number, 0>(query, keys, bias, length, width, scores);
    const float total = weigh(scores, length);
    mix<Number, 0>(scores, values, length, width, 1.0f / total, out);
  }
}
