/* Steps that torch takes in many passes over memory, in one or a few: of total variation (tv.py has the equations),
   of orthogonal wavelets (kolumn/operators/wavelet.py has theirs), and of small matrices (kolumn/coils/eigen.py).

   Complex numbers are pairs of floats, images are contiguous (ny, nx), fields (2, ny, nx) with y first. */

#include <math.h>
#include <stdlib.h>

#include "each_cpu.h"

/* s = max(1 - c t / |h|, 0), joint over both directions; 0 / 0 is 0. */
static inline void shrinkage(const float *hy, const float *hx, const float *c, float t, long nx, float *s) {
    for (long j = 0; j < nx; j++) {
        float energy = hy[2 * j] * hy[2 * j] + hy[2 * j + 1] * hy[2 * j + 1] + hx[2 * j] * hx[2 * j] +
                       hx[2 * j + 1] * hx[2 * j + 1];
        float factor = 1.0f - c[j] * t / sqrtf(energy);
        s[j] = factor > 0 ? factor : 0;
    }
}

static inline void reflect(const float *h, const float *s, long nx, float *out) {
    for (long j = 0; j < nx; j++) {
        float factor = 2 * s[j] - 1;
        out[2 * j] = factor * h[2 * j];
        out[2 * j + 1] = factor * h[2 * j + 1];
    }
}

/* out = b + mu U + (mu - 1) V + rho D^H (2 s - 1) h; without the two in the middle where U is NULL. c (ny, nx) weighs
   the threshold t. -1: no memory. */
EACH_CPU int kolumn_tv_pull(const float *h, const float *b, const float *U, const float *V, const float *c, float rho,
                            float mu, float t, long ny, long nx, float *out) {
    long row = 2 * nx;
    const float *h_x = h + ny * row;
    float *memory = malloc(sizeof(float) * (nx + 3 * row + 2));
    if (memory == NULL) return -1;
    float *s = memory, *before = s + nx, *here = before + row, *across = here + row; /* across: from pixel -1 on */
    shrinkage(h + (ny - 1) * row, h_x + (ny - 1) * row, c + (ny - 1) * nx, t, nx, s);
    reflect(h + (ny - 1) * row, s, nx, before);
    for (long i = 0; i < ny; i++) {
        long at = i * row;
        shrinkage(h + at, h_x + at, c + i * nx, t, nx, s);
        reflect(h + at, s, nx, here);
        reflect(h_x + at, s, nx, across + 2);
        across[0] = across[row];
        across[1] = across[row + 1];
        if (U != NULL)
            for (long k = 0; k < row; k++)
                out[at + k] = b[at + k] + mu * U[at + k] + (mu - 1) * V[at + k] +
                              rho * (before[k] - here[k] + across[k] - across[k + 2]);
        else
            for (long k = 0; k < row; k++)
                out[at + k] = b[at + k] + rho * (before[k] - here[k] + across[k] - across[k + 2]);
        float *swap = before;
        before = here;
        here = swap;
    }
    free(memory);
    return 0;
}

/* h = (1 - a s) h + a d for one direction of one row, d being next - here. */
static inline void follow(float *h, const float *s, const float *here, const float *next, float a, long n) {
    for (long j = 0; j < n; j++) {
        float keep = 1 - a * s[j];
        h[2 * j] = keep * h[2 * j] + a * (next[2 * j] - here[2 * j]);
        h[2 * j + 1] = keep * h[2 * j + 1] + a * (next[2 * j + 1] - here[2 * j + 1]);
    }
}

/* h += a (D x - s h), U += a (x - G - U), V += a mu / (1 + mu) (G - V) with G = A^H A x; without the last two where
   G is NULL. energies: ||x - before||^2 and ||x||^2. -1: no memory. */
