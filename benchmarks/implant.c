/* The implant job of `ranvier bench implant` up to the features, by hand: the yardstick of benchmarks/yardstick.py.

   int16 counts -> gain -> less the mean of 64 channels -> gain, four sections [1, 0, -1] -> crossings below the
   running threshold, counted in bins -> mean squares of bins; and the running noise. The same numbers in the same
   order as Ranvier's loop, so the same bits. Written for AVX-512 (16 lanes a register); elsewhere 8 lanes of whatever
   gcc makes of them. No masks: everything is valid, and the states come from a run that has settled.

   gcc -O3 -march=native -std=c11 -ffp-contract=off -fno-strict-aliasing -shared -fPIC */

#include <math.h>
#include <stdint.h>
#include <string.h>
#if defined(__AVX512F__) || defined(__AVX2__)
#include <immintrin.h>
#endif

#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512VL__)
#define W 16
#else
#define W 8
#endif
#define GROUP 64
#define TILE 64
#define HEARD 127
#define INFINITE 0x7F800000 /* bits of a float; sizes, as integers, have their order */
#define PARTS 256 /* squares are added in float32 over so many samples, those in float64 */
#define PAD 16
#define SEPARATE __attribute__((noinline))
#define ALIGNED __attribute__((aligned(64)))

typedef float f4 __attribute__((vector_size(4 * W), aligned(4)));
typedef int32_t i4 __attribute__((vector_size(4 * W), aligned(4)));
typedef double f8 __attribute__((vector_size(8 * W), aligned(8)));
typedef int16_t i2 __attribute__((vector_size(2 * W), aligned(2)));

struct implant {
    int64_t channels, row;  /* row: from one row of gain, k, z to the next; not a power of two, or all rows of a
                               vector share a few places in the first cache */
    int64_t stride, refractory, bin, least;           /* stride: one size is heard every so many samples */
    double factor, weight;                            /* threshold over noise; weight of a new estimate at least */
    const float *gain;                                /* 2 rows: before the mean, after it */
    const float *k;                                   /* 8 rows: -a1, -a2 of four sections */
    float *z;                                         /* 8 rows: their states */
    float *threshold, *before, *noise, *part, *ring;  /* ring: 16 channels together, 127 rows of 16 sizes */
    int64_t *free;                                    /* index from which a channel may cross again */
    int32_t *number, *estimates;
    double *total;
    const int64_t *turns; /* at which turn 16 channels estimate their noise */
};

#if W == 16
static inline f4 fma4(f4 a, f4 b, f4 c) { return (f4)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c); }
static inline uint32_t below(f4 a, f4 b) { return _mm512_cmp_ps_mask((__m512)a, (__m512)b, _CMP_LT_OQ); }
#else
static inline f4 fma4(f4 a, f4 b, f4 c) {
#ifdef __FMA__
    return (f4)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
#else
    f4 r;
    for (int i = 0; i < W; i++) r[i] = fmaf(a[i], b[i], c[i]);
    return r;
#endif
}
static inline uint32_t below(f4 a, f4 b) {
#ifdef __AVX2__
    return _mm256_movemask_ps(_mm256_cmp_ps((__m256)a, (__m256)b, _CMP_LT_OQ));
#else
    uint32_t m = 0;
    for (int i = 0; i < W; i++) m |= (uint32_t)(a[i] < b[i]) << i;
    return m;
#endif
}
#endif

static inline f4 load(const float *p) { return *(const f4 *)p; }
static inline void keep(float *p, f4 v) { *(f4 *)p = v; }
static inline f4 counts(const int16_t *p) {
#if W == 16 /* gcc takes it apart otherwise */
    return (f4)_mm512_cvtepi32_ps(_mm512_cvtepi16_epi32(_mm256_loadu_si256((const __m256i *)p)));
#else
    return __builtin_convertvector(*(const i2 *)p, f4);
#endif
}

/* The sum of 16 lanes in halves. */
static inline float tree(const f4 *p) {
#if W == 16
    __m256 a = _mm256_add_ps(_mm512_castps512_ps256((__m512)*p), _mm512_extractf32x8_ps((__m512)*p, 1));
    __m128 b = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    b = _mm_add_ps(b, _mm_movehl_ps(b, b));
    return _mm_cvtss_f32(_mm_add_ss(b, _mm_movehdup_ps(b)));
#else
    f4 a = p[0] + p[1];
    float b[4] = {a[0] + a[4], a[1] + a[5], a[2] + a[6], a[3] + a[7]};
    return (b[0] + b[2]) + (b[1] + b[3]);
#endif
}

