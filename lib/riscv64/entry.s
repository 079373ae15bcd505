# riscv64: where an image starts, where its exceptions and interrupts go, how guards are entered and left, and what compiled code calls
# for want of an instruction. docs/native.md has the conventions; CSR names that begin with `x_` are those of the machine's mode,
# machine or supervisor (compiler/targets/riscv64/target.ts).

# ---- Boot image header (Linux, Documentation/riscv/boot-image-header), so that the flat image is one ----

guest_start:
    j       start
    .4byte  0
    .8byte  TEXT_OFFSET
    .8byte  guest_image_size        # filled in with the size in memory
    .8byte  0                       # flags: little-endian
    .4byte  2                       # version 0.2
    .4byte  0
    .8byte  0
    .8byte  0x5643534952            # "RISCV"
    .4byte  0x05435352              # "RSC\x05"
    .4byte  0
.equ guest_image_size, 0

# ---- Start ----

# a0: hart id; a1: device tree.
start:
    csrw    X_IE, zero
    li      t0, STATUS_IE
    csrc    X_STATUS, t0
    bnez    a0, elsewhere
main_hart:
    la      t0, guest_zero_start
    la      t1, guest_zero_end
1:  bgeu    t0, t1, 2f
    sd      zero, 0(t0)
    addi    t0, t0, 8
    j       1b
2:  la      t0, native.handover
    sd      a0, 0(t0)
    sd      a1, 8(t0)
    la      tp, native.cpus
    sd      tp, 0(tp)
    sd      a0, 152(tp)
    la      t0, hart_start
    sd      t0, 160(tp)
    la      t0, wake
    sd      t0, 240(tp)
    la      sp, guest_stacks
    li      t0, STACK_RESERVE
    add     t1, sp, t0
    sd      t1, 16(tp)
    li      t0, STACK_STEP
    add     sp, sp, t0
    sd      sp, 104(tp)
    li      t0, 1
    sd      t0, 112(tp)
    jal     set_up
    jal     platform.start
1:  wfi
    j       1b

# Only in machine mode do all harts come here; supervisor harts come one at a time, the first with any number.
elsewhere:
    li      t0, IS_SUPERVISOR
    bnez    t0, main_hart
    li      t0, MAX_CPUS
    bgeu    a0, t0, never
    la      tp, native.cpus
    slli    t0, a0, 8
    add     tp, tp, t0
    li      t1, CLINT
    li      t2, -1
    j       rest
# A hart sleeps until it is woken, and starts when a function is given with that. tp: its CPU block, which in a pack is everybody's: the image
# may be another one by then, so it says where its harts go on. In supervisor mode the software interrupt wakes.
park:
    li      t1, CLINT
    bnez    t1, doze
    li      t0, SOFTWARE
    csrw    X_IE, t0
1:  wfi
    csrr    t0, X_IP
    andi    t0, t0, SOFTWARE
    beqz    t0, 1b
    fence   rw, rw
    ld      t0, 120(tp)
    li      t1, SOFTWARE
    csrc    X_IP, t1
    beqz    t0, 1b
    j       called
# In machine mode the timer wakes, because the software interrupt may be somebody's message, which stays pending. The timer's own setting is
# in the block meanwhile.
doze:
    csrr    t0, mhartid
    slli    t0, t0, 3
    add     t0, t0, t1
    li      t2, 0x4000
    add     t0, t0, t2
    ld      t2, 0(t0)
rest:
    csrr    t0, mhartid
    slli    t0, t0, 3
    add     t0, t0, t1
    li      t1, 0x4000
    add     t0, t0, t1
    sd      t2, 248(tp)
    li      t1, -1
    sd      t1, 0(t0)
    fence   rw, rw
    sd      zero, 240(tp)
    li      t1, 0x80
    csrw    mie, t1
2:  wfi
    fence   rw, rw
    ld      t1, 120(tp)
    beqz    t1, 2b
    ld      t1, 248(tp)
    sd      t1, 0(t0)
    li      t1, 1
    sd      t1, 240(tp)
called:
    la      t0, native.cpus
    ld      t0, 240(t0)
    jr      t0
