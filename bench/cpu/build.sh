#!/bin/sh
# Builds the images of `npm run bench:cpu` beside their sources. Needs Debian's gcc-riscv64-linux-gnu; the images are committed, so
# that nobody else does. Each line: image, WORKLOAD, COUNT; riscv32's have the folder rv32.
set -eu
cd "$(dirname "$0")"
while read -r name workload count; do
  for target in "rv64imac_zicsr lp64 elf64lriscv ." "rv32imac_zicsr ilp32 elf32lriscv rv32"; do
    set -- $target
    mkdir -p "$4"
    riscv64-linux-gnu-gcc "-march=$1" "-mabi=$2" "-Wl,-m,$3" -mcmodel=medany -O2 -ffreestanding -fno-tree-loop-distribute-patterns -fno-pic -nostdlib -static \
      -Wl,-T,link.ld -Wl,--build-id=none -Wl,-z,max-page-size=4096 -s "-D$workload" "-DCOUNT=${count}ul" -o "$4/$name.elf" entry.S workloads.c
  done
done <<LIST
alu ALU 100000000
sieve SIEVE 40
copy COPY 800
calls CALLS 38
mix MIX 100000
reads READS 1000000
writes WRITES 1000000
timers TIMERS 200000
ecalls ECALLS 1000000
LIST
