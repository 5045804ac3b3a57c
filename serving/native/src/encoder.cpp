// A T5 encoder layer over whole prompts, one after another: one call, no allocation.
//
// Knows pointers that Python laid out; see decoder.cpp. A prompt's states do not depend on the prompts beside it.

#include <cstdint>

#include "attention.h"
#include "block.h"

struct EncoderLayerView {
  Sizes sizes;
  const float* norm;
  LinearView qkv, out;
  FeedForwardView feed_forward;
};

struct PromptsView {
  float* x;                 // [token][d_model], of all prompts; the layer's result takes its place
  const int64_t* lengths;
  int64_t num_prompts, num_tokens, longest;
  const float* bias;        // [head][room][room]: of a key for a query, by their places
  int64_t room;
  int64_t num_threads;
  float* scratch;           // t5_encoder_scratch(...) numbers
};

namespace {

constexpr int64_t kQueries = kFloatRows;

int64_t in_panels(int64_t count) { return (count + kPanel - 1) / kPanel * kPanel; }

struct EncoderSpace {
  Scratch scratch;
  Workspace work;
  int64_t numbers_each;
  float* numbers;

  EncoderSpace(const Sizes& sizes, int64_t num_tokens, int64_t longest, int64_t num_threads, float* begin)
      : scratch(begin), work(sizes, num_tokens, scratch),
        numbers_each(in_panels(longest) * (sizes.width + in_panels(sizes.width) + kQueries) + 16),
        numbers(scratch.take(num_threads * numbers_each)) {}
};

// One head of one prompt: its keys and values in panels, then products as with weights.
class Head {
 public:
  // queries, keys, values: rows of `stride` numbers. numbers: room for keys, values and scores.
  Head(const float* queries, int64_t stride, int64_t d_attention, int64_t length, int64_t width, float* numbers)
      : queries_(queries), stride_(stride), length_(length), width_(width), padded_(in_panels(length)),
        keys_(numbers), values_(keys_ + padded_ * width), scores_(values_ + padded_ * in_panels(width)) {
    const float* keys = queries + d_attention;
    const float* values = queries + 2 * d_attention;
    for (int64_t t = 0; t < padded_; ++t) {
      float* to = keys_ + t / kPanel * kPanel * width + t % kPanel;
      for (int64_t i = 0; i < width; ++i) to[i * kPanel] = t < length ? keys[t * stride + i] : 0.0f;
    }
    for (int64_t i = 0; i < in_panels(width); ++i) {
      float* to = values_ + i / kPanel * kPanel * length + i % kPanel;
      for (int64_t t = 0; t < length; ++t) to[t * kPanel] = i < width ? values[t * stride + i] : 0.0f;
    }
  }

  // bias: [query][room]. out: rows of `out_stride` numbers.
  void attend(const float* bias, int64_t room, float* out, int64_t out_stride) {
    for (int64_t first = 0; first < length_; first += kQueries) {
      const int64_t count = length_ - first < kQueries ? length_ - first : kQueries;
      for (int64_t panel = 0; panel < padded_ / kPanel; ++panel)
        float_rows(count, queries_ + first * stride_, stride_, width_, keys_ + panel * kPanel * width_,
                   [&](int64_t r, __m256 left, __m256 right) { Store{scores_, padded_}(r, panel, left, right); }, 0);
      float factors[kQueries];
      for (int64_t r = 0; r < count; ++r) {
        float* scores = scores_ + r * padded_;
        const float* of_query = bias + (first + r) * room;
        for (int64_t t = 0; t < length_; ++t) scores[t] += of_query[t];
        factors[r] = 1.0f / weigh(scores, length_);
      }
      for (int64_t panel = 0; panel < in_panels(width_) / kPanel; ++panel)
        float_rows(count, scores_, padded_, length_, values_ + panel * kPanel * length_,
                   [&](int64_t r, __m256 left, __m256 right) {
                     const __m256 factor = _mm256_set1_ps(factors[r]);
                     float* to = out + (first + r) * out_stride + panel * kPanel;
                     _mm256_storeu_ps(to, _mm256_mul_ps(left, factor));
                     if (panel * kPanel + 8 < width_) _mm256_storeu_ps(to + 8, _mm256_mul_ps(right, factor));
                   }, 0);
    }
  }

 private:
  const float* queries_;
  const int64_t stride_, length_, width_, padded_;
  float *keys_, *values_, *scores_;
};

template <class Threads>
void attend_all(const Sizes& sizes, const PromptsView& prompts, Block<Threads>& block, float* numbers) {
  const int64_t d_attention = sizes.d_attention(), stride = 3 * d_attention;
  int64_t piece = 0, begin = 0;
  for (int64_t prompt = 0; prompt < prompts.num_prompts; ++prompt) {
    const int64_t length = prompts.lengths[prompt];
    for (int64_t head = 0; head < sizes.num_heads; ++head, ++piece) {
      if (piece % block.threads.size() != block.rank) continue;
      const float* queries = block.work.outputs + begin * stride + head * sizes.width;
      Head(queries, stride, d_attention, length, sizes.width, numbers)
          .attend(prompts.bias + head * prompts.room * prompts.room, prompts.room,
                  block.work.inputs + begin * d_attention + head * sizes.width, d_attention);
    }
    begin += length;
  }
  block.threads.barrier();
}

}  // namespace

extern "C" {

// float32 numbers of scratch for so many tokens in prompts of at most `longest`.
int64_t t5_encoder_scratch(const EncoderLayerView* layer, int64_t num_tokens, int64_t longest, int64_t num_threads) {
  return EncoderSpace(layer->sizes, num_tokens, longest, num_threads, nullptr).scratch.num_taken();
}

void t5_encode(const EncoderLayerView* layer, const PromptsView* prompts) {
  const Sizes& sizes = layer->sizes;
  const EncoderSpace space(sizes, prompts->num_tokens, prompts->longest, prompts->num_threads, prompts->scratch);
  Team::run(static_cast<int>(prompts->num_threads), [&](int rank, auto& threads) {
    Block block(sizes, prompts->x, prompts->num_tokens, space.work, rank, threads);
    block.norm(layer->norm, layer->qkv);
    block.product(layer->qkv, block.work.outputs);
    attend_all(sizes, *prompts, block, space.numbers + rank * space.numbers_each);
    block.add_seen(layer->out);
    block.feed_forward(layer->feed_forward);
  });
}

}  // extern "C"