/* Gain, into the buffer, and the mean of the group at each instant. */
static SEPARATE void level(const int16_t *x, int64_t row, int64_t n, const float *gain, float *buffer, float *mean) {
    f4 g[GROUP / W];
    for (int v = 0; v < GROUP / W; v++) g[v] = load(gain + v * W);
    for (int64_t t = 0; t < n; t++, x += row, buffer += GROUP + PAD) {
        f4 sum[16 / W];
        __builtin_prefetch(x + GROUP); /* the next group: no prefetcher follows rows that far apart */
        __builtin_prefetch(x + GROUP + 32);
        for (int v = 0; v < GROUP / W; v++) {
            f4 y = counts(x + v * W) * g[v];
            keep(buffer + v * W, y);
            sum[v % (16 / W)] = v < 16 / W ? y : sum[v % (16 / W)] + y;
        }
        mean[t] = tree(sum) / GROUP;
    }
}

/* The (lower) median of what W channels were heard at: a range is halved until it is the first or the last in it. */
static SEPARATE void estimate(struct implant *a, int64_t c) {
    const int32_t *ring = (const int32_t *)a->ring + c / 16 * 16 * HEARD + c % 16;
    i4 valid = {0}, low = {0}, fewest = {0};
    f4 total = {0};
    for (int r = 0; r < HEARD; r++) {
        i4 size = *(const i4 *)(ring + 16 * r), fine = size < INFINITE;
        valid -= fine;
        total += (f4)(size & fine);
    }
    i4 rank = (valid - 1) / 2, most = valid;
    f4 mean = total / __builtin_convertvector(valid, f4);
    i4 trial = (i4)(mean * 0.8453475f), high = (i4)(mean * 2.5f); /* no median is above twice the mean */
    for (int cut = 0; cut < 53; cut++) {
        i4 less = {0};
        for (int r = 0; r < HEARD; r++) less -= *(const i4 *)(ring + 16 * r) < trial;
        i4 above = rank < less;
        low = (low & above) | (trial & ~above), fewest = (fewest & above) | (less & ~above);
        high = (trial & above) | (high & ~above), most = (less & above) | (most & ~above);
        trial = cut < 20 ? (i4)(((f4)low + (f4)high) * 0.5f) : low + ((high - low) >> 1);
        i4 left = (fewest < rank) & (rank + 1 < most);
        if (cut >= 20) left &= low < trial;
        int32_t some = 0;
        for (int i = 0; i < W; i++) some |= left[i];
        if (!some) break;
    }
    i4 after = {0}, before = {0}, last = rank + 1 == most;
    after += INFINITE;
    for (int r = 0; r < HEARD; r++) {
        i4 size = *(const i4 *)(ring + 16 * r), next = (low <= size) & (size < after);
        after = (size & next) | (after & ~next);
        next = (size < high) & (before < size);
        before = (size & next) | (before & ~next);
    }
    i4 found = (before & last) | (after & ~last);
    for (int i = 0; i < W; i++) {
        if (valid[i] < a->least) continue;
        int64_t at = c + i;
        float size;
        memcpy(&size, (char *)&found + 4 * i, 4);
        double old = a->noise[at], n = ++a->estimates[at];
        float now = old + fmax(a->weight, 1.0 / n) * ((double)size / 0.6744897501960817 - old);
        a->noise[at] = now;
        a->threshold[at] = now > 0 ? (float)(-a->factor * now) : -INFINITY;
    }
}

/* What happens between pieces of a tile. */
struct piece {
    int64_t end, hear, turn, part, row;
};

static void cross(struct implant *a, int64_t c, int64_t at, uint32_t hit) {
    for (; hit; hit &= hit - 1) {
        int64_t i = c + __builtin_ctz(hit);
        if (a->free[i] <= at) {
            a->free[i] = at + a->refractory;
            a->number[i]++;
        }
    }
}