int kolumn_tv_push(float *h, float *U, float *V, const float *x, const float *before, const float *G, const float *c,
                   float a, float mu, float t, long ny, long nx, double *energies) {
    long row = 2 * nx;
    float *h_x = h + ny * row, slow = a * mu / (1 + mu);
    float *s = malloc(sizeof(float) * nx);
    if (s == NULL) return -1;
    energies[0] = energies[1] = 0;
    for (long i = 0; i < ny; i++) {
        long at = i * row;
        const float *here = x + at, *last = here + row - 2;
        shrinkage(h + at, h_x + at, c + i * nx, t, nx, s);
        follow(h + at, s, here, x + (i + 1 < ny ? at + row : 0), a, nx);
        follow(h_x + at, s, here, here + 2, a, nx - 1);
        follow(h_x + at + row - 2, s + nx - 1, last, here, a, 1);
        float change = 0, size = 0;
        for (long k = 0; k < row; k++) {
            float difference = here[k] - before[at + k];
            change += difference * difference;
            size += here[k] * here[k];
        }
        energies[0] += change;
        energies[1] += size;
        if (G != NULL)
            for (long k = 0; k < row; k++) {
                V[at + k] += slow * (G[at + k] - V[at + k]);
                U[at + k] += a * (here[k] - G[at + k] - U[at + k]);
            }
    }
    free(s);
    return 0;
}

/* Wavelets. A level turns n = 2 half (+ 1) samples into half of approximation, the odd one, half of detail. Rows are
   filtered as wholes along y; along x, each row is spread out into even and odd samples, or into approximation and
   detail, with p periodic ones at both ends. Signals are planes of real parts, then imaginary parts, so that all loops
   run over neighbours. h: low pass, then high pass, of 2 p taps each. */

static inline long wrapped(long i, long n) {
    i %= n;
    return i < 0 ? i + n : i;
}

static inline void add_scaled(float *out, const float *x, float factor, long n) {
    for (long k = 0; k < n; k++) out[k] += factor * x[k];
}

/* out[k] += sum_j taps[j] x[2 k + j - p + 1] on lines of `width` floats; x has rows `stride` apart. */
static inline void analyse_line(const float *x, long stride, long width, long n, const float *taps, long p, long k,
                                float *out) {
    for (long i = 0; i < width; i++) out[i] = 0;
    for (long j = 0; j < 2 * p; j++) add_scaled(out, x + wrapped(2 * k + j - p + 1, n) * stride, taps[j], width);
}

/* The sample i of what analyse_line took apart: sum_k taps[i - 2 k + p - 1] x[k]. */
static inline void synthesise_line(const float *x, long stride, long width, long half, const float *taps, long p, long i,
                                   float *out) {
    for (long j = (i + p - 1) % 2; j < 2 * p; j += 2)
        add_scaled(out, x + wrapped((i + p - 1 - j) / 2, half) * stride, taps[j], width);
}

static inline void spread(const float *from, long step, long n, long p, float *re, float *im) {
    for (long k = 0; k < n; k++) {
        re[p + k] = from[2 * step * k];
        im[p + k] = from[2 * step * k + 1];
    }
    for (long k = 1; k <= p; k++) {
        re[p - k] = re[p + wrapped(-k, n)];
        im[p - k] = im[p + wrapped(-k, n)];
        re[p + n + k - 1] = re[p + wrapped(k - 1, n)];
        im[p + n + k - 1] = im[p + wrapped(k - 1, n)];
    }
}

/* One row along x, from `row` to `out`, both of n complex samples; memory: 8 (half + 2 p) floats. */
static inline void analyse_row(const float *row, long n, const float *h, long p, float *memory, float *out) {
    long half = n / 2, length = half + 2 * p;
    if (half == 0) {
        out[0] = row[0], out[1] = row[1];
        return;
    }
    float *phases[4], *sums[4];
    for (int i = 0; i < 4; i++) phases[i] = memory + i * length, sums[i] = memory + (4 + i) * length;
    spread(row, 2, half, p, phases[0], phases[1]);
    spread(row + 2, 2, half, p, phases[2], phases[3]);
    for (long k = 0; k < 4 * length; k++) sums[0][k] = 0;
    for (long j = 0; j < 2 * p; j++) {
        long shift = j - p + 1, odd = wrapped(shift, 2), at = p + (shift - odd) / 2;
        for (int part = 0; part < 2; part++) {
            add_scaled(sums[part], phases[2 * odd + part] + at, h[j], half);
            add_scaled(sums[2 + part], phases[2 * odd + part] + at, h[2 * p + j], half);
        }
    }
    for (long k = 0; k < half; k++) {
        out[2 * k] = sums[0][k];
        out[2 * k + 1] = sums[1][k];
        out[2 * (n - half + k)] = sums[2][k];
        out[2 * (n - half + k) + 1] = sums[3][k];
    }
    if (n % 2) out[2 * half] = row[2 * (n - 1)], out[2 * half + 1] = row[2 * (n - 1) + 1];
}