wake:
    ld      sp, 104(tp)
    csrw    X_IE, zero
    jal     set_up
    jal     native.cpu_main
    # From here on nothing of the image's memory is needed, page tables neither.
    li      t0, IS_SUPERVISOR
    beqz    t0, park
    csrw    satp, zero
    sfence.vma
    j       park
never:
    wfi
    j       never

# SBI starts a hart here (SBI 1.0, 9.1): a0 hart id, a1 its CPU block.
hart_start:
    mv      tp, a1
    j       park

# Words of the CPU block that are this target's own:
#   152  number of the hart        160  address of hart_start
#   168  1 in user mode            176  t0 of user mode, on the way in and out
#   184  satp for user mode        192  satp for the kernel
#   200  address of gate_in and    208  of gate_out, where both modes' tables have them
#   216  address of from_user      224  address of guest_trap
#   232  address of guest_user_run 240  of CPU 0: address of wake; of others: 1 while they run what they were started for
#   248  machine mode: setting of the timer while the hart sleeps; supervisor mode: a software interrupt was sent and not taken
set_up:
    li      gp, FUEL
    sd      zero, 168(tp)
    la      t0, gate_in
    sd      t0, 200(tp)
    la      t0, gate_out
    sd      t0, 208(tp)
    la      t0, from_user
    sd      t0, 216(tp)
    la      t0, guest_user_run
    sd      t0, 232(tp)
    la      t0, guest_trap
    sd      t0, 224(tp)
    csrw    X_TVEC, t0
    ret

# ---- User mode ----

# In supervisor mode a page is either user mode's to execute or the kernel's (Volume II, 4.3.1): each mode has tables of its own, which
# agree on the page of these two. User mode goes on with the stack it is called on, and X_SCRATCH is then the CPU block.

    .balign 4
gate_in:
    csrrw   tp, X_SCRATCH, tp
    sd      t0, 176(tp)
    ld      t0, 192(tp)
    csrw    satp, t0
    sfence.vma
    ld      t0, 224(tp)
    csrw    X_TVEC, t0
    ld      t0, 216(tp)
    jr      t0

# t0 of user mode is in the CPU block, its other registers are in place, interrupts are off.
gate_out:
    ld      t0, 200(tp)
    csrw    X_TVEC, t0
    ld      t0, 184(tp)
    csrw    satp, t0
    sfence.vma
    csrw    X_SCRATCH, tp
    ld      t0, 176(tp)
    .4byte  TRAP_RETURN
gate_end:

# guest_user_run(function, argument): calls it in user mode.
guest_user_run:
    addi    sp, sp, -112
    sd      ra, 0(sp)
    sd      s0, 8(sp)
    sd      s1, 16(sp)
    sd      s2, 24(sp)
    sd      s3, 32(sp)
    sd      s4, 40(sp)
    sd      s5, 48(sp)
    sd      s6, 56(sp)
    sd      s7, 64(sp)
    sd      s8, 72(sp)
    sd      s9, 80(sp)
    sd      s10, 88(sp)
    sd      s11, 96(sp)
    # What interrupts were is in the mode before, as if a trap had come from user mode.
    li      t0, STATUS_IE
    csrrc   t1, X_STATUS, t0
    and     t1, t1, t0
    sd      t1, 104(sp)
    sd      sp, 144(tp)
    mv      t1, a0
    mv      a0, a1
    la      ra, guest_user_end
# Goes on in user mode at t1.
to_user:
    csrw    X_EPC, t1
    li      t0, STATUS_PP
    csrc    X_STATUS, t0
    li      t0, 1
    sd      t0, 168(tp)
    ld      t0, 208(tp)
    jr      t0

# Calls of the kernel: these are known by their place, one from elsewhere by a number in a7.
guest_user_end:
    ecall
guest_user_unwind:
    ecall

user_ended:
    ld      sp, 144(tp)
    ld      ra, 0(sp)
    ld      s0, 8(sp)
    ld      s1, 16(sp)
    ld      s2, 24(sp)
    ld      s3, 32(sp)
    ld      s4, 40(sp)
    ld      s5, 48(sp)
    ld      s6, 56(sp)
    ld      s7, 64(sp)
    ld      s8, 72(sp)
    ld      s9, 80(sp)
    ld      s10, 88(sp)
    ld      s11, 96(sp)
    ld      t0, 104(sp)
    addi    sp, sp, 112
    csrs    X_STATUS, t0
    ret