/* W channels over a tile: less the mean, filter, crossings, squares. */
static SEPARATE void lanes(struct implant *a, int64_t c, int64_t start, const struct piece *p, int64_t n, const float *x,
                  const float *mean, float *rows) {
    const int64_t m = a->channels, row = a->row;
    const f4 gain = load(a->gain + row + c);
    f4 k[8], z[8], part = load(a->part + c), last = load(a->before + c), limit = load(a->threshold + c);
    for (int i = 0; i < 8; i++) k[i] = load(a->k + i * row + c), z[i] = load(a->z + i * row + c);
    uint16_t hits[TILE + 4] = {0};
    for (int64_t t = 0; t < n; p++) {
        int64_t first = t;
        uint32_t was = below(last, limit);
        for (; t < p->end; t++, x += GROUP + PAD) {
            f4 v = (load(x) - mean[t]) * gain;
#define SECTION(i)                          \
    {                                       \
        f4 y = v + z[2 * i];                \
        z[2 * i] = fma4(k[2 * i], y, z[2 * i + 1]); \
        z[2 * i + 1] = fma4(k[2 * i + 1], y, -v); \
        v = y;                              \
    }
            SECTION(0)
            SECTION(1)
            SECTION(2)
            SECTION(3)
            uint32_t now = below(v, limit);
            hits[t] = now & ~was;
            was = now;
            last = v;
            part = fma4(v, v, part);
        }
        for (int64_t u = first; u < t; u += 4) { /* few instants have any */
            uint64_t four;
            memcpy(&four, hits + u, 8);
            for (int64_t i = u; four && i < u + 4; i++)
                if (i < t && hits[i]) cross(a, c, start + i, hits[i]);
        }
        if (p->hear >= 0) {
            float *ring = a->ring + c / 16 * 16 * HEARD + c % 16;
            keep(ring + 16 * p->hear, (f4)((i4)last & 0x7FFFFFFF));
            if (a->turns[c / 16] == p->turn) estimate(a, c);
            limit = load(a->threshold + c);
        }
        if (p->part) {
            f8 *total = (f8 *)(a->total + c);
            *total += __builtin_convertvector(part, f8);
            part = (f4){0};
            if (p->row >= 0) {
                float *out = rows + p->row * 2 * m + c;
                keep(out, __builtin_convertvector(*(i4 *)(a->number + c), f4));
                keep(out + m, __builtin_convertvector(*total / (double)a->bin, f4));
                *(i4 *)(a->number + c) = (i4){0};
                *total = (f8){0};
            }
        }
    }
    for (int i = 0; i < 8; i++) keep(a->z + i * row + c, z[i]);
    keep(a->part + c, part);
    keep(a->before + c, last);
}

static int64_t min(int64_t a, int64_t b) { return a < b ? a : b; }

/* One block of n samples, rows `row` numbers apart, from index `start` on; returns how many rows (bins) came out. */
int64_t implant(struct implant *a, const int16_t *x, int64_t row, int64_t n, int64_t start, float *rows) {
    static ALIGNED float buffer[TILE * (GROUP + PAD)], mean[TILE];
    int64_t done = 0;
    for (int64_t t0 = 0; t0 < n; t0 += TILE) {
        struct piece pieces[TILE];
        int64_t many = min(n - t0, TILE), t = 0, made = 0;
        for (int p = 0; t < many; p++) {
            int64_t i = start + t0 + t;
            int64_t step = min(min(many - t, a->stride - (i + a->stride - 1) % a->stride),
                               min(a->bin - i % a->bin, PARTS - i % PARTS));
            t += step, i += step;
            int64_t heard = (i - 1) / a->stride % HEARD;
            int whole = i % a->bin == 0;
            pieces[p] = (struct piece){t, (i - 1) % a->stride == 0 ? heard : -1, (HEARD - heard) % HEARD,
                                       whole || i % PARTS == 0, whole ? done + made : -1};
            made += whole;
        }
        for (int64_t c = 0; c < a->channels; c += GROUP) {
            level(x + t0 * row + c, row, many, a->gain + c, buffer, mean);
            for (int v = 0; v < GROUP; v += W)
                lanes(a, c + v, start + t0, pieces, many, buffer + v, mean, rows);
        }
        done += made;
    }
    return done;
}
