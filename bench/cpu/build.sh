#!/bin/sh
# Builds the images of `npm run bench:cpu` beside their sources. Needs Debian's gcc-riscv64-linux-gnu; the images are committed, so
# that nobody else does. Each line: image, WORKLOAD, COUNT.
set -eu
cd "$(dirname "$0")"
while read -r name workload count; do
  riscv64-linux-gnu-gcc -march=rv64imac_zicsr -mabi=lp64 -mcmodel=medany -O2 -ffreestanding -fno-tree-loop-distribute-patterns -fno-pic -nostdlib -static \
    -Wl,-T,link.ld -Wl,--build-id=none -Wl,-z,max-page-size=4096 -s "-D$workload" "-DCOUNT=${count}ul" -o "$name.elf" entry.S workloads.c
done <<LIST
alu ALU 100000000
sieve SIEVE 40
copy COPY 800
calls CALLS 38
mix MIX 100000
reads READS 1000000
ecalls ECALLS 1000000
LIST
