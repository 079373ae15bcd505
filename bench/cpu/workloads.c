/* The workloads of `npm run bench:cpu`, for RV64IMAC and RV32IMAC in M-mode without a run-time; WORKLOAD chooses one, COUNT says how often. `work`
 * returns a checksum, of which the low 16 bits become the machine's exit status: an engine that computes something else is found out.
 * The images beside this file are what build.sh makes of it with Debian's gcc-riscv64-linux-gnu. */

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
/* As wide as registers are. */
typedef unsigned long word;

#define NOINLINE __attribute__((noinline))

static word fold(word x) {
#if __SIZEOF_LONG__ == 8
  x ^= x >> 32;
#endif
  return (x ^ (x >> 16)) & 0xffff;
}

#if defined(ALU)
/* xorshift: nine instructions a turn, no memory. The shifts that give the longest period depend on the width (Marsaglia, 2003). */
#if __SIZEOF_LONG__ == 8
#define SECOND 7
#define THIRD 17
#else
#define SECOND 17
#define THIRD 5
#endif

word work(void) {
  word x = (word)88172645463325252ull;
  for (word n = 0; n < COUNT; n++) {
    x ^= x << 13;
    x ^= x >> SECOND;
    x ^= x << THIRD;
  }
  return fold(x);
}

#elif defined(SIEVE)
#define SIZE (1 << 20)
static u8 composite[SIZE];

word work(void) {
  word primes = 0;
  for (word n = 0; n < COUNT; n++) {
    for (word i = 0; i < SIZE; i++) composite[i] = 0;
    for (word i = 2; i < SIZE; i++) {
      if (composite[i]) continue;
      primes++;
      for (word j = i + i; j < SIZE; j += i) composite[j] = 1;
    }
  }
  return fold(primes);
}

#elif defined(COPY)
/* The buffers are not a power of two apart: QEMU's directly mapped TLB does badly on those. */
#define WORDS (1 << 17)
static word from[WORDS + 520];
static word to[WORDS + 520];

static NOINLINE void copy(word *restrict target, const word *restrict source, word words) {
  for (word i = 0; i < words; i++) {
    target[i] = source[i];
    __asm__ volatile("");
  }
}

word work(void) {
  for (word i = 0; i < WORDS; i++) from[i] = i * (word)0x9e3779b97f4a7c15ull;
  word sum = 0;
  for (word n = 0; n < COUNT; n++) {
    from[n] += n;
    copy(to, from, WORDS);
    sum += to[n * 7 % WORDS];
  }
  return fold(sum);
}

#elif defined(CALLS)
static NOINLINE word fib(word n) {
  return n < 2 ? n : fib(n - 1) + fib(n - 2);
}

word work(void) {
  return fold(fib(COUNT));
}

#elif defined(MIX)
/* As CoreMark mixes them: a linked list that is searched and reversed, a matrix, a state machine with a jump table, a CRC. */
#define EDGE 12
static int matrix_a[EDGE * EDGE], matrix_b[EDGE * EDGE], matrix_c[EDGE * EDGE];

static NOINLINE u16 crc(u16 value, word data) {
  for (int i = 0; i < 32; i++) {
    u16 bit = (value ^ data) & 1;
    data >>= 1;
    value >>= 1;
    if (bit) value ^= 0xa001;
  }
  return value;
}

#define KEY word
#include "../linked-list.h"
#define NODES 64
static struct node nodes[NODES];

static NOINLINE word multiply(int by) {
  word sum = 0;
  for (int i = 0; i < EDGE; i++)
    for (int j = 0; j < EDGE; j++) {
      int cell = 0;
      for (int k = 0; k < EDGE; k++) cell += matrix_a[i * EDGE + k] * matrix_b[k * EDGE + j];
      matrix_c[i * EDGE + j] = cell + by;
      sum += (u32)cell;
    }
  return sum;
}

