// What the layers of encoder and decoder have in common: norm, products, feed-forward, over rows that a team shares.
// Knows no attention, no caches.
#pragma once

#include <cstdint>
#include <utility>

#include "linear.h"
#include "rows.h"
#include "team.h"

// Sizes of a model's layers; all widths are multiples of 8.
struct Sizes {
  int64_t d_model, num_heads, width, d_ff;
  int64_t is_gated, activation;
  float epsilon;

  int64_t d_attention() const { return num_heads * width; }
};

struct FeedForwardView {
  const float* norm;
  LinearView up, down;
};

// Hands out parts of a scratch memory, 64 bytes aligned where its begin is; counts alone when begin is null.
class Scratch {
 public:
  explicit Scratch(float* begin) : begin_(begin) {}
  float* take(int64_t count) {
    const int64_t from = std::exchange(num_taken_, num_taken_ + (count + 15) / 16 * 16);
    return begin_ == nullptr ? nullptr : begin_ + from;
  }
  int64_t num_taken() const { return num_taken_; }

 private:
  float* begin_;
  int64_t num_taken_ = 0;
};

// Where rows are on their way through a layer.
struct Workspace {
  float *inputs, *outputs;
  uint8_t* bytes;
  Rounding* roundings;

  Workspace(const Sizes& sizes, int64_t num_rows, Scratch& scratch) {
    const auto larger = [](int64_t a, int64_t b) { return a > b ? a : b; };
    const int64_t widest_input = larger(sizes.d_model, larger(sizes.d_ff, sizes.d_attention()));
    const int64_t widest_output = larger(3 * sizes.d_attention(), (sizes.is_gated ? 2 : 1) * sizes.d_ff) + kPanel;
    inputs = scratch.take(num_rows * widest_input);
    outputs = scratch.take(num_rows * widest_output);
    bytes = reinterpret_cast<uint8_t*>(scratch.take(num_rows * widest_input / 4 + 16));
    roundings = reinterpret_cast<Rounding*>(scratch.take(2 * num_rows));
  }
};

// One thread's part in a layer; every method but `normed` ends at a barrier. x is what goes from layer to layer.
template <class Threads>
class Block {
 public:
  Block(const Sizes& sizes, float* x, int64_t num_rows, const Workspace& work, int rank, Threads& threads)
      : sizes(sizes), x(x), num_rows(num_rows), work(work), rank(rank), threads(threads),
        rows(num_rows, rank, threads.size()) {}

  void feed_forward(const FeedForwardView& layer) {
    norm(layer.norm, layer.up);
    product(layer.up, work.outputs);
    for (int64_t row = rows.begin; row < rows.end; ++row) {
      const float* up = work.outputs + row * (sizes.is_gated ? 2 : 1) * sizes.d_ff;
      activate_row(up, sizes.d_ff, sizes.is_gated, sizes.activation, work.inputs + row * sizes.d_ff);
      round(row, layer.down);
    }
    threads.barrier();
    add_product(layer.down);
  }

  void normed(int64_t row, const float* weight, float* out) const {
    norm_row(x + row * sizes.d_model, weight, sizes.d_model, sizes.epsilon, out + row * sizes.d_model);
  }

  // x, normed, becomes the inputs of `next`.
  void norm(const float* weight, const LinearView& next) {
    for (int64_t row = rows.begin; row < rows.end; ++row) {
      normed(row, weight, work.inputs);
      round(row, next);
    }
    threads.barrier();
  }

  void product(const LinearView& linear, float* out) {
    const Share panels(linear.num_panels, rank, threads.size());
    multiply(rows_in(), num_rows, linear, panels.begin, panels.end, Store{out, linear.num_panels * kPanel});
    threads.barrier();
  }

  // What attention left in the inputs, times its output weights, is added to x.
  void add_seen(const LinearView& out) {
    if (out.scales != nullptr) {
      for (int64_t row = rows.begin; row < rows.end; ++row) round(row, out);
      threads.barrier();
    }
    add_product(out);
  }

  const Sizes& sizes;
  float* const x;
  const int64_t num_rows;
  const Workspace& work;
  const int rank;
  Threads& threads;
  const Share rows;

 private:
  Rows rows_in() const { return {work.inputs, work.bytes, work.roundings}; }

  void round(int64_t row, const LinearView& next) {
    if (next.scales == nullptr) return;
    const int64_t length = next.num_inputs;
    work.roundings[row] = round_row(work.inputs + row * length, length, work.bytes + row * length);
  }

  void add_product(const LinearView& linear) {
    const Share panels(linear.num_panels, rank, threads.size());
    multiply(rows_in(), num_rows, linear, panels.begin, panels.end, Add{x, sizes.d_model});
    threads.barrier();
  }
};
