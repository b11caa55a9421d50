// WaveNet, sample by sample, on one core. Built at first use by native.py, once per level of instructions.
//
// One source for all levels: vectors of 16 floats are GCC's own, which it cuts into what the machine has. A product
// walks through its matrix from front to back in panels of 64 outputs whose sums stay in registers; several streams
// share each load of a weight. Matrices lie in the order of use, so that the hardware fetches ahead of us.

#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>
#if defined(__AVX512VNNI__)
#include <immintrin.h>
#endif

#define INLINE static inline __attribute__((always_inline))

typedef float Floats __attribute__((vector_size(64)));
typedef int32_t Ints __attribute__((vector_size(64)));
typedef uint32_t Words __attribute__((vector_size(64)));
constexpr int LANES = 16, PANEL = 64, WIDEST = 512;

extern "C" {

// Widths are multiples of 16. weights: all matrices in the order of use, packed by native.py; scales and corrections
// (of int8 weights) hold a number per output of every matrix. mixtures is 0 for a softmax.
struct Network {
    int32_t layers, residual, skip, hidden, parameters, choices, classes, mixtures, scalar;
    float least_log_scale;
    const int32_t* dilations;
    const float *now, *before;
    const void* weights;
    const float *residual_bias, *skip_bias, *hidden_bias, *head_bias, *scales;
    const int32_t* corrections;
};

// The past of a few streams: per layer `dilation` slots of streams x residual numbers; for int8 with a scale each.
struct Memory {
    int64_t time;
    void* rings;
    float* ring_scales;
    int32_t* last;
};

// What to make: streams x samples. Rows of biases: frame after frame, each layers x 2 residual, per stream.
struct Task {
    int64_t samples, frames, hold, offset;
    double temperature;
    const double* uniforms;
    const float* biases;
    int32_t* codes;
    float* logits;
    int32_t drawing;
};
}

namespace {

INLINE Floats all(float value) { return Floats{} + value; }
INLINE Floats load(const float* from) { Floats v; memcpy(&v, from, 64); return v; }
INLINE void store(float* to, Floats v) { memcpy(to, &v, 64); }
template <class Number>
INLINE void copy(Number* to, const Number* from, int count) {
    for (int c = 0; c < count; c += LANES) memcpy(to + c, from + c, LANES * sizeof(Number));
}
INLINE Floats larger(Floats a, Floats b) { return a > b ? a : b; }
INLINE Floats smaller(Floats a, Floats b) { return a < b ? a : b; }

// e to the x, x clipped to +-limit: 2^k by its bits, the rest (at most half of log 2) by its series. Error about 1e-7.
INLINE Floats exponential(Floats x, float limit) {
    x = smaller(larger(x, all(-limit)), all(limit));
    const Floats magic = all(12582912.0f);  // adding it rounds to a whole number
    Floats shifted = x * 1.44269504f + magic;
    Floats k = shifted - magic;
    Floats r = x - k * 0.693359375f + k * 2.12194440e-4f;
    Floats sum = all(1.0f / 720);
    sum = sum * r + 1.0f / 120;
    sum = sum * r + 1.0f / 24;
    sum = sum * r + 1.0f / 6;
    sum = sum * r + 0.5f;
    sum = sum * r + 1.0f;
    sum = sum * r + 1.0f;
    Ints bits = (Ints)shifted << 23;  // the whole number lies in the lowest bits of the mantissa
    return (Floats)((Ints)sum + bits);
}

// The largest of floats that are not negative, given as their bits.
INLINE float largest_of(Ints bits) {
    typedef int32_t Eight __attribute__((vector_size(32)));
    typedef int32_t Four __attribute__((vector_size(16)));
    Eight halves[2];
    memcpy(halves, &bits, 64);
    const Eight eight = halves[0] > halves[1] ? halves[0] : halves[1];
    Four quarters[2];
    memcpy(quarters, &eight, 32);
    Four four = quarters[0] > quarters[1] ? quarters[0] : quarters[1];
    Four turned = __builtin_shuffle(four, Four{2, 3, 0, 1});
    four = four > turned ? four : turned;
    turned = __builtin_shuffle(four, Four{1, 0, 3, 2});
    four = four > turned ? four : turned;
    float largest;
    memcpy(&largest, &four, 4);
    return largest;
}

// --- Weights in three precisions. `Number` is what activations become; `add` does sums += numbers x matrix. ---

struct Float32 {
    using Weight = float;
    using Number = float;
    static constexpr bool scaled = false;
    static constexpr int step = 1, packed = 1;

    INLINE void encode(const float* x, int width, Number* to, float&) { copy(to, x, width); }

    template <int BLOCKS, int STREAMS, int PARTS>
    INLINE void panel(const Weight* w, const Number* x, int inputs, Floats (*sums)[STREAMS][BLOCKS]) {
        for (int i = 0; i < inputs; i += 2)
            for (int part = 0; part < 2; ++part, w += PANEL)
                for (int b = 0; b < BLOCKS; ++b) {
                    Floats weight = load(w + b * LANES);
                    for (int s = 0; s < STREAMS; ++s) sums[part % PARTS][s][b] += weight * x[s * WIDEST + i + part];
                }
    }
};

// Two inputs' weights in a word: the even one's bits lie low and are shifted up; the odd one is read with them as its
// tail, which native.py has in mind when it rounds.
struct BFloat16 {
    using Weight = uint32_t;
    using Number = float;
    static constexpr bool scaled = false;
    static constexpr int step = 1, packed = 2;

    INLINE void encode(const float* x, int width, Number* to, float&) { copy(to, x, width); }

    template <int BLOCKS, int STREAMS, int PARTS>
    INLINE void panel(const Weight* w, const Number* x, int inputs, Floats (*sums)[STREAMS][BLOCKS]) {
        for (int i = 0; i < inputs; i += 2, w += PANEL)
            for (int b = 0; b < BLOCKS; ++b) {
                Words both;
                memcpy(&both, w + b * LANES, 64);
                Floats even = (Floats)(both << 16), odd = (Floats)both;
                for (int s = 0; s < STREAMS; ++s) {
                    sums[0][s][b] += even * x[s * WIDEST + i];
                    sums[PARTS - 1][s][b] += odd * x[s * WIDEST + i + 1];
                }
            }
    }
};

// Activations become 8 bits with a scale per vector, and are shifted by 128 to be positive, as the instruction wants.
struct Int8 {
    using Weight = int8_t;
    using Number = uint8_t;
    static constexpr bool scaled = true;
    static constexpr int step = 4, packed = 1;

    INLINE void encode(const float* x, int width, Number* to, float& scale) {
        // Bits of positive floats compare as whole numbers do, and that takes the processor one cycle.
        Ints most = {};
        for (int c = 0; c < width; c += LANES) {
            const Ints size = (Ints)load(x + c) & 0x7FFFFFFF;
            most = size > most ? size : most;
        }
        const float largest = 1e-20f + largest_of(most);
        scale = largest * (1.0f / 127);
        const float inverse = 127 / largest;
        for (int c = 0; c < width; c += LANES) {
            Floats shifted = load(x + c) * inverse + (12582912.0f + 128);  // rounds; the value lies in the lowest byte
#if defined(__AVX512F__)  // of which GCC makes 32 instructions when it is not told
            const __m128i bytes = _mm512_cvtepi32_epi8((__m512i)shifted);
#else
            typedef uint8_t Bytes __attribute__((vector_size(16)));
            const Bytes bytes = __builtin_convertvector((Ints)shifted, Bytes);
#endif
            memcpy(to + c, &bytes, 16);
        }
    }

    INLINE Ints dot(Ints sums, const Weight* w, const Number* x) {
#if defined(__AVX512VNNI__)
        int32_t four;
        memcpy(&four, x, 4);
        return (Ints)_mm512_dpbusd_epi32((__m512i)sums, _mm512_set1_epi32(four), _mm512_loadu_si512(w));
#else
        int32_t total[LANES];
        for (int lane = 0; lane < LANES; ++lane, w += 4)
            total[lane] = x[0] * w[0] + x[1] * w[1] + x[2] * w[2] + x[3] * w[3];
        Ints added;
        memcpy(&added, total, 64);
        return sums + added;
#endif
    }

