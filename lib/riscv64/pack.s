# riscv64: the loader of a pack, several images that take turns in one place (docs/native.md, 9). In machine mode all harts come here at
# once, and nobody could call back those that sleep in an image which is about to vanish: so the next image is started by a reset of
# the machine, which also gives back every device as it was.

# Calls of a running image come to the first byte, with the number of the payload in a0; loaders enter at the second word.
pack_load:
    j       load
pack_start:
    j       start

# These bytes are put where the images run, because with -bios none harts begin at the start of RAM.
pack_boot:
    li      t0, PACK_BASE
    jalr    zero, 4(t0)
pack_boot_end:

load:
    la      t0, pack_table
    ld      t1, 0(t0)               # count
    bgeu    a0, t1, wrong
    ld      t1, 16(t0)              # scratch
    sd      a0, 0(t1)
    fence   rw, rw
    li      t0, IS_SUPERVISOR
    bnez    t0, 1f
    li      t0, machine_finisher0_base
    li      t1, 0x7777              # reset
    sw      t1, 0(t0)
    j       stop
1:  li      a7, 0x53525354          # SBI 1.0, 10: system reset
    li      a6, 0
    li      a0, 1                   # cold reboot
    li      a1, 0
    ecall
    j       stop

# There is no such payload: the machine ends as crashed.
wrong:
    li      t0, machine_finisher0_base
    li      t1, 0x23333
    sw      t1, 0(t0)
stop:
    wfi
    j       stop

# a0: hart id; a1: device tree. Over SBI one hart comes alone, with any number.
start:
    mv      s0, a0
    mv      s1, a1
    li      t0, IS_SUPERVISOR
    bnez    t0, place
    bnez    s0, follow
    jal     count_harts
    # Nobody may be on the way here, through memory that is about to change.
    la      t0, arrived
1:  lw      t1, 0(t0)
    addi    t1, t1, 1
    bltu    t1, a0, 1b

place:
    la      t0, pack_table
    ld      t1, 16(t0)
    ld      t1, 0(t1)               # the payload, 0 after power-on
    ld      a3, 8(t0)               # where images run
    slli    t1, t1, 5
    add     t0, t0, t1
    ld      a4, 24(t0)              # address of its bytes
    ld      a5, 32(t0)              # how many
    ld      a6, 40(t0)              # in memory
    ld      a7, 48(t0)              # entry
    add     a5, a3, a5
    add     a6, a3, a6
1:  bgeu    a3, a5, 2f
    ld      t1, 0(a4)
    sd      t1, 0(a3)
    addi    a4, a4, 8
    addi    a3, a3, 8
    j       1b
2:  bgeu    a3, a6, 3f
    sd      zero, 0(a3)
    addi    a3, a3, 8
    j       2b
3:  la      t0, entry
    sd      a7, 0(t0)
    fence   rw, rw
    la      t0, is_open
    li      t1, 1
    sw      t1, 0(t0)
    j       enter

# The other harts wait until the image is in its place, and then enter it as they do at reset.
follow:
    la      t0, arrived
    li      t1, 1
    amoadd.w zero, t1, (t0)
    la      t0, is_open
1:  lw      t1, 0(t0)
    beqz    t1, 1b

enter:
    fence   rw, rw
    fence.i
    la      t0, entry
    ld      t0, 0(t0)
    mv      a0, s0
    mv      a1, s1
    li      a2, PACK_BASE
    jr      t0

# The number of harts into a0: properties `device_type` of the tree at s1 with the text "cpu" (Devicetree Specification 0.4, 3.8 and
# 5.4.1: token 3, length 4, name, value; words are big-endian).
count_harts:
    li      a0, 0
    lwu     t0, 0(s1)
    li      t1, 0xedfe0dd0
    bne     t0, t1, 3f
    lbu     t0, 5(s1)               # 24 of the 32 bits of its size
    lbu     t1, 6(s1)
    lbu     t2, 7(s1)
    slli    t0, t0, 16
    slli    t1, t1, 8
    or      t0, t0, t1
    or      t0, t0, t2
    add     t0, s1, t0
    addi    t1, s1, 12
    li      t2, 0x00757063
    li      t3, 0x04000000
    li      t4, 0x03000000
1:  bgeu    t1, t0, 3f
    lw      t5, 0(t1)
    bne     t5, t2, 2f
    lw      t5, -8(t1)
    bne     t5, t3, 2f
    lw      t5, -12(t1)
    bne     t5, t4, 2f
    addi    a0, a0, 1
2:  addi    t1, t1, 4
    j       1b
3:  bnez    a0, 4f
    li      a0, 1
4:  ret

# Set back by a reset, because the machine loads this file again.
    .balign 8
entry:
    .8byte  0
arrived:
    .4byte  0
is_open:
    .4byte  0

    .balign 16
pack_table:
