// Functions of rows in CUDA C++: softmax, log_softmax, logsumexp and cross entropy, in float32.
//
// LANES threads share a row: one warp, several of which make a block, or a block of its own. Each
// thread keeps the largest entry that it has met and the sum of the exponentials of all others, so
// that a row of any length is surveyed in one pass; the sums of the threads are joined at the end.
// Where a result needs the row once more, that comes from the cache. The formulas are those of
// cross_entropy/sweep.py, rows/softmax_numpy.py: the exponential of the largest entry, which is 1, is never
// added and taken away again.
//
// To be compiled without fast math: all of this is lost to a short division or exponential.

#ifndef LANES
#define LANES 256
#endif
#ifndef WARP
#define WARP 32
#endif

#define OF_CUDA extern "C" __global__ void __launch_bounds__(LANES > 128 ? LANES : 128)

typedef long long Place;

#define INF __int_as_float(0x7f800000)
#define NOT_A_NUMBER __int_as_float(0x7fffffff)

struct Survey {
    float top;     // the largest entry
    float rest;    // what rounding it has lost, where a cap has computed it
    int place;     // where it is, the first time
    float others;  // the sum of the exponentials of all others, over its own; NaN where any is NaN
};

struct Cap {
    float high, low;  // the number is their sum; 0: there is none
};

struct Entry {
    float value, rest;  // an exponential would turn what rounding has lost into units
};

// ---- threads of a row --------------------------------------------------------------------------

__device__ inline Place row_of_thread() { return (Place)blockIdx.x * blockDim.y + threadIdx.y; }

// exp(x - top) of a finite top, with what the difference has lost (Knuth).
__device__ inline float over(float x, float top) {
    float d = x - top, taken = d - x, e = expf(d);
    float rest = (x - (d - taken)) - (top + taken);
    return e > 0 ? e + e * rest : e;
}

__device__ inline float ratio(float lower, float higher) {
    return lower == higher ? 1.0f : over(lower, higher);  // of infinities as well
}

__device__ inline Survey join(Survey a, Survey b) {
    bool second = b.top > a.top || (b.top == a.top && b.place < a.place);
    Survey high = second ? b : a, low = second ? a : b;
    high.others += (1.0f + (low.others + low.rest)) * ratio(low.top, high.top);
    return high;
}

__device__ inline float join(float a, float b) { return a + b; }

__device__ inline float from_lane(float x, int mask) { return __shfl_xor_sync(~0u, x, mask); }

__device__ inline Survey from_lane(Survey x, int mask) {
    Survey other;
    other.top = __shfl_xor_sync(~0u, x.top, mask);
    other.rest = __shfl_xor_sync(~0u, x.rest, mask);
    other.place = __shfl_xor_sync(~0u, x.place, mask);
    other.others = __shfl_xor_sync(~0u, x.others, mask);
    return other;
}

// Join what all threads of a row have; all of them get the same.
template <class T>
__device__ inline T over_row(T mine) {
    for (int mask = WARP / 2; mask; mask /= 2) mine = join(mine, from_lane(mine, mask));
#if LANES > WARP
    __shared__ T of_warp[LANES / WARP];
    __syncthreads();  // the last call's have been read
    if (threadIdx.x % WARP == 0) of_warp[threadIdx.x / WARP] = mine;
    __syncthreads();
    mine = of_warp[0];
    for (int i = 1; i < LANES / WARP; ++i) mine = join(mine, of_warp[i]);
#endif
    return mine;
}

// ---- entries of a row --------------------------------------------------------------------------

__device__ inline bool in_fours(const void* a, const void* b, int classes) {
    return classes % 4 == 0 && ((size_t)a | (size_t)b) % 16 == 0;
}

// Call visit(place, entries, how many) for all entries of a row, four at a time where they lie so.
template <class Visit>
__device__ inline void each(const float* x, int classes, Visit visit) {
    if (in_fours(x, x, classes)) {
        for (int j = 4 * threadIdx.x; j < classes; j += 4 * LANES) {
            float4 v = *(const float4*)(x + j);
            float four[4] = {v.x, v.y, v.z, v.w};
            visit(j, four, 4);
        }
    } else {
        for (int j = threadIdx.x; j < classes; j += LANES) {
            float one = x[j];
            visit(j, &one, 1);
        }
    }
}

