/* The workloads of workloads.gspec, as a C compiler sees them. Usage: workloads NAME. Prints seconds and the checksum. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static uint64_t xorshift(void) {
  uint64_t x = 88172645463325252ull;
  for (uint32_t i = 0; i < 30000000u; i++) {
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
  }
  return x;
}

static uint8_t flags[1048576];

static uint64_t sieve(void) {
  uint64_t count = 0;
  for (int round = 0; round < 10; round++) {
    for (size_t i = 0; i < 1048576; i++) flags[i] = 1;
    count = 0;
    for (size_t i = 2; i < 1048576; i++)
      if (flags[i]) {
        count++;
        for (size_t j = i + i; j < 1048576; j += i) flags[j] = 0;
      }
  }
  return count;
}

__attribute__((noinline)) static uint64_t fib(uint32_t n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }

int main(int argc, char **argv) {
  const char *name = argc > 1 ? argv[1] : "";
  struct timespec a, b;
  clock_gettime(CLOCK_MONOTONIC, &a);
  uint64_t sum = strcmp(name, "xorshift") == 0 ? xorshift() : strcmp(name, "sieve") == 0 ? sieve() : fib(32);
  clock_gettime(CLOCK_MONOTONIC, &b);
  printf("%.6f %llx\n", (b.tv_sec - a.tv_sec) + (b.tv_nsec - a.tv_nsec) / 1e9, (unsigned long long)sum);
  return 0;
}