static inline void synthesise_row(const float *row, long n, const float *h, long p, float *memory, float *out) {
    long half = n / 2, length = half + 2 * p;
    if (half == 0) {
        out[0] = row[0], out[1] = row[1];
        return;
    }
    float *bands[4], *sums[4];
    for (int i = 0; i < 4; i++) bands[i] = memory + i * length, sums[i] = memory + (4 + i) * length;
    spread(row, 1, half, p, bands[0], bands[1]);
    spread(row + 2 * (n - half), 1, half, p, bands[2], bands[3]);
    for (long k = 0; k < 4 * length; k++) sums[0][k] = 0;
    for (long odd = 0; odd < 2; odd++)
        for (long j = (odd + p - 1) % 2; j < 2 * p; j += 2) {
            long at = p + (odd + p - 1 - j) / 2;
            for (int part = 0; part < 2; part++) {
                add_scaled(sums[2 * odd + part], bands[part] + at, h[j], half);
                add_scaled(sums[2 * odd + part], bands[2 + part] + at, h[2 * p + j], half);
            }
        }
    for (long k = 0; k < half; k++)
        for (long odd = 0; odd < 2; odd++) {
            out[2 * (2 * k + odd)] = sums[2 * odd][k];
            out[2 * (2 * k + odd) + 1] = sums[2 * odd + 1][k];
        }
    if (n % 2) out[2 * (n - 1)] = row[2 * half], out[2 * (n - 1) + 1] = row[2 * half + 1];
}

/* One level on the top left rows x columns of an image with nx columns, in place; work is as large as the image. */
static inline void analyse(float *image, long nx, long rows, long columns, const float *h, long p, float *work,
                           float *memory) {
    long half = rows / 2, stride = 2 * nx, width = 2 * columns;
    for (long k = 0; k < half; k++) {
        analyse_line(image, stride, width, 2 * half, h, p, k, work + k * width);
        analyse_line(image, stride, width, 2 * half, h + 2 * p, p, k, work + (rows - half + k) * width);
    }
    for (long i = 0; rows % 2 && i < width; i++) work[half * width + i] = image[(rows - 1) * stride + i];
    for (long i = 0; i < rows; i++) analyse_row(work + i * width, columns, h, p, memory, image + i * stride);
}

static inline void synthesise(float *image, long nx, long rows, long columns, const float *h, long p, float *work,
                              float *memory) {
    long half = rows / 2, stride = 2 * nx, width = 2 * columns;
    for (long i = 0; i < rows; i++) synthesise_row(image + i * stride, columns, h, p, memory, work + i * width);
    for (long i = 0; i < 2 * half; i++) {
        float *out = image + i * stride;
        for (long k = 0; k < width; k++) out[k] = 0;
        synthesise_line(work, width, width, half, h, p, i, out);
        synthesise_line(work + (rows - half) * width, width, width, half, h + 2 * p, p, i, out);
    }
    for (long i = 0; rows % 2 && i < width; i++) image[(rows - 1) * stride + i] = work[half * width + i];
}

/* W, or W^H where `adjoint`, of an image (ny, nx), in place. -1: no memory. */
EACH_CPU int kolumn_wavelet(float *image, long ny, long nx, const float *h, long p, long levels, int adjoint) {
    float *work = malloc(sizeof(float) * (2 * ny * nx + 8 * (nx + 2 * p)));
    if (work == NULL) return -1;
    for (long i = 0; i < levels; i++) {
        long level = adjoint ? levels - 1 - i : i;
        long rows = ny, columns = nx;
        for (long k = 0; k < level; k++) rows = (rows + 1) / 2, columns = (columns + 1) / 2;
        if (adjoint)
            synthesise(image, nx, rows, columns, h, p, work, work + 2 * ny * nx);
        else
            analyse(image, nx, rows, columns, h, p, work, work + 2 * ny * nx);
    }
    free(work);
    return 0;
}