// Write out[j] = f(j, x[j], y[j]) for all entries of a row.
template <class Function>
__device__ inline void write(float* out, const float* x, const float* y, int classes, Function f) {
    if (in_fours(x, y, classes) && in_fours(out, out, classes)) {
        for (int j = 4 * threadIdx.x; j < classes; j += 4 * LANES) {
            float4 a = *(const float4*)(x + j), b = *(const float4*)(y + j);
            *(float4*)(out + j) = make_float4(f(j, a.x, b.x), f(j + 1, a.y, b.y),
                                              f(j + 2, a.z, b.z), f(j + 3, a.w, b.w));
        }
    } else {
        for (int j = threadIdx.x; j < classes; j += LANES) out[j] = f(j, x[j], y[j]);
    }
}

// ---- formulas ----------------------------------------------------------------------------------

__device__ inline bool finite(float x) { return fabsf(x) < INF; }

__device__ inline Entry sum_of(float a, float b) {  // Knuth
    float value = a + b, added = value - a;
    return {value, (a - (value - added)) + (b - added)};
}

// |x| / cap, up to 64, and what that has lost.
__device__ inline Entry over_cap(float x, Cap cap) {
    float size = fabsf(x), y = size / cap.high;
    if (!(y < 64.0f)) return {64.0f, 0.0f};
    return {y, (fmaf(-y, cap.high, size) - y * cap.low) / cap.high};
}

// cap * tanh(x / cap) as -e / (2 + e) with e = expm1(-2 * |x| / cap), in two parts throughout: of an
// eighth of the exponent, squared. Infinities stay.
__device__ inline Entry capped(float x, Cap cap) {
    if (!(cap.high > 0 && finite(x))) return {x, 0.0f};
    Entry y = over_cap(x, cap);
    bool near = y.value < 22.0f;  // from there on it is 1
    float u = near ? -2.0f * y.value : -44.0f, rest = near ? -2.0f * y.rest : 0.0f;
    float n = floorf(u * 1.44269504f + 0.5f);
    float whole = fmaf(n, -0.693359375f, u);  // nine bits of log 2: exact
    float r = fmaf(n, 2.12194440e-4f, whole);
    rest = (fmaf(n, 2.12194440e-4f, whole - r) + rest) * 0.125f;
    r *= 0.125f;
    float square = r * r;
    float series = fmaf(r, fmaf(r, fmaf(r, 1 / 720.0f, 1 / 120.0f), 1 / 24.0f), 1 / 6.0f);
    Entry e = sum_of(r, 0.5f * square);
    e.rest += 0.5f * fmaf(r, r, -square) + (fmaf(rest, r, rest) + r * square * series);
    e = sum_of(e.value, e.rest);
    for (int i = 0; i < 3; ++i) {  // (1 + e)**2 - 1
        square = e.value * e.value;
        float lost = fmaf(e.value, e.value, -square) + 2.0f * fmaf(e.rest, e.value, e.rest);
        e = sum_of(2.0f * e.value, square);
        e.rest += lost;
    }
    float power = ldexpf(1.0f, (int)n);
    Entry start = sum_of(power, -1.0f);
    float less = start.rest + power * e.rest;
    e = sum_of(power * e.value, start.value);
    e.rest += less;
    Entry below = sum_of(2.0f, e.value);
    float t = -e.value / below.value;
    rest = (fmaf(-t, below.value, -e.value) - e.rest) - t * (below.rest + e.rest);
    rest = cap.high * (rest / below.value) + cap.low * t;
    float size = cap.high * t;
    rest += fmaf(cap.high, t, -size);
    return x < 0 ? Entry{-size, -rest} : Entry{size, rest};
}

__device__ inline float slope_of_cap(float x, Cap cap) {
    if (x != x) return x;
    Entry y = over_cap(x, cap);
    float e = expf(-2.0f * y.value);
    e = fmaf(e, -2.0f * y.rest, e);
    return 4.0f * e / (1.0f + e * (2.0f + e));
}

// The exponential of an entry over that of the largest.
__device__ inline float over(Entry x, float top, float rest) {
    float e = over(x.value, top);
    return fmaf(e, x.rest - rest, e);
}

__device__ inline float gap(Entry x, Survey s) { return (x.value - s.top) + (x.rest - s.rest); }