    template <int BLOCKS, int STREAMS, int PARTS>
    INLINE void panel(const Weight* w, const Number* x, int inputs, Ints (*sums)[STREAMS][BLOCKS]) {
        for (int i = 0; i < inputs; i += 4, w += 4 * PANEL)
            for (int b = 0; b < BLOCKS; ++b)
                for (int s = 0; s < STREAMS; ++s)
                    sums[0][s][b] = dot(sums[0][s][b], w + 4 * b * LANES, x + s * WIDEST + i);
    }
};

// A vector of activations per stream, ready for products.
template <class P, int STREAMS>
struct Activations {
    alignas(64) typename P::Number values[STREAMS][WIDEST];
    float scale[STREAMS];
};

template <class P, int STREAMS>
INLINE void encode(const float (*x)[WIDEST], int width, Activations<P, STREAMS>& to) {
    for (int s = 0; s < STREAMS; ++s) P::encode(x[s], width, to.values[s], to.scale[s]);
}

// Where the next matrix begins.
template <class P>
struct Cursor {
    const typename P::Weight* weights;
    const float* scales;
    const int32_t* corrections;
};

// Adds to sums of `BLOCKS` vectors, a part of a panel or all of it. One stream has two sums for each output, so that
// an addition need not wait for the one before.
template <class P, int BLOCKS, int STREAMS>
INLINE void add_part(
    const typename P::Weight* weights, const Cursor<P>& at, const Activations<P, STREAMS>& x, int inputs,
    float (*sums)[WIDEST], int first) {
    constexpr int PARTS = STREAMS == 1 && !P::scaled ? 2 : 1;
    using Sum = std::conditional_t<P::scaled, Ints, Floats>;
    Sum totals[PARTS][STREAMS][BLOCKS] = {};
    if constexpr (P::scaled)
        for (int b = 0; b < BLOCKS; ++b)
            for (int s = 0; s < STREAMS; ++s) memcpy(&totals[0][s][b], at.corrections + b * LANES, 64);
    P::template panel<BLOCKS, STREAMS, PARTS>(weights, x.values[0], inputs, totals);
    for (int b = 0; b < BLOCKS; ++b)
        for (int s = 0; s < STREAMS; ++s) {
            float* to = sums[s] + first + b * LANES;
            if constexpr (P::scaled) {
                Floats total = __builtin_convertvector(totals[0][s][b], Floats);
                store(to, load(to) + total * (load(at.scales + b * LANES) * x.scale[s]));
            } else {
                Floats total = totals[0][s][b];
                if (PARTS == 2) total += totals[PARTS - 1][s][b];
                store(to, load(to) + total);
            }
        }
}

// sums += x times the matrix at the cursor, which moves on.
template <class P, int STREAMS>
__attribute__((noinline)) void add_product(
    Cursor<P>& at, const Activations<P, STREAMS>& x, int inputs, int outputs, float (*sums)[WIDEST]) {
#if defined(__AVX512F__)
    constexpr int BLOCKS = PANEL / LANES;
#else  // 16 registers of half a vector or less
    constexpr int BLOCKS = STREAMS == 1 ? 2 : 1;
#endif
    for (int first = 0; first < outputs; first += PANEL) {
        for (int part = 0; part < PANEL; part += BLOCKS * LANES) {
            add_part<P, BLOCKS>(at.weights + part * P::step, at, x, inputs, sums, first + part);
            at.scales += BLOCKS * LANES;
            at.corrections += BLOCKS * LANES;
        }
        at.weights += inputs * PANEL / P::packed;
    }
}

int32_t nearest(double value, int32_t classes) {
    value = value < -1 ? -1 : value > 1 ? 1 : value;
    return int32_t(std::floor((value + 1) * ((classes - 1) / 2.0) + 0.5));
}

// The code that a uniform in [0, 1) picks; logits are lost.
int32_t draw(const Network& net, float* logits, double uniform, double temperature) {
    const int count = net.mixtures ? net.mixtures : net.choices;
    int best = 0;
    for (int c = 1; c < count; ++c)
        if (logits[c] > logits[best]) best = c;
    const float* means = logits + net.mixtures;
    const float* log_scales = means + net.mixtures;
    if (temperature == 0) return net.mixtures ? nearest(means[best], net.classes) : best;
    alignas(64) float odds[WIDEST];
    double parts[WIDEST / LANES], total = 0;
    const Floats highest = all(logits[best]);
    for (int c = 0, part = 0; c < count; c += LANES, ++part) {
        Floats each = exponential((load(logits + c) - highest) * float(1 / temperature), 87);
        store(odds + c, each);
        double sum = 0;
        for (int lane = 0; lane < LANES && c + lane < count; ++lane) sum += odds[c + lane];
        total += parts[part] = sum;
    }
    const double target = uniform * total;
    double end = 0;
    int chosen = 0;
    while (chosen + LANES < count && end + parts[chosen / LANES] <= target) {
        end += parts[chosen / LANES];
        chosen += LANES;
    }
    while ((end += odds[chosen]) <= target && chosen + 1 < count) ++chosen;
    if (!net.mixtures) return chosen;
    double rest = 1 - (end - target) / odds[chosen];
    rest = rest < 1e-9 ? 1e-9 : rest > 1 - 1e-9 ? 1 - 1e-9 : rest;
    double log_scale = log_scales[chosen];
    log_scale = log_scale < net.least_log_scale ? net.least_log_scale : log_scale > M_LN10 ? M_LN10 : log_scale;
    const double quantile = std::log(rest) - std::log1p(-rest);
    return nearest(means[chosen] + temperature * std::exp(log_scale) * quantile, net.classes);
}

// A network's way through its layers, one sample at a time. The products of a layer with the past come while the layer
// before waits for its gates, and the skips while the next layer's input is made ready: neither depends on the other.
template <class P, int STREAMS>
struct Walk {
    using Number = typename P::Number;
    using Rows = float[STREAMS][WIDEST];
    const Network& net;
    Memory& memory;
    const Task& task;
    const int R = net.residual;
    alignas(64) Rows x = {}, skips = {}, gates = {}, wide = {}, sums[2] = {};
    Activations<P, STREAMS> past = {}, now = {}, gated = {};
    Cursor<P> at;
    Number* ring;        // of the layer whose past was read last
    float* ring_scales;
    int64_t place, next_place;  // of its slot, and of the next layer's

    // The input of the first layer, from the last two codes.
    void enter() {
        for (int s = 0; s < STREAMS; ++s) {
            const int32_t first = memory.last[2 * s], second = memory.last[2 * s + 1];
            const float step = 2.0f / (net.classes - 1), one = first * step - 1, two = second * step - 1;
            const float *a = net.now, *b = net.before;
            if (net.scalar)
                for (int c = 0; c < R; ++c) x[s][c] = a[c] * one + a[R + c] + b[c] * two + b[R + c];
            else
                for (int c = 0; c < R; ++c) x[s][c] = a[first * R + c] + b[second * R + c];
        }
    }

    // Which of a layer's slots holds its input from `dilation` steps before.
    int64_t slot(int layer) const { return memory.time % net.dilations[layer] * STREAMS; }

    // The sums of a layer's gates begin with the condition and with what the past gives.
    void begin(int layer, int64_t frame) {
        place = next_place;
        const Number* here = ring + place * R;
        if (layer + 1 < net.layers) {  // the next layer's past is far from anything read lately
            next_place = slot(layer + 1);
            const Number* next = ring + (int64_t(net.dilations[layer]) * STREAMS + next_place) * R;
            for (int c = 0; c < STREAMS * R; c += 64 / int(sizeof(Number))) __builtin_prefetch(next + c, 1);
        }
        for (int s = 0; s < STREAMS; ++s) {
            copy(past.values[s], here + s * R, R);
            if (P::scaled) past.scale[s] = ring_scales[place + s];
            copy(sums[layer % 2][s], task.biases + ((s * task.frames + frame) * net.layers + layer) * 2 * R, 2 * R);
        }
        add_product<P, STREAMS>(at, past, R, 2 * R, sums[layer % 2]);
    }

    // This layer's input takes the place in the ring of the one that `begin` read.
    void remember() {
        for (int s = 0; s < STREAMS; ++s) {
            copy(ring + (place + s) * R, now.values[s], R);
            if (P::scaled) ring_scales[place + s] = now.scale[s];
        }
    }

    // tanh(a) sigmoid(b) = (1 - e^-2a) / ((1 + e^-2a) (1 + e^-b))
    void gate(const Rows& of) {
        for (int s = 0; s < STREAMS; ++s)
            for (int c = 0; c < R; c += LANES) {
                if (STREAMS == 1)  // meanwhile the next weights come nearer: eight cache lines in each round
                    for (int line = c / 2; line < c / 2 + 8; ++line)
                        __builtin_prefetch((const char*)at.weights + line * 64);
                Floats a = exponential(load(of[s] + c) * -2.0f, 40);
                Floats b = exponential(-load(of[s] + R + c), 40);
                store(gates[s] + c, (1.0f - a) / ((1.0f + a) * (1.0f + b)));
            }
        encode<P, STREAMS>(gates, R, gated);
    }

    static void start(Rows& rows, const float* bias, int width) {
        for (int s = 0; s < STREAMS; ++s) copy(rows[s], bias, width);
    }

    static void rectify(Rows& rows, int width) {
        for (int s = 0; s < STREAMS; ++s)
            for (int c = 0; c < width; c += LANES) store(rows[s] + c, larger(load(rows[s] + c), all(0)));
    }