# ---- Exceptions and interrupts ----

# The emergency: the stack pointer is none. What is below the vector's reserve is a stack for telling of it.
.equ STACK_SOUND, STACK_STEP - 4096
.equ STACK_EMERGENCY, STACK_STEP - 8192

no_stack:
    mv      t0, sp
    ld      sp, 104(tp)
    li      t1, STACK_EMERGENCY
    sub     sp, sp, t1
    sd      sp, 16(tp)
    j       enter
# In the kernel. t0 and t1 are in words of the CPU block that only the way from user mode needs.
    .balign 4
guest_trap:
    sd      t0, 176(tp)
    sd      t1, 136(tp)
    ld      t0, 104(tp)
    sub     t0, t0, sp
    li      t1, STACK_SOUND
    bltu    t1, t0, no_stack
    mv      t0, sp
enter:
    addi    sp, sp, -288
    sd      t0, 16(sp)
    ld      t0, 176(tp)
    sd      t0, 40(sp)
    ld      t1, 136(tp)
    j       save
# In user mode, whose stack goes on here if it is sound: what cleanups captured is on it.
from_user:
    sd      zero, 168(tp)
    sd      sp, 136(tp)
    ld      t0, 144(tp)
    bltu    t0, sp, 1f
    ld      t0, 16(tp)
    bgeu    sp, t0, 2f
1:  ld      sp, 144(tp)
2:  andi    sp, sp, -16
    addi    sp, sp, -288
    ld      t0, 176(tp)
    sd      t0, 40(sp)
    ld      t0, 136(tp)
    sd      t0, 16(sp)
save:
    sd      ra, 8(sp)
    sd      gp, 24(sp)
    sd      tp, 32(sp)
    sd      t1, 48(sp)
    sd      t2, 56(sp)
    sd      s0, 64(sp)
    sd      s1, 72(sp)
    sd      a0, 80(sp)
    sd      a1, 88(sp)
    sd      a2, 96(sp)
    sd      a3, 104(sp)
    sd      a4, 112(sp)
    sd      a5, 120(sp)
    sd      a6, 128(sp)
    sd      a7, 136(sp)
    sd      s2, 144(sp)
    sd      s3, 152(sp)
    sd      s4, 160(sp)
    sd      s5, 168(sp)
    sd      s6, 176(sp)
    sd      s7, 184(sp)
    sd      s8, 192(sp)
    sd      s9, 200(sp)
    sd      s10, 208(sp)
    sd      s11, 216(sp)
    sd      t3, 224(sp)
    sd      t4, 232(sp)
    sd      t5, 240(sp)
    sd      t6, 248(sp)
    csrr    t0, X_EPC
    sd      t0, 256(sp)
    csrr    t1, X_CAUSE
    sd      t1, 264(sp)
    csrr    t0, X_TVAL
    sd      t0, 272(sp)
    csrr    t0, X_STATUS
    sd      t0, 280(sp)
    li      gp, FUEL
    bltz    t1, interrupt
    # An environment call of user mode (3.1.15, code 8).
    addi    t1, t1, -8
    bnez    t1, 1f
    ld      t0, 256(sp)
    la      t1, guest_user_end
    beq     t0, t1, user_ended
    la      t1, guest_user_unwind
    beq     t0, t1, guest_unwind
    ld      t1, 136(sp)
    li      t2, USER_DOZES
    beq     t1, t2, user_dozes
1:  # The vector has 8 KiB more than the code that trapped; the guard that it ends gives them back.
    ld      t0, 16(tp)
    li      t1, 8192
    sub     t0, t0, t1
    sd      t0, 16(tp)
    mv      a0, sp
    jal     native.on_exception
    j       guest_unwind
interrupt:
    # Causes are 3, 7, 11 in machine mode and 1, 5, 9 in supervisor mode: software, timer, external.
    slli    a0, t1, 1
    srli    a0, a0, 3
    jal     irq.on_interrupt
resume:
    ld      t0, 280(sp)
    csrw    X_STATUS, t0
    ld      ra, 8(sp)
    ld      gp, 24(sp)
    ld      t1, 48(sp)
    ld      t2, 56(sp)
    ld      s0, 64(sp)
    ld      s1, 72(sp)
    ld      a0, 80(sp)
    ld      a1, 88(sp)
    ld      a2, 96(sp)
    ld      a3, 104(sp)
    ld      a4, 112(sp)
    ld      a5, 120(sp)
    ld      a6, 128(sp)
    ld      a7, 136(sp)
    ld      s2, 144(sp)
    ld      s3, 152(sp)
    ld      s4, 160(sp)
    ld      s5, 168(sp)
    ld      s6, 176(sp)
    ld      s7, 184(sp)
    ld      s8, 192(sp)
    ld      s9, 200(sp)
    ld      s10, 208(sp)
    ld      s11, 216(sp)
    ld      t3, 224(sp)
    ld      t4, 232(sp)
    ld      t5, 240(sp)
    ld      t6, 248(sp)
    ld      t0, 40(sp)
    sd      t0, 176(tp)
    ld      t0, 256(sp)
    csrw    X_EPC, t0
    ld      t0, 280(sp)
    ld      sp, 16(sp)
    slli    t0, t0, PP_SIGN
    bltz    t0, 1f
    li      t0, 1
    sd      t0, 168(tp)
    ld      t0, 208(tp)
    jr      t0
1:  ld      t0, 176(tp)
    .4byte  TRAP_RETURN

# User mode sleeps until the time in a0, as other CPUs may run, and goes on behind its call: t0 is its address. The number does not stay in
# its register, where a later call that sets none would be taken for this one.
user_dozes:
    sd      zero, 136(sp)
    addi    t0, t0, 4
    sd      t0, 256(sp)
    ld      a0, 80(sp)
    jal     platform.doze_user
    j       resume

# ---- Guards ----

# guest_guard(function, argument) -> status. The record, from the stack pointer: ra, s0-s11, the outer guard, status (-1 of user
# mode, which has none), in_vector, vector_guard, stack_limit. What is above it is for whoever is told of a trap: his calls leave the stack
# of what trapped as it was, for a report to look at.
.equ GUARD_FRAME, GUARD_SPARE + 144

guest_guard:
    addi    sp, sp, -GUARD_FRAME
    sd      ra, 0(sp)
    sd      s0, 8(sp)
    sd      s1, 16(sp)
    sd      s2, 24(sp)
    sd      s3, 32(sp)
    sd      s4, 40(sp)
    sd      s5, 48(sp)
    sd      s6, 56(sp)
    sd      s7, 64(sp)
    sd      s8, 72(sp)
    sd      s9, 80(sp)
    sd      s10, 88(sp)
    sd      s11, 96(sp)
    ld      t0, 24(tp)
    sd      t0, 104(sp)
    ld      t1, 168(tp)
    li      t0, -1
    bnez    t1, 1f
    csrr    t0, X_STATUS
1:  sd      t0, 112(sp)
    ld      t0, 88(tp)
    sd      t0, 120(sp)
    ld      t0, 96(tp)
    sd      t0, 128(sp)
    ld      t0, 16(tp)
    sd      t0, 136(sp)
    sd      sp, 24(tp)
    mv      t0, a0
    mv      a0, a1
    jalr    t0
    li      a0, 0
end_guard:
    # Interrupts are off while the record is taken down; in user mode they cannot be.
    ld      t2, 168(tp)
    bnez    t2, 1f
    li      t1, STATUS_IE
    csrc    X_STATUS, t1
1:
    ld      t0, 104(sp)
    sd      t0, 24(tp)
    ld      t0, 120(sp)
    sd      t0, 88(tp)
    ld      t0, 128(sp)
    sd      t0, 96(tp)
    ld      t0, 136(sp)
    sd      t0, 16(tp)
    ld      ra, 0(sp)
    ld      s0, 8(sp)
    ld      s1, 16(sp)
    ld      s2, 24(sp)
    ld      s3, 32(sp)
    ld      s4, 40(sp)
    ld      s5, 48(sp)
    ld      s6, 56(sp)
    ld      s7, 64(sp)
    ld      s8, 72(sp)
    ld      s9, 80(sp)
    ld      s10, 88(sp)
    ld      s11, 96(sp)
    ld      t0, 112(sp)
    addi    sp, sp, GUARD_FRAME
    bnez    t2, 2f
    addi    t2, t0, 1
    beqz    t2, 1f
    and     t0, t0, t1
    csrs    X_STATUS, t0
    ret
    # The kernel ends a guard of user mode, which goes on.