__device__ inline void absorb(Survey& s, int place, const Entry* x, int count) {
    int highest = 0;
    for (int i = 1; i < count; ++i)
        if (x[i].value > x[highest].value || x[highest].value != x[highest].value) highest = i;
    bool higher = x[highest].value > s.top;
    if (higher) {
        s.others = (1.0f + (s.others + s.rest)) * ratio(s.top, x[highest].value);
        s.top = x[highest].value;
        s.rest = x[highest].rest;
        s.place = place + highest;
    }
    float sum = 0.0f;
    for (int i = 0; i < count; ++i)
        if (!(higher && i == highest)) {
            float e = ratio(x[i].value, s.top);
            sum += fmaf(e, x[i].rest, e);
        }
    s.others += sum;
}

__device__ inline Survey survey(const float* z, int classes, Cap cap) {
    Survey s = {-INF, 0.0f, 0, 0.0f};
    each(z, classes, [&](int place, float* x, int count) {
        Entry entries[4];
        for (int i = 0; i < count; ++i) entries[i] = capped(x[i], cap);
        absorb(s, place, entries, count);
    });
    s = over_row(s);
    if (s.rest != 0) s.others -= s.others * s.rest;
    return s;
}

// Keep the facts of a row, and return them: NaN where the largest entry is not finite.
__device__ inline Survey keep(Survey s, Place row, float* shift, int* place, float* others) {
    if (!finite(s.top) || s.others != s.others) s.top = s.others = NOT_A_NUMBER;
    if (threadIdx.x == 0) {
        shift[row] = s.top;
        place[row] = s.place;
        others[row] = s.others;
    }
    return s;
}

__device__ inline float log_of_sum(Survey s) {
    if (s.others != s.others) return NOT_A_NUMBER;
    return finite(s.top) ? s.top + (log1pf(s.others) + s.rest) : s.top;
}

// ---- softmax and its relatives -----------------------------------------------------------------

OF_CUDA softmax(const float* z, float* out, float* shift, int* place, float* others, Place count,
                int classes) {
    Place row = row_of_thread();
    if (row >= count) return;
    z += row * classes, out += row * classes;
    Survey s = keep(survey(z, classes, Cap{0.0f, 0.0f}), row, shift, place, others);
    write(out, z, z, classes, [&](int, float x, float) { return over(x, s.top) / (1.0f + s.others); });
}

OF_CUDA softmax_slope(const float* grad, const float* out, const int* place, float* by_z,
                      Place count, int classes) {
    Place row = row_of_thread();
    if (row >= count) return;
    grad += row * classes, out += row * classes, by_z += row * classes;
    float own = grad[place[row]], sum = 0.0f;
    for (int j = threadIdx.x; j < classes; j += LANES) sum += (grad[j] - own) * out[j];
    sum = over_row(sum);
    write(by_z, grad, out, classes, [&](int, float g, float p) { return p * (g - own - sum); });
}

OF_CUDA log_softmax(const float* z, float* out, float* shift, int* place, float* others,
                    Place count, int classes) {
    Place row = row_of_thread();
    if (row >= count) return;
    z += row * classes, out += row * classes;
    Survey s = keep(survey(z, classes, Cap{0.0f, 0.0f}), row, shift, place, others);
    float log_sum = log1pf(s.others);
    write(out, z, z, classes, [&](int, float x, float) { return x - s.top - log_sum; });
}

OF_CUDA log_softmax_slope(const float* grad, const float* z, const float* shift, const int* place,
                          const float* others, float* by_z, Place count, int classes) {
    Place row = row_of_thread();
    if (row >= count) return;
    grad += row * classes, z += row * classes, by_z += row * classes;
    int largest = place[row];
    float top = shift[row], rest = others[row], own = grad[largest], sum = 0.0f;
    for (int j = threadIdx.x; j < classes; j += LANES) sum += j == largest ? 0.0f : grad[j];
    sum = over_row(sum);
    float at_largest = (own * rest - sum) / (1.0f + rest), factor = (own + sum) / (1.0f + rest);
    write(by_z, grad, z, classes, [&](int j, float g, float x) {
        return j == largest ? at_largest : g - over(x, top) * factor;
    });
}