    // The head's parameters of the next sample, in `skips`.
    void step(int64_t frame) {
        at = {static_cast<const typename P::Weight*>(net.weights), net.scales, net.corrections};
        ring = static_cast<Number*>(memory.rings);
        ring_scales = memory.ring_scales;
        enter();
        start(skips, net.skip_bias, net.skip);
        next_place = slot(0);
        begin(0, frame);
        encode<P, STREAMS>(x, R, now);
        for (int layer = 0; layer < net.layers; ++layer) {
            remember();
            add_product<P, STREAMS>(at, now, R, 2 * R, sums[layer % 2]);
            gate(sums[layer % 2]);
            if (layer + 1 < net.layers) {
                ring += int64_t(net.dilations[layer]) * STREAMS * R;
                ring_scales += net.dilations[layer] * STREAMS;
                begin(layer + 1, frame);
                for (int s = 0; s < STREAMS; ++s)
                    for (int c = 0; c < R; c += LANES)
                        store(x[s] + c, load(x[s] + c) + load(net.residual_bias + layer * R + c));
                add_product<P, STREAMS>(at, gated, R, R, x);
                encode<P, STREAMS>(x, R, now);
            }
            add_product<P, STREAMS>(at, gated, R, net.skip, skips);
        }
        rectify(skips, net.skip);
        encode<P, STREAMS>(skips, net.skip, gated);
        start(wide, net.hidden_bias, net.hidden);
        add_product<P, STREAMS>(at, gated, net.skip, net.hidden, wide);
        rectify(wide, net.hidden);
        encode<P, STREAMS>(wide, net.hidden, gated);
        start(skips, net.head_bias, net.parameters);
        add_product<P, STREAMS>(at, gated, net.hidden, net.parameters, skips);
    }
};

template <class P, int STREAMS>
void run(const Network& net, Memory& memory, const Task& task) {
    Walk<P, STREAMS> walk{net, memory, task};
    for (int64_t t = 0; t < task.samples; ++t, ++memory.time) {
        walk.step((task.offset + t) / task.hold);
        for (int s = 0; s < STREAMS; ++s) {
            int32_t& code = task.codes[s * task.samples + t];
            if (task.drawing)
                code = draw(net, walk.skips[s], task.uniforms[s * task.samples + t], task.temperature);
            else
                memcpy(task.logits + (s * task.samples + t) * net.choices, walk.skips[s], 4 * net.choices);
            memory.last[2 * s + 1] = memory.last[2 * s];
            memory.last[2 * s] = code;
        }
    }
}

template <class P>
int run(const Network& net, Memory& memory, const Task& task, int streams) {
    if (2 * net.residual > WIDEST || net.skip > WIDEST || net.hidden > WIDEST || net.parameters > WIDEST)
        return 1;
    if (streams == 1) return run<P, 1>(net, memory, task), 0;
    if (streams == 4) return run<P, 4>(net, memory, task), 0;
    return 2;
}
}  // namespace

extern "C" int wavenet_f32(const Network* net, Memory* memory, const Task* task, int streams) {
    return run<Float32>(*net, *memory, *task, streams);
}
extern "C" int wavenet_bf16(const Network* net, Memory* memory, const Task* task, int streams) {
    return run<BFloat16>(*net, *memory, *task, streams);
}
extern "C" int wavenet_int8(const Network* net, Memory* memory, const Task* task, int streams) {
    return run<Int8>(*net, *memory, *task, streams);
}

// Nothing but the products of one stream or four, for measuring what the machine allows: `matrices` of 64 x 64, one
// after the other, again and again. One matrix stays in the nearest cache; as many as a network has do not.
template <class P, int STREAMS>
static float products(const void* weights, const float* scales, const int32_t* corrections, int matrices, int64_t times) {
    alignas(64) float sums[STREAMS][WIDEST] = {};
    Activations<P, STREAMS> x = {};
    for (int64_t time = 0; time < times; ++time) {
        Cursor<P> at{static_cast<const typename P::Weight*>(weights), scales, corrections};
        for (int matrix = 0; matrix < matrices; ++matrix) add_product<P, STREAMS>(at, x, PANEL, PANEL, sums);
    }
    return sums[0][0];
}

template <class P>
static float products(const void* weights, const float* scales, const int32_t* corrections, int matrices, int64_t times,
                      int streams) {
    return streams == 1 ? products<P, 1>(weights, scales, corrections, matrices, times)
                        : products<P, 4>(weights, scales, corrections, matrices, times);
}

extern "C" float products_f32(const void* w, const float* s, const int32_t* c, int matrices, int64_t times, int streams) {
    return products<Float32>(w, s, c, matrices, times, streams);
}
extern "C" float products_bf16(const void* w, const float* s, const int32_t* c, int matrices, int64_t times, int streams) {
    return products<BFloat16>(w, s, c, matrices, times, streams);
}
extern "C" float products_int8(const void* w, const float* s, const int32_t* c, int matrices, int64_t times, int streams) {
    return products<Int8>(w, s, c, matrices, times, streams);
}
