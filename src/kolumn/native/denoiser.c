/* The layers of the unrolled network's denoiser (kolumn/nn/denoiser.py), for one image.

   Images are (ny, nx, channels) and contiguous, channels in multiples of 8. Each function makes the rows from `first` to
   before `last` of its result, so that threads can share the work. */

#include <sched.h>
#include <string.h>

#include "each_cpu.h"

typedef float v8 __attribute__((vector_size(32), aligned(4), may_alias)); /* eight channels */
typedef int whole __attribute__((vector_size(32)));

/* C (rows, width) = A B, or C + A B, for a few rows of A (rows, depth): sums stay in registers. */
#define PRODUCT(NAME, ROWS, VECTORS)                                                                                   \
    static inline void NAME(const float *A, long stride_A, long depth, const float *B, long stride_B, float *C,       \
                            long stride_C, int add) {                                                                  \
        v8 sums[ROWS][VECTORS];                                                                                        \
        for (int i = 0; i < ROWS; i++)                                                                                 \
            for (int j = 0; j < VECTORS; j++)                                                                          \
                sums[i][j] = add ? *(const v8 *)(C + i * stride_C + 8 * j) : (v8){0};                                  \
        for (long k = 0; k < depth; k++) {                                                                             \
            v8 b[VECTORS];                                                                                             \
            for (int j = 0; j < VECTORS; j++) b[j] = *(const v8 *)(B + k * stride_B + 8 * j);                          \
            for (int i = 0; i < ROWS; i++) {                                                                           \
                v8 a = A[i * stride_A + k] - (v8){0};                                                                  \
                for (int j = 0; j < VECTORS; j++) sums[i][j] += a * b[j];                                              \
            }                                                                                                          \
        }                                                                                                              \
        for (int i = 0; i < ROWS; i++)                                                                                 \
            for (int j = 0; j < VECTORS; j++) *(v8 *)(C + i * stride_C + 8 * j) = sums[i][j];                          \
    }
PRODUCT(product_6_16, 6, 2)
PRODUCT(product_4_16, 4, 2)
PRODUCT(product_1_16, 1, 2)
PRODUCT(product_6_8, 6, 1)
PRODUCT(product_1_8, 1, 1)

/* C (rows, width) = A B, or C + A B; A (rows, depth), B (depth, width). */
static inline void multiply(const float *A, long stride, long rows, long depth, const float *B, long width, float *C,
                            int add) {
    long i, j = 0;
    for (; j + 16 <= width; j += 16) {
        for (i = 0; i + 6 <= rows; i += 6)
            product_6_16(A + i * stride, stride, depth, B + j, width, C + i * width + j, width, add);
        for (; i + 4 <= rows; i += 4)
            product_4_16(A + i * stride, stride, depth, B + j, width, C + i * width + j, width, add);
        for (; i < rows; i++)
            product_1_16(A + i * stride, stride, depth, B + j, width, C + i * width + j, width, add);
    }
    for (; j < width; j += 8) {
        for (i = 0; i + 6 <= rows; i += 6)
            product_6_8(A + i * stride, stride, depth, B + j, width, C + i * width + j, width, add);
        for (; i < rows; i++)
            product_1_8(A + i * stride, stride, depth, B + j, width, C + i * width + j, width, add);
    }
}

/* 3 x 3 convolutions by F(4 x 4, 3 x 3) of Winograd: y = A^T [sum over channels (G g G^T) * (B^T d B)] A for tiles d of
   6 x 6 pixels, a fourth of the multiplications. Fast algorithms for convolutional neural networks, Lavin and Gray,
   2015, arXiv:1509.09308. */

/* Tiles that are made at once, so that what is in between stays in the cache. */
static inline long batch(long n_in, long n_out) {
    long n = 65536 / (36 * (n_in + n_out)) / 6 * 6;
    return n < 24 ? 24 : n;
}

/* Floats of memory that kolumn_convolve needs. */
long kolumn_convolve_memory(long nx, long n_in, long n_out) {
    return (6 * (nx + 8) + nx) * n_in + 36 * batch(n_in, n_out) * (n_in + n_out);
}

