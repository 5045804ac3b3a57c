// A T5 decoder step for all running rows: one call, one meeting of threads, no allocation.
//
// Knows pointers that Python laid out (serving/native/library.py has the same structures); owns no memory but its
// threads. serving/t5.py is the same computation in PyTorch, and says why.

#include <cstdint>
#include <type_traits>

#include "attention.h"
#include "block.h"

struct DecoderLayerView {
  const float *self_norm, *cross_norm;
  LinearView qkv, self_out, cross_q, cross_out;
  FeedForwardView feed_forward;
  void *self_keys, *self_values, *cross_keys, *cross_values;  // [slot][head][length][width]
};

struct DecoderView {
  Sizes sizes;
  const DecoderLayerView* layers;
  int64_t num_layers;
  const float* embedding;   // [vocabulary][d_model]
  const float* final_norm;
  const float* bias;        // [head][2 * max_target]: see T5.decoder_bias
  int64_t max_source, max_target;
  int64_t holds_halves;     // whether keys and values are float16
};

struct StepView {
  const int64_t *tokens, *positions, *num_sources;  // of each row
  int64_t num_rows, num_threads;
  float* states;    // [row][d_model]: what the output layer reads
  float* scratch;   // t5_step_scratch(...) numbers
};

namespace {

struct StepSpace {
  Scratch scratch;
  float* x;
  Workspace work;
  int64_t scores_each;
  float* scores;

  StepSpace(const DecoderView& of, int64_t num_rows, int64_t num_threads, float* begin)
      : scratch(begin), x(scratch.take(num_rows * of.sizes.d_model)), work(of.sizes, num_rows, scratch),
        scores_each((of.max_source > of.max_target ? of.max_source : of.max_target) / 16 * 16 + 32),
        scores(scratch.take(num_threads * scores_each)) {}
};

template <class Threads, class Number>
class Step {
 public:
  Step(const DecoderView& decoder, const StepView& step, const StepSpace& space, int rank, Threads& threads)
      : decoder_(decoder), step_(step), block_(decoder.sizes, space.x, step.num_rows, space.work, rank, threads),
        scores_(space.scores + rank * space.scores_each) {}

  void run() {
    const int64_t d_model = decoder_.sizes.d_model;
    for (int64_t row = block_.rows.begin; row < block_.rows.end; ++row)
      for (int64_t i = 0; i < d_model; i += 8)
        copy8(decoder_.embedding + step_.tokens[row] * d_model + i, block_.x + row * d_model + i);
    for (int64_t index = 0; index < decoder_.num_layers; ++index) {
      const DecoderLayerView& layer = decoder_.layers[index];
      block_.norm(layer.self_norm, layer.qkv);
      block_.product(layer.qkv, block_.work.outputs);
      attend_self(layer);
      block_.add_seen(layer.self_out);
      block_.norm(layer.cross_norm, layer.cross_q);
      block_.product(layer.cross_q, block_.work.outputs);
      attend_source(layer);
      block_.add_seen(layer.cross_out);
      block_.feed_forward(layer.feed_forward);
    }
    for (int64_t row = block_.rows.begin; row < block_.rows.end; ++row)
      block_.normed(row, decoder_.final_norm, step_.states);
  }

 private:
  // Rows and heads are dealt out one by one: rows differ in length.
  template <class Attend>
  void each_head(const Attend& attend) {
    const int64_t num_heads = decoder_.sizes.num_heads;
    for (int64_t piece = block_.rank; piece < step_.num_rows * num_heads; piece += block_.threads.size())
      attend(piece / num_heads, piece % num_heads, piece);
    block_.threads.barrier();
  }

  void attend_self(const DecoderLayerView& layer) {
    const int64_t width = decoder_.sizes.width, max_target = decoder_.max_target;
    const int64_t d_attention = decoder_.sizes.d_attention();
    each_head([&](int64_t row, int64_t head, int64_t piece) {
      const int64_t position = step_.positions[row];
      const float* query = block_.work.outputs + row * 3 * d_attention + head * width;
      Number* keys = static_cast<Number*>(layer.self_keys) + piece * max_target * width;
      Number* values = static_cast<Number*>(layer.self_values) + piece * max_target * width;
      for (int64_t i = 0; i < width; i += 8) {
        copy8(query + d_attention + i, keys + position * width + i);
        copy8(query + 2 * d_attention + i, values + position * width + i);
      }
      const float* bias = decoder_.bias + head * 2 * max_target + max_target - 1 - position;
      attend(query, keys, values, bias, position + 1, width, scores_, seen(row, head));
    });
  }

  void attend_source(const DecoderLayerView& layer) {
    const int64_t width = decoder_.sizes.width, room = decoder_.max_source * width;
    const int64_t d_attention = decoder_.sizes.d_attention();
    each_head([&](int64_t row, int64_t head, int64_t piece) {
      const float* query = block_.work.outputs + row * d_attention + head * width;
      const Number* keys = static_cast<const Number*>(layer.cross_keys) + piece * room;
      const Number* values = static_cast<const Number*>(layer.cross_values) + piece * room;
      attend(query, keys, values, nullptr, step_.num_sources[row], width, scores_, seen(row, head));
    });
  }

  float* seen(int64_t row, int64_t head) {
    return block_.work.inputs + row * decoder_.sizes.d_attention() + head * decoder_.sizes.width;
  }

  const DecoderView& decoder_;
  const StepView& step_;
  Block<Threads> block_;
  float* const scores_;
};

}  // namespace

extern "C" {

// float32 numbers of scratch that a step of so many rows and threads needs.
int64_t t5_step_scratch(const DecoderView* decoder, int64_t num_rows, int64_t num_threads) {
  return StepSpace(*decoder, num_rows, num_threads, nullptr).scratch.num_taken();
}

void t5_step(const DecoderView* decoder, const StepView* step) {
  const StepSpace space(*decoder, step->num_rows, step->num_threads, step->scratch);
  Team::run(static_cast<int>(step->num_threads), [&](int rank, auto& threads) {
    using Threads = std::remove_reference_t<decltype(threads)>;
    if (decoder->holds_halves)
      Step<Threads, Half>(*decoder, *step, space, rank, threads).run();
    else
      Step<Threads, float>(*decoder, *step, space, rank, threads).run();
  });
}

}  // extern "C"