1:  mv      t1, ra
    j       to_user
2:  ret

# guest_unwind(status): ends the innermost guard; without one that is a trap of class `unreachable`. User mode asks the kernel to end a
# guard that is not its own.
guest_unwind:
    ld      t0, 24(tp)
    beqz    t0, 2f
    ld      t1, 168(tp)
    beqz    t1, 1f
    ld      t1, 112(t0)
    addi    t1, t1, 1
    bnez    t1, guest_user_unwind
1:  mv      sp, t0
    j       end_guard
2:  slli    t1, a0, 32              # a status is an i32, a trap's value 64 bits of the zero-extended one
    srli    t1, t1, 32
    .4byte  0xc0001073              # unimp
    .4byte  0x4753000d

# ---- For compiled code ----

# Fuel is used up. t0: return address, and the pc to blame. Every other register is kept.
guest_poll:
    addi    sp, sp, -144
    sd      ra, 0(sp)
    sd      t0, 8(sp)
    sd      t1, 16(sp)
    sd      t2, 24(sp)
    sd      a0, 32(sp)
    sd      a1, 40(sp)
    sd      a2, 48(sp)
    sd      a3, 56(sp)
    sd      a4, 64(sp)
    sd      a5, 72(sp)
    sd      a6, 80(sp)
    sd      a7, 88(sp)
    sd      t3, 96(sp)
    sd      t4, 104(sp)
    sd      t5, 112(sp)
    sd      t6, 120(sp)
    li      gp, FUEL
    mv      a0, t0
    jal     native.poll
    ld      ra, 0(sp)
    ld      t0, 8(sp)
    ld      t1, 16(sp)
    ld      t2, 24(sp)
    ld      a0, 32(sp)
    ld      a1, 40(sp)
    ld      a2, 48(sp)
    ld      a3, 56(sp)
    ld      a4, 64(sp)
    ld      a5, 72(sp)
    ld      a6, 80(sp)
    ld      a7, 88(sp)
    ld      t3, 96(sp)
    ld      t4, 104(sp)
    ld      t5, 112(sp)
    ld      t6, 120(sp)
    addi    sp, sp, 144
    jr      t0

# Whether the word before the address in t0 is t1, and the address one of code: t1 becomes 0. Link: t2; t3 is lost.
guest_check_code:
    la      t3, guest_code_start
    bgeu    t3, t0, 1f
    la      t3, guest_code_end
    bgeu    t0, t3, 1f
    andi    t3, t0, 3
    bnez    t3, 1f
    lw      t3, -4(t0)
    xor     t1, t1, t3
    jr      t2
1:  li      t1, 1
    jr      t2

# Bits of t0 into t0; t1 and t3 are lost. Link: t2.
guest_clz:
    li      t1, 64
    beqz    t0, 2f
    li      t1, 0
1:  bltz    t0, 2f
    slli    t0, t0, 1
    addi    t1, t1, 1
    j       1b
2:  mv      t0, t1
    jr      t2

guest_ctz:
    li      t1, 64
    beqz    t0, 2f
    li      t1, 0
1:  andi    t3, t0, 1
    bnez    t3, 2f
    srli    t0, t0, 1
    addi    t1, t1, 1
    j       1b
2:  mv      t0, t1
    jr      t2

guest_popcnt:
    li      t1, 0
1:  beqz    t0, 2f
    addi    t3, t0, -1
    and     t0, t0, t3
    addi    t1, t1, 1
    j       1b
2:  mv      t0, t1
    jr      t2

guest_bswap:
    addi    sp, sp, -16
    sd      a0, 0(sp)
    li      t1, 0
    li      a0, 8
1:  slli    t1, t1, 8
    andi    t3, t0, 0xff
    or      t1, t1, t3
    srli    t0, t0, 8
    addi    a0, a0, -1
    bnez    a0, 1b
    mv      t0, t1
    ld      a0, 0(sp)
    addi    sp, sp, 16
    jr      t2