/* B^T d for n columns of six rows. */
static inline void before(const float *const *d, long n, float *const *t) {
    for (long k = 0; k < n; k += 8) {
        v8 d0 = *(const v8 *)(d[0] + k), d1 = *(const v8 *)(d[1] + k), d2 = *(const v8 *)(d[2] + k);
        v8 d3 = *(const v8 *)(d[3] + k), d4 = *(const v8 *)(d[4] + k), d5 = *(const v8 *)(d[5] + k);
        v8 even = d4 - 4 * d2, odd = d3 - 4 * d1, near = d4 - d2, far = 2 * (d3 - d1);
        *(v8 *)(t[0] + k) = 4 * d0 - 5 * d2 + d4;
        *(v8 *)(t[1] + k) = even + odd;
        *(v8 *)(t[2] + k) = even - odd;
        *(v8 *)(t[3] + k) = near + far;
        *(v8 *)(t[4] + k) = near - far;
        *(v8 *)(t[5] + k) = 4 * d1 - 5 * d3 + d5;
    }
}

/* A^T m, four of six. */
#define AFTER(m, s)                                                                                                    \
    do {                                                                                                               \
        v8 sum = m(1) + m(2), difference = m(1) - m(2), more = m(3) + m(4), less = m(3) - m(4);                        \
        s(0) = m(0) + sum + more;                                                                                      \
        s(1) = difference + 2 * less;                                                                                  \
        s(2) = sum + 4 * more;                                                                                         \
        s(3) = difference + 8 * less + m(5);                                                                           \
    } while (0)

/* One tile of 36 products, each `apart` from the next, to at most rows x columns pixels. */
static inline void finish(const float *M, long apart, long n, long rows, long columns, long nx, int relu,
                          const float *other, float *y) {
    for (long c = 0; c < n; c += 8) {
        v8 half[4][6], done[4][4];
        for (int k = 0; k < 6; k++) {
#define FROM(i) (*(const v8 *)(M + (6 * (i) + k) * apart + c))
#define TO(i) half[i][k]
            AFTER(FROM, TO);
#undef FROM
#undef TO
        }
        for (int i = 0; i < 4; i++) {
#define FROM(k) half[i][k]
#define TO(k) done[i][k]
            AFTER(FROM, TO);
#undef FROM
#undef TO
        }
        for (long i = 0; i < rows; i++)
            for (long j = 0; j < columns; j++) {
                long at = (i * nx + j) * n + c;
                v8 value = done[i][j];
                if (other != NULL) value += *(const v8 *)(other + at);
                if (relu) value = (v8)((whole)value & (value > 0));
                *(v8 *)(y + at) = value;
            }
    }
}

/* B^T d for the rows of the tiles in row `row`: lines (6, nx + 8, n_in), from pixel -1 on. */
static inline void before_row(const float *x, long ny, long nx, long n_in, long row, const float *zeros, float *lines) {
    const float *d[6];
    float *t[6];
    for (long i = 0; i < 6; i++) {
        long here = 4 * row - 1 + i;
        d[i] = here < 0 || here >= ny ? zeros : x + here * nx * n_in;
        t[i] = lines + (i * (nx + 8) + 1) * n_in;
    }
    before(d, nx * n_in, t);
}

/* (B^T d) B for one tile, which begins at `lines`: V (36), each `apart` from the next. */
static inline void before_tile(const float *lines, long nx, long n_in, long apart, float *V) {
    for (long i = 0; i < 6; i++) {
        const float *d[6];
        float *t[6];
        for (long k = 0; k < 6; k++) {
            d[k] = lines + (i * (nx + 8) + k) * n_in;
            t[k] = V + (6 * i + k) * apart;
        }
        before(d, n_in, t);
    }
}

/* y = conv(x), relu(conv(x)) or other + conv(x), zeros beyond the edges; a row here is one of tiles, four of pixels.
   U (36, n_in, n_out): G g G^T. */
EACH_CPU static void convolve(const float *x, long ny, long nx, long n_in, long n_out, const float *U, int relu,
                              const float *other, long first, long last, float *memory, float *y) {
    long tiles = (nx + 3) / 4, most = batch(n_in, n_out), now = -1;
    float *lines = memory, *zeros = lines + 6 * (nx + 8) * n_in, *V = zeros + nx * n_in, *M = V + 36 * most * n_in;
    memset(memory, 0, sizeof(float) * (V - memory));
    for (long start = first * tiles; start < last * tiles; start += most) {
        long count = last * tiles - start < most ? last * tiles - start : most;
        for (long q = 0; q < count; q++) {
            long row = (start + q) / tiles, column = (start + q) % tiles;
            if (row != now) before_row(x, ny, nx, n_in, row, zeros, lines);
            now = row;
            before_tile(lines + 4 * column * n_in, nx, n_in, most * n_in, V + q * n_in);
        }
        for (long p = 0; p < 36; p++)
            multiply(V + p * most * n_in, n_in, count, n_in, U + p * n_in * n_out, n_out, M + p * most * n_out, 0);
        for (long q = 0; q < count; q++) {
            long i = (start + q) / tiles * 4, j = (start + q) % tiles * 4, at = (i * nx + j) * n_out;
            finish(M + q * n_out, most * n_out, n_out, ny - i < 4 ? ny - i : 4, nx - j < 4 ? nx - j : 4, nx, relu,
                   other == NULL ? NULL : other + at, y + at);
        }
    }
}

