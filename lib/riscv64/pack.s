# riscv64: the loader of a pack, several images that take turns (docs/native.md, 9). Their code stays where the boot loader has put it; here
# what an image writes gets its initial contents, and the image is entered. Other harts sleep meanwhile, in the code of whichever image
# they last ran, and look at nothing but their own CPU block.

.equ CPU_BLOCKS_SIZE, 2048

# All harts begin here in machine mode, whatever the file says, or the first one over SBI. a0: hart id; a1: device tree.
pack_start:
    li      t0, IS_SUPERVISOR
    j       start
# Calls of a running image, on CPU 0 with interrupts off, with the number of the payload in a0.
pack_load:
    la      t0, pack_table
    ld      t1, 0(t0)               # count
    bgeu    a0, t1, wrong
    mv      s2, a0
    ld      t1, 16(t0)              # the loader's memory
    ld      s0, 0(t1)
    ld      s1, 8(t1)
    li      t1, IS_SUPERVISOR
    beqz    t1, place
    csrw    satp, zero
    sfence.vma
    j       place

start:
    mv      s0, a0
    mv      s1, a1
    li      s2, 0
    bnez    t0, keep
    # Only hart 0 has memory to fill; the others go to sleep in the first image.
    bnez    s0, enter
keep:
    la      t0, pack_table
    ld      t1, 16(t0)
    sd      s0, 0(t1)
    sd      s1, 8(t1)

place:
    la      t0, pack_table
    ld      a3, 8(t0)               # where images write
    ld      t1, 24(t0)              # CPU blocks
    li      t2, CPU_BLOCKS_SIZE
    add     t2, t1, t2
1:  sd      zero, 0(t1)
    addi    t1, t1, 8
    bltu    t1, t2, 1b
    slli    t1, s2, 5
    add     t0, t0, t1
    ld      a4, 32(t0)              # initial contents
    ld      a5, 40(t0)              # how many bytes, a multiple of 16
    add     a5, a4, a5
2:  bgeu    a4, a5, enter
    ld      t1, 0(a4)
    ld      t2, 8(a4)
    sd      t1, 0(a3)
    sd      t2, 8(a3)
    addi    a4, a4, 16
    addi    a3, a3, 16
    j       2b

enter:
    fence   rw, rw
    la      t0, pack_table
    slli    t1, s2, 5
    add     t0, t0, t1
    ld      t0, 56(t0)
    mv      a0, s0
    mv      a1, s1
    jr      t0

# There is no such payload: the machine ends as crashed.
wrong:
    li      t0, machine_finisher0_base
    li      t1, 0x23333
    sw      t1, 0(t0)
1:  wfi
    j       1b

    .balign 8
pack_table:
