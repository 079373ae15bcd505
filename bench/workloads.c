/* The workloads of workloads.gspec, as a C compiler sees them. Usage: workloads NUMBER TIMES. Prints the CPU seconds and the checksum. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define NOINLINE __attribute__((noinline))

static uint64_t xorshift(uint32_t turns) {
  uint64_t x = 88172645463325252ull;
  for (uint32_t i = 0; i < turns; i++) {
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
  }
  return x;
}

static uint8_t flags[1048576];

static uint64_t sieve(uint32_t times) {
  uint64_t count = 0;
  for (uint32_t round = 0; round < times; round++) {
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

static uint64_t source[131072], target[131072];

static uint64_t copy(uint32_t times) {
  for (size_t i = 0; i < 131072; i++) source[i] = i * 3;
  for (uint64_t round = 0; round < times; round++) {
    source[round] = round;
    for (size_t i = 0; i < 131072; i++) target[i] = source[i];
  }
  uint64_t sum = 0;
  for (size_t i = 0; i < 131072; i++) sum = sum * 31 + target[i];
  return sum;
}

NOINLINE static uint64_t fib(uint32_t n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }

static uint32_t remainders[256];
static uint8_t message[65536];

NOINLINE static uint32_t crc32(uint32_t crc, const uint8_t *bytes, size_t length) {
  uint32_t value = ~crc;
  for (size_t i = 0; i < length; i++) value = remainders[(value ^ bytes[i]) & 0xff] ^ (value >> 8);
  return ~value;
}

static uint64_t crc(uint32_t times) {
  for (uint32_t n = 0; n < 256; n++) {
    uint32_t value = n;
    for (int bit = 0; bit < 8; bit++) value = value & 1 ? (value >> 1) ^ 0xedb88320u : value >> 1;
    remainders[n] = value;
  }
  for (size_t i = 0; i < 65536; i++) message[i] = (uint8_t)(i * 7 + (i >> 8));
  uint32_t sum = 0;
  for (uint32_t round = 0; round < times; round++) sum = crc32(sum, message, sizeof message);
  return sum;
}

static int32_t left[96][96], right[96][96], product[96][96];

static uint64_t matrix(uint32_t times) {
  for (int i = 0; i < 96; i++)
    for (int j = 0; j < 96; j++) {
      left[i][j] = i * 3 + j - 70;
      right[i][j] = 90 - (i + j * 5);
    }
  uint64_t sum = 0;
  for (uint32_t round = 0; round < times; round++) {
    left[0][round] = (int32_t)round;
    for (int i = 0; i < 96; i++)
      for (int j = 0; j < 96; j++) {
        int32_t cell = 0;
        for (int k = 0; k < 96; k++) cell += left[i][k] * right[k][j];
        product[i][j] = cell;
        sum += (uint32_t)cell;
      }
  }
  return sum;
}

#define KEY uint64_t
#include "linked-list.h"

static struct node nodes[1024];

static uint64_t list(uint32_t times) {
  for (int i = 0; i < 1024; i++) nodes[i] = (struct node){i + 1 < 1024 ? &nodes[i + 1] : NULL, (uint64_t)(i * 17 % 1024)};
  struct node *head = nodes;
  uint64_t sum = 0;
  for (uint64_t round = 0; round < times; round++) {
    sum = sum * 31 + search(head, round % 1024);
    head = reverse(head);
  }
  return sum;
}

static const char text[] = "5012,1234,-874,+122,35.54400,.1234500,-110.700,+0.64400,5.500e+3,-.123e-2,-87e+832,+0.6e-12,T0.3e-1F,-T.T++Tq,1T3.4e4z,34.0e-T^";
static uint64_t counts[8];

static int is_digit(uint8_t c) { return c >= '0' && c <= '9'; }

static uint32_t next_state(uint32_t state, uint8_t c) {
  switch (state) {
    case 0: return c == '+' || c == '-' ? 1 : is_digit(c) ? 2 : c == '.' ? 3 : 6;
    case 1: return is_digit(c) ? 2 : c == '.' ? 3 : 6;
    case 2: return c == '.' ? 3 : c == ',' ? 0 : is_digit(c) ? 2 : 6;
    case 3: return c == 'e' ? 4 : c == ',' ? 0 : is_digit(c) ? 3 : 6;
    case 4: return c == '+' || c == '-' ? 5 : 6;
    case 5: return c == ',' ? 0 : is_digit(c) ? 5 : 6;
    case 6: return c == ',' ? 0 : 7;
    default: return c == ',' ? 0 : 6;
  }
}

static uint64_t states(uint32_t times) {
  for (uint32_t round = 0; round < times; round++) {
    uint32_t state = 0;
    for (size_t i = 0; i < sizeof text - 1; i++) {
      state = next_state(state, (uint8_t)text[i]);
      counts[state]++;
    }
  }
  uint64_t sum = 0;
  for (int i = 0; i < 8; i++) sum = sum * 31 + counts[i];
  return sum;
}

static uint32_t heap[65536];

NOINLINE static void sift(size_t from, size_t count) {
  size_t at = from;
  uint32_t value = heap[from];
  while (at * 2 + 1 < count) {
    size_t child = at * 2 + 1;
    if (child + 1 < count && heap[child + 1] > heap[child]) child++;
    if (value >= heap[child]) break;
    heap[at] = heap[child];
    at = child;
  }
  heap[at] = value;
}

static uint64_t sort(uint32_t times) {
  uint32_t seed = 12345;
  uint64_t sum = 0;
  for (uint32_t round = 0; round < times; round++) {
    for (size_t i = 0; i < 65536; i++) {
      seed = seed * 1664525 + 1013904223;
      heap[i] = seed;
    }
    for (size_t start = 32768; start > 0;) sift(--start, 65536);
    for (size_t end = 65535; end > 0; end--) {
      uint32_t largest = heap[0];
      heap[0] = heap[end];
      heap[end] = largest;
      sift(0, end);
    }
    for (size_t i = 0; i < 65536; i++) sum = sum * 31 + heap[i];
  }
  return sum;
}

/* In the order of the tests. */
static uint64_t (*const workloads[])(uint32_t) = {xorshift, sieve, copy, fib, crc, matrix, list, states, sort};

int main(int argc, char **argv) {
  unsigned number = argc > 1 ? (unsigned)atoi(argv[1]) : 0;
  uint32_t times = argc > 2 ? (uint32_t)atoi(argv[2]) : 1;
  if (number >= sizeof workloads / sizeof *workloads) return 2;
  struct timespec a, b;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
  uint64_t sum = workloads[number](times);
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
  printf("%.6f %llx\n", (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) / 1e9, (unsigned long long)sum);
  return 0;
}
