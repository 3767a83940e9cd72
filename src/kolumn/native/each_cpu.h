/* Compiled twice where that pays, with all that it calls: for processors of any maker with AVX2 and FMA, and for all. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#if __GNUC__ >= 12
#define EACH_CPU __attribute__((flatten, target_clones("arch=x86-64-v3", "default")))
#else
#define EACH_CPU __attribute__((flatten, target_clones("avx2", "default")))
#endif
#else
#define EACH_CPU
#endif