OF_CUDA logsumexp(const float* z, float* out, float* shift, int* place, float* others, Place count,
                  int classes) {
    Place row = row_of_thread();
    if (row >= count) return;
    Survey s = survey(z + row * classes, classes, Cap{0.0f, 0.0f});
    keep(s, row, shift, place, others);
    if (threadIdx.x == 0) out[row] = log_of_sum(s);
}

OF_CUDA logsumexp_slope(const float* grad, const float* out, const float* z, const float* shift,
                        const float* others, float* by_z, Place count, int classes) {
    Place row = row_of_thread();
    if (row >= count) return;
    z += row * classes, by_z += row * classes;
    float top = shift[row], rest = others[row], g = grad[row];
    bool empty = out[row] == -INF;
    write(by_z, z, z, classes, [&](int, float x, float) {
        return empty ? g * 0.0f : g * (over(x, top) / (1.0f + rest));
    });
}

// ---- cross entropy -----------------------------------------------------------------------------

// `weight`, `counted` and `lse` may be null, `bound` and `even` 0: then there is no such thing.
// share: of the target; even: of each class, by smoothing.
OF_CUDA cross_entropy(const float* z, const Place* index, const float* weight, const bool* counted,
                      float* loss, float* lse, float* shift, int* place, float* others,
                      Place count, int classes, float share, float even, float bound, float low) {
    Place row = row_of_thread();
    if (row >= count) return;
    z += row * classes;
    Cap cap = {bound, low};
    Survey whole = survey(z, classes, cap);
    Survey s = keep(whole, row, shift, place, others);
    float log_sum = log1pf(s.others), spread = 0.0f;
    if (even > 0) {
        each(z, classes, [&](int j, float* x, int n) {
            for (int i = 0; i < n; ++i) {
                float part = weight ? even * weight[j + i] : even;
                spread += part == 0 ? 0.0f : part * (log_sum - gap(capped(x[i], cap), s));
            }
        });
        spread = over_row(spread);
    }
    if (threadIdx.x) return;
    Place target = index[row];
    float value = log_sum - gap(capped(z[target], cap), s);
    if (weight) value = weight[target] == 0 ? 0.0f : weight[target] * value;
    if (even > 0) value = spread + (share == 0 ? 0.0f : share * value);
    bool counts = !counted || counted[row];
    loss[row] = counts ? value : 0.0f;
    if (lse) lse[row] = counts ? log_of_sum(whole) : 0.0f;
}

OF_CUDA cross_entropy_slope(const float* g_loss, const float* g_lse, const float* z,
                            const Place* index, const float* weight, const bool* counted,
                            const float* shift, const int* place, const float* others,
                            float* by_z, Place count, int classes, float share, float even,
                            float bound, float low) {
    Place row = row_of_thread();
    if (row >= count) return;
    z += row * classes, by_z += row * classes;
    Cap cap = {bound, low};
    bool counts = !counted || counted[row];
    int target = (int)index[row], largest = place[row];
    float top = shift[row], rest = others[row], g = g_loss[row], of_lse = g_lse ? g_lse[row] : 0.0f;
    float own = g * share;  // the coefficient of the target, besides what every class has
    if (weight) own *= weight[target];
    // 0 times NaN is 0, where no class has a coefficient.
    if (weight && weight[target] == 0 && even == 0 && !g_lse && rest != rest) counts = false;
    float of_place = target == largest ? own : 0.0f, of_others = target == largest ? 0.0f : own;
    if (even > 0) {
        float sum = classes - 1.0f;
        if (weight) {
            sum = 0.0f;
            for (int j = threadIdx.x; j < classes; j += LANES) sum += j == largest ? 0.0f : weight[j];
            sum = over_row(sum);
        }
        of_others += g * even * sum;
        of_place += g * even * (weight ? weight[largest] : 1.0f);
    }
    float at_largest = (of_others + of_lse - of_place * rest) / (1.0f + rest);
    float factor = (of_place + of_others + of_lse) / (1.0f + rest);
    float beyond = capped(z[largest], cap).rest;
    write(by_z, z, z, classes, [&](int j, float x, float) {
        float slope = over(capped(x, cap), top, beyond) * factor;
        if (even > 0) slope -= g * (weight ? even * weight[j] : even);
        if (j == target) slope -= own;
        if (j == largest) slope = at_largest;
        if (bound > 0) slope *= slope_of_cap(x, cap);
        return counts ? slope : 0.0f;
    });
}
