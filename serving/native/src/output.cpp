// Products over whole batches, and the likeliest token of each row. Knows pointers that Python laid out; no caches.

#include <cmath>
#include <cstdint>
#include <limits>

#include "linear.h"
#include "rows.h"
#include "team.h"

// The output layer, screened in int8: see serving/products/panels.py, PanelScreen.
struct ScreenView {
  LinearView screen;
  const float* weight;       // [output][input], float32
  int64_t num_outputs;
  float most_lost, most_kept, slack;
};

namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

struct Best {
  float score;
  int64_t output;
};

void round_rows(const float* x, int64_t num_inputs, const Share& rows, uint8_t* bytes, Rounding* roundings) {
  for (int64_t row = rows.begin; row < rows.end; ++row)
    roundings[row] = round_row(x + row * num_inputs, num_inputs, bytes + row * num_inputs);
}

// At most so much does a screened score differ from the true one: |w - w'| |x| + |w'| |x - x'|, and float32's rounding.
float largest_error(const float* x, const uint8_t* bytes, const Rounding& rounding, const ScreenView& of) {
  float lost = 0, size = 0;
  for (int64_t i = 0; i < of.screen.num_inputs; ++i) {
    const float gone = x[i] - (rounding.lowest + rounding.step * bytes[i]);
    lost += gone * gone;
    size += x[i] * x[i];
  }
  size = std::sqrt(size);
  return of.most_lost * size + of.most_kept * (std::sqrt(lost) + of.slack * size);
}

// The output that looks best in the screened scores; -1 where none is a number.
int64_t best_looking(const float* scores, int64_t count) {
  int64_t best = -1;
  float highest = -std::numeric_limits<float>::infinity();
  for (int64_t begin = 0; begin < count; begin += 64) {
    const int64_t end = begin + 64 < count ? begin + 64 : count;
    float peak = -std::numeric_limits<float>::infinity();
    for (int64_t i = begin; i < end; ++i) peak = scores[i] > peak ? scores[i] : peak;
    if (!(peak > highest)) continue;
    highest = peak;
    for (best = begin; scores[best] != peak;) ++best;
  }
  return best;
}

// The output with the largest true score, the first where several have it; NaN where row or weights are not finite.
Best best_of_row(const float* x, const uint8_t* bytes, const Rounding& rounding, const float* scores,
                 const ScreenView& of) {
  const int64_t num_inputs = of.screen.num_inputs;
  const int64_t looks_best = std::isfinite(rounding.step) ? best_looking(scores, of.num_outputs) : -1;
  if (looks_best < 0) return {kNaN, 0};
  Best best{dot(of.weight + looks_best * num_inputs, x, num_inputs), looks_best};
  // whatever is below this cannot reach the score of the one that looked best
  const float least = best.score - largest_error(x, bytes, rounding, of);
  if (std::isnan(least)) return {kNaN, 0};  // some weight is no number, so neither is some score
  for (int64_t output = 0; output < of.num_outputs; ++output) {
    if (!(scores[output] >= least) || output == looks_best) continue;
    const float score = dot(of.weight + output * num_inputs, x, num_inputs);
    if (score > best.score || (score == best.score && output < best.output)) best = {score, output};
  }
  return best;
}

}  // namespace

extern "C" {

// out [row][16 * num_panels] = x [row][input] times the weight. bytes: num_rows * num_inputs; roundings: one a row.
void t5_linear(const LinearView* linear, const float* x, int64_t num_rows, float* out, uint8_t* bytes,
               Rounding* roundings, int64_t num_threads) {
  Team::run(static_cast<int>(num_threads), [&](int rank, auto& threads) {
    if (linear->scales != nullptr) {
      round_rows(x, linear->num_inputs, Share(num_rows, rank, threads.size()), bytes, roundings);
      threads.barrier();
    }
    const Share panels(linear->num_panels, rank, threads.size());
    multiply({x, bytes, roundings}, num_rows, *linear, panels.begin, panels.end,
             Store{out, linear->num_panels * kPanel});
  });
}

// The likeliest output of each row, and its score. scores: num_rows * 16 * num_panels numbers of scratch.
void t5_best(const ScreenView* of, const float* x, int64_t num_rows, float* scores, uint8_t* bytes,
             Rounding* roundings, int64_t* outputs, float* best_scores, int64_t num_threads) {
  Team::run(static_cast<int>(num_threads), [&](int rank, auto& threads) {
    const int64_t num_inputs = of->screen.num_inputs, width = of->screen.num_panels * kPanel;
    const Share rows(num_rows, rank, threads.size());
    round_rows(x, num_inputs, rows, bytes, roundings);
    threads.barrier();
    const Share panels(of->screen.num_panels, rank, threads.size());
    multiply({x, bytes, roundings}, num_rows, of->screen, panels.begin, panels.end, Store{scores, width});
    threads.barrier();
    for (int64_t row = rows.begin; row < rows.end; ++row) {
      const Best best = best_of_row(x + row * num_inputs, bytes + row * num_inputs, roundings[row],
                                    scores + row * width, *of);
      outputs[row] = best.output;
      best_scores[row] = best.score;
    }
  });
}

}  // extern "C"