/* 2 x 2 pixels to one: rows of y (ny, nx, n_out), x being twice as large; W (2, 2, n_in, n_out). */
EACH_CPU static void down(const float *x, long nx, long n_in, long n_out, const float *W, long first, long last,
                          float *y) {
    long depth = 2 * n_in;
    for (long i = first; i < last; i++)
        for (int half = 0; half < 2; half++)
            multiply(x + (2 * i + half) * nx * depth, depth, nx, depth, W + half * depth * n_out, n_out,
                     y + i * nx * n_out, half);
}

/* y += one pixel to 2 x 2: rows of x (ny, nx, n_in), y being twice as large; W (2, n_in, 2, n_out). */
EACH_CPU static void up(const float *x, long nx, long n_in, long n_out, const float *W, long first, long last,
                        float *y) {
    long width = 2 * n_out;
    for (long i = first; i < last; i++)
        for (int half = 0; half < 2; half++)
            multiply(x + i * nx * n_in, n_in, nx, n_in, W + half * n_in * width, width, y + (2 * i + half) * nx * width,
                     1);
}

/* Wait until n threads have come here as often as this one; `count` begins at 0. */
static void meet(int *count, int n) {
    int mine = __atomic_add_fetch(count, 1, __ATOMIC_ACQ_REL);
    int all = (mine + n - 1) / n * n;
    while (__atomic_load_n(count, __ATOMIC_ACQUIRE) < all) sched_yield();
}

/* A layer: `kind` 0 is a 3 x 3 convolution, 1 goes down and 2 up; `rows` of work in it. */
struct layer {
    long kind, rows, ny, nx, n_in, n_out, relu;
    const float *x, *weights, *other;
    float *y;
};

/* The share k of n threads in one layer after the other; all of them meet after each. */
void kolumn_layers(const struct layer *layers, long many, long k, long n, int *count, float *memory) {
    for (const struct layer *one = layers; one < layers + many; one++) {
        long first = k * one->rows / n, last = (k + 1) * one->rows / n;
        if (one->kind == 0)
            convolve(one->x, one->ny, one->nx, one->n_in, one->n_out, one->weights, one->relu, one->other, first, last,
                     memory, one->y);
        else if (one->kind == 1)
            down(one->x, one->nx, one->n_in, one->n_out, one->weights, first, last, one->y);
        else
            up(one->x, one->nx, one->n_in, one->n_out, one->weights, first, last, one->y);
        meet(count, (int)n);
    }
}

/* The threads that torch computes with, where they are those of OpenMP. Others would have to share the cores with them,
   for they spin a while before they sleep. */
#ifdef __linux__
void GOMP_parallel(void (*)(void *), void *, unsigned, unsigned) __attribute__((weak));
int omp_get_thread_num(void) __attribute__((weak));
int omp_get_num_threads(void) __attribute__((weak));

struct work {
    const struct layer *layers;
    long many, stride;
    int *count;
    float *memory;
};

static void share(void *given) {
    const struct work *w = given;
    long k = omp_get_thread_num();
    kolumn_layers(w->layers, w->many, k, omp_get_num_threads(), w->count, w->memory + k * w->stride);
}

/* All layers by at most n of these threads; `memory` has n parts, each `stride` after the last. 0: there are none. */
int kolumn_layers_together(const struct layer *layers, long many, long n, int *count, float *memory, long stride) {
    if (GOMP_parallel == NULL || omp_get_thread_num == NULL || omp_get_num_threads == NULL) return 0;
    struct work w = {layers, many, stride, count, memory};
    GOMP_parallel(share, &w, (unsigned)n, 0);
    return 1;
}
#else
int kolumn_layers_together(const struct layer *layers, long many, long n, int *count, float *memory, long stride) {
    (void)layers, (void)many, (void)n, (void)count, (void)memory, (void)stride;
    return 0;
}
#endif