static NOINLINE word machine(const u8 *text, word length) {
  word counts[8] = {0};
  word state = 0;
  for (word i = 0; i < length; i++) {
    u8 c = text[i];
    switch (state) {
      case 0: state = c == '+' || c == '-' ? 1 : c >= '0' && c <= '9' ? 2 : c == '.' ? 3 : 6; break;
      case 1: state = c >= '0' && c <= '9' ? 2 : c == '.' ? 3 : 6; break;
      case 2: state = c == '.' ? 3 : c == ',' ? 0 : c >= '0' && c <= '9' ? 2 : 6; break;
      case 3: state = c == 'e' ? 4 : c == ',' ? 0 : c >= '0' && c <= '9' ? 3 : 6; break;
      case 4: state = c == '+' || c == '-' ? 5 : 6; break;
      case 5: state = c == ',' ? 0 : c >= '0' && c <= '9' ? 5 : 6; break;
      case 6: state = c == ',' ? 0 : 7; break;
      default: state = c == ',' ? 0 : 6; break;
    }
    counts[state]++;
  }
  word sum = 0;
  for (int i = 0; i < 8; i++) sum = sum * 31 + counts[i];
  return sum;
}

static const u8 text[] = "5012,1234,-874,+122,35.54400,.1234500,-110.700,+0.64400,5.500e+3,-.123e-2,-87e+832,+0.6e-12,T0.3e-1F,-T.T++Tq,1T3.4e4z,34.0e-T^";

word work(void) {
  for (word i = 0; i < NODES; i++) nodes[i] = (struct node){i + 1 < NODES ? &nodes[i + 1] : 0, i * 17 % NODES};
  for (int i = 0; i < EDGE * EDGE; i++) matrix_a[i] = i * 3 - 70, matrix_b[i] = 90 - i * 5;
  struct node *list = nodes;
  u16 sum = 0;
  for (word n = 0; n < COUNT; n++) {
    sum = crc(sum, search(list, n % NODES));
    list = reverse(list);
    sum = crc(sum, multiply((int)n));
    sum = crc(sum, machine(text, sizeof text - 1));
  }
  return sum;
}

#elif defined(READS)
/* COUNT reads of the UART's line status and as many of the CLINT's mtime. */
word work(void) {
  volatile u8 *lsr = (u8 *)0x10000005;
  volatile word *mtime = (word *)0x200bff8;
  word bits = 0, last = 0, backwards = 0;
  for (word n = 0; n < COUNT; n++) {
    bits += *lsr & 0x60;
    word now = *mtime;
    backwards += now < last;
    last = now;
  }
  return fold(bits + backwards);
}

#elif defined(WRITES)
/* COUNT times what a driver does that has an effect: a scratch register, a byte sent to itself and received, a threshold, a claim of nothing. */
word work(void) {
  volatile u8 *uart = (u8 *)0x10000000;
  volatile u32 *context = (u32 *)0xc200000;
  word sum = 0;
  uart[2] = 1;
  uart[4] = 0x10;
  for (word n = 0; n < COUNT; n++) {
    uart[7] = n;
    uart[0] = n;
    sum += uart[0];
    context[0] = n & 7;
    sum += context[1];
  }
  return fold(sum);
}

#elif defined(TIMERS)
/* COUNT times a timer that is set anew before it is due. */
word work(void) {
  volatile word *mtimecmp = (word *)0x2004000;
  for (word n = 0; n < COUNT; n++) *mtimecmp = ((word)1 << 30 | n) << 8;
  return fold(*mtimecmp);
}

#elif defined(ECALLS)
/* COUNT environment calls from M-mode, answered by a handler of six instructions. */
__asm__(
  "  .section .text\n"
  "  .balign 4\n"
  "handler:\n"
  "  csrrw t6, mscratch, t6\n"
  "  csrr t6, mepc\n"
  "  addi t6, t6, 4\n"
  "  csrw mepc, t6\n"
  "  csrrw t6, mscratch, t6\n"
  "  mret\n");

word work(void) {
  __asm__ volatile("la t0, handler\n csrw mtvec, t0" ::: "t0");
  word done = 0;
  for (word n = 0; n < COUNT; n++) {
    __asm__ volatile("ecall" ::: "memory");
    done += 3;
  }
  return fold(done);
}
#endif