/* Dominant eigenvectors. Sixteen matrices at a time, one in each lane: A[2 i n + 2 j] has the real parts of the entries
   (i, j), and the lanes after it the imaginary parts. */

#define LANES 16
typedef float lanes[LANES];

/* out = A over its trace, or A where that is not positive. */
static inline void normalise(const lanes *A, long n, lanes *out) {
    lanes factor = {0};
    for (long i = 0; i < n; i++)
        for (int p = 0; p < LANES; p++) factor[p] += A[2 * i * (n + 1)][p];
    for (int p = 0; p < LANES; p++) factor[p] = factor[p] > 0 ? 1 / factor[p] : 1;
    for (long e = 0; e < 2 * n * n; e++)
        for (int p = 0; p < LANES; p++) out[e][p] = A[e][p] * factor[p];
}

/* B = A A for Hermitian A: what is above the diagonal tells what is below. */
static inline void square(const lanes *A, long n, lanes *B) {
    for (long i = 0; i < n; i++)
        for (long j = i; j < n; j++) {
            lanes rr = {0}, ii = {0}, ri = {0}, ir = {0}; /* four sums, so that none waits for another */
            for (long k = 0; k < n; k++) {
                const lanes *a = A + 2 * (i * n + k), *b = A + 2 * (k * n + j);
                for (int p = 0; p < LANES; p++) {
                    rr[p] += a[0][p] * b[0][p];
                    ii[p] += a[1][p] * b[1][p];
                    ri[p] += a[0][p] * b[1][p];
                    ir[p] += a[1][p] * b[0][p];
                }
            }
            lanes *here = B + 2 * (i * n + j), *mirrored = B + 2 * (j * n + i);
            for (int p = 0; p < LANES; p++) {
                here[0][p] = mirrored[0][p] = rr[p] - ii[p];
                here[1][p] = i == j ? 0 : ri[p] + ir[p];
            }
            for (int p = 0; p < LANES; p++) mirrored[1][p] = -here[1][p];
        }
}

/* The longest column of a matrix that has become v v^H, of unit norm. */
static inline void column(const lanes *A, long n, long p, float *v) {
    long best = 0;
    for (long i = 1; i < n; i++)
        if (A[2 * i * (n + 1)][p] > A[2 * best * (n + 1)][p]) best = i;
    float energy = 0;
    for (long i = 0; i < 2 * n; i++) {
        v[i] = A[2 * (i / 2 * n + best) + i % 2][p];
        energy += v[i] * v[i];
    }
    float norm = energy > 0 ? sqrtf(energy) : 1;
    for (long i = 0; i < 2 * n; i++) v[i] /= norm;
}

/* v^H M v */
static inline float quotient(const float *M, const float *v, long n) {
    float sum = 0;
    for (long i = 0; i < n; i++) {
        float re = 0, im = 0;
        for (long j = 0; j < n; j++, M += 2) {
            re += M[0] * v[2 * j] - M[1] * v[2 * j + 1];
            im += M[0] * v[2 * j + 1] + M[1] * v[2 * j];
        }
        sum += v[2 * i] * re + v[2 * i + 1] * im;
    }
    return sum;
}

/* v (count, n) of unit norm and v^H M v (count) of Hermitian M (count, n, n), by so many squarings. -1: no memory. */
EACH_CPU int kolumn_eigenvectors(const float *M, long count, long n, long squarings, float *v, float *values) {
    long size = 2 * n * n;
    lanes *A = malloc(sizeof(lanes) * 2 * size);
    if (A == NULL) return -1;
    lanes *B = A + size;
    for (long start = 0; start < count; start += LANES) {
        long there = count - start < LANES ? count - start : LANES;
        for (long e = 0; e < size; e++)
            for (long p = 0; p < LANES; p++) B[e][p] = p < there ? M[(start + p) * size + e] : 0;
        normalise(B, n, A);
        for (long s = 0; s < squarings; s++) {
            square(A, n, B);
            normalise(B, n, A);
        }
        for (long p = 0; p < there; p++) {
            float *found = v + 2 * n * (start + p);
            column(A, n, p, found);
            values[start + p] = quotient(M + (start + p) * size, found, n);
        }
    }
    free(A);
    return 0;
}
