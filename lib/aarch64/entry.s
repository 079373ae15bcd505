// aarch64: where an image starts, where its exceptions and interrupts go, how guards are entered and left, and what compiled code calls
// for want of an instruction. docs/native.md has the conventions; sections are those of the Arm Architecture Reference Manual,
// DDI 0487 (I.a). The words of a CPU block from 152 on are this file's own:
//   152, 160  x1 and x2 while an exception is entered     168  1 in user mode (EL0)
//   176       the kernel's stack limit while in user mode 184  where the kernel goes on after it
//   192       the interrupt state of user mode            200  user mode's stack limit while in the kernel
//   208       the stack pointer of an exception

// ---- Boot image header (Linux, Documentation/arm64/booting.rst); compiler/images fills in sizes ----

guest_start:
    b       start
    b       guest_cpu_start         // at CPU_START of platform.gspec
    .8byte  0                       // offset from 2 MiB
    .8byte  0                       // size in memory
    .8byte  0                       // flags
    .8byte  0, 0, 0
    .4byte  0x644d5241              // "ARM\x64"
    .4byte  0

// ---- Start ----

// x0: device tree. EL1, translation off, so that every access must be aligned.
start:
    msr     daifset, #15
    mov     x20, x0
    adrp    x0, guest_zero_start
    add     x0, x0, :lo12:guest_zero_start
    adrp    x1, guest_zero_end
    add     x1, x1, :lo12:guest_zero_end
1:  cmp     x0, x1
    b.hs    2f
    stp     xzr, xzr, [x0], #16
    b       1b
2:  bl      tables_address
    // The first GiB is for devices, that of the image for memory; platform.gspec refines it. Descriptors: D8.3.1, D8.3.2.
    add     x1, x0, #1, lsl #12
    orr     x2, x1, #3
    str     x2, [x0]
    movz    x2, #0x0645
    movk    x2, #0x0060, lsl #48
    str     x2, [x1]
    adr     x2, guest_start
    lsr     x3, x2, #30
    lsl     x2, x3, #30
    mov     x4, #0x701
    orr     x2, x2, x4
    str     x2, [x1, x3, lsl #3]
    adrp    x0, native.handover
    add     x0, x0, :lo12:native.handover
    str     x20, [x0]
    adrp    x18, native.cpus
    add     x18, x18, :lo12:native.cpus
    str     x18, [x18]
    adrp    x0, guest_stacks
    add     x0, x0, :lo12:guest_stacks
    mov     x1, #STACK_RESERVE
    add     x1, x0, x1
    str     x1, [x18, #16]
    movz    x1, #STACK_STEP & 0xffff
    movk    x1, #STACK_STEP >> 16, lsl #16
    add     x0, x0, x1
    mov     sp, x0
    str     x0, [x18, #104]
    mov     x0, #1
    str     x0, [x18, #112]
    bl      set_up
    bl      platform.start
1:  wfi
    b       1b

// PSCI starts another CPU here (DEN 0022, 5.6): x0 is its block.
guest_cpu_start:
    msr     daifset, #15
    mov     x18, x0
    ldr     x0, [x18, #104]
    mov     sp, x0
    bl      set_up
    bl      native.cpu_main
    // A request of the timer must not outlast the CPU: QEMU 7.2 keeps the line of one that is reset, and nothing quiets it then.
    msr     cntv_ctl_el0, xzr
    // CPU_OFF (DEN 0022, 5.5)
    movz    w0, #0x0002
    movk    w0, #0x8400, lsl #16
    hvc     #0
1:  wfi
    b       1b

// The translation tables are pages of a variable that has one page more than they need: x0.
tables_address:
    adrp    x0, platform.tables
    add     x0, x0, :lo12:platform.tables
    add     x0, x0, #4095
    and     x0, x0, #0xfffffffffffff000
    ret

set_up:
    mov     x9, x30
    msr     tpidr_el1, x18
    mov     x28, #FUEL
    adr     x0, vectors
    msr     vbar_el1, x0
    // Attributes 0: memory, 1: device nGnRnE, 2: memory that is not cached (D17.2.97).
    movz    x0, #0x00ff
    movk    x0, #0x0044, lsl #16
    msr     mair_el1, x0
    // 48 bits below, nothing above, pages of 4 KiB, as many physical bits as there are up to 48 (D17.2.131).
    mrs     x0, id_aa64mmfr0_el1
    and     x0, x0, #15
    mov     x1, #5
    cmp     x0, #5
    csel    x0, x0, x1, lo
    movz    x1, #0x3510
    movk    x1, #0x8080, lsl #16
    orr     x1, x1, x0, lsl #32
    msr     tcr_el1, x1
    bl      tables_address
    msr     ttbr0_el1, x0
    isb
    tlbi    vmalle1
    dsb     nsh
    isb
    // SCTLR_EL1 (D17.2.118): translation, caches, stack alignment; user mode may wait, clean caches and zero blocks; exceptions leave PAN.
    movz    x0, #0xd81d
    movk    x0, #0x34d5, lsl #16
    msr     sctlr_el1, x0
    mov     x0, #0x300000           // CPACR_EL1.FPEN
    msr     cpacr_el1, x0
    mov     x0, #3                  // CNTKCTL_EL1: user mode reads both counters
    msr     cntkctl_el1, x0
    isb
    msr     daifclr, #4             // SError
    ret     x9

// ---- Guards ----

// guest_guard(function, argument) -> status. The record, from the stack pointer: x29, x30, x19-x27, the outer guard, the interrupt
// state or 1 for user mode, in_vector, vector_guard, stack_limit. What is above it is for whoever is told of a trap: his calls leave the
// stack of what trapped as it was, for a report to look at.
.equ GUARD_FRAME, GUARD_SPARE + 128

guest_guard:
    sub     sp, sp, #GUARD_FRAME
    stp     x29, x30, [sp]
    stp     x19, x20, [sp, #16]
    stp     x21, x22, [sp, #32]
    stp     x23, x24, [sp, #48]
    stp     x25, x26, [sp, #64]
    ldr     x9, [x18, #24]
    stp     x27, x9, [sp, #80]
    ldr     x9, [x18, #168]
    cbnz    x9, 1f
    mrs     x9, daif
1:  ldr     x10, [x18, #88]
    stp     x9, x10, [sp, #96]
    ldr     x9, [x18, #96]
    ldr     x10, [x18, #16]
    stp     x9, x10, [sp, #112]
    mov     x9, sp
    str     x9, [x18, #24]
    mov     x9, x0
    mov     x0, x1
    blr     x9
    mov     w0, #0
end_guard:
    // Interrupts are off while the record is taken down; user mode has no say in them.
    ldr     x9, [x18, #168]
    cbnz    x9, 1f
    msr     daifset, #2
1:  ldp     x27, x10, [sp, #80]
    str     x10, [x18, #24]
    ldp     x11, x10, [sp, #96]
    str     x10, [x18, #88]
    ldp     x12, x10, [sp, #112]
    str     x12, [x18, #96]
    str     x10, [x18, #16]
    ldp     x29, x30, [sp]
    ldp     x19, x20, [sp, #16]
    ldp     x21, x22, [sp, #32]
    ldp     x23, x24, [sp, #48]
    ldp     x25, x26, [sp, #64]
    add     sp, sp, #GUARD_FRAME
    cbnz    x9, 2f
    tbnz    x11, #0, 3f
    msr     daif, x11
2:  ret
    // The guard was entered in user mode, and something ended it in the kernel.
3:  mov     x10, sp
    msr     sp_el0, x10
    ldr     x10, [x18, #144]
    mov     sp, x10
    msr     elr_el1, x30
    ldr     x10, [x18, #192]
    msr     spsr_el1, x10
    mov     x10, #1
    str     x10, [x18, #168]
    eret

// guest_unwind(status): ends the innermost guard; without one that is a trap of class `unreachable`.
guest_unwind:
    ldr     x9, [x18, #168]
    cbnz    x9, 2f
    ldr     x9, [x18, #24]
    cbz     x9, 1f
    mov     sp, x9
    b       end_guard
1:  mov     w17, w0
    brk     #0xd70d
2:  svc     #USER_UNWINDS

.equ ENTERED_WITHOUT_ROOM, 0xd7cc   // stack_overflow, with a width that no such trap has
.equ USER_DOZES, 0xd7fd
.equ USER_UNWINDS, 0xd7fe
.equ USER_ENDS, 0xd7ff

// ---- Exceptions and interrupts ----

// The emergency: the stack pointer is none. What is below the vector's reserve is a stack for telling of it.
no_stack:
    ldr     x2, [x0, #104]
    sub     x2, x2, #STACK_STEP >> 12, lsl #12
    add     x2, x2, #2, lsl #12
    mov     sp, x2
    str     x2, [x0, #16]
    b       save

// x0: CPU block, x1: number of the vector; 3:2 say where from, 1:0 what: synchronous, IRQ, FIQ, SError.
enter:
    mov     x2, sp
    str     x2, [x0, #208]
    ldr     x2, [x0, #104]
    sub     x2, sp, x2
    add     x2, x2, #STACK_STEP - 4096 >> 12, lsl #12
    cmp     x2, #STACK_STEP - 4096 >> 12, lsl #12
    b.hi    no_stack
    tst     x2, #15
    b.ne    no_stack
save:
    sub     sp, sp, #288
    str     x3, [sp, #24]
    stp     x4, x5, [sp, #32]
    stp     x6, x7, [sp, #48]
    stp     x8, x9, [sp, #64]
    stp     x10, x11, [sp, #80]
    stp     x12, x13, [sp, #96]
    stp     x14, x15, [sp, #112]
    stp     x16, x17, [sp, #128]
    stp     x18, x19, [sp, #144]
    stp     x20, x21, [sp, #160]
    stp     x22, x23, [sp, #176]
    stp     x24, x25, [sp, #192]
    stp     x26, x27, [sp, #208]
    stp     x28, x29, [sp, #224]
    str     x30, [sp, #240]
    mrs     x3, tpidrro_el0
    ldp     x4, x5, [x0, #152]
    stp     x3, x4, [sp]
    str     x5, [sp, #16]
    mov     x18, x0
    mov     x28, #FUEL
    // The stack pointer of the code: its own for vectors 4 to 7, else that of user mode.
    mrs     x2, sp_el0
    ldr     x3, [x18, #208]
    and     x4, x1, #12
    cmp     x4, #4
    csel    x2, x3, x2, eq
    mrs     x3, elr_el1
    stp     x2, x3, [sp, #248]
    mrs     x2, spsr_el1
    mrs     x3, esr_el1
    stp     x2, x3, [sp, #264]
    mrs     x2, far_el1
    str     x2, [sp, #280]
    ldr     x4, [x18, #168]
    cbz     x4, 1f
    str     xzr, [x18, #168]
    ldr     x2, [x18, #16]
    str     x2, [x18, #200]
    ldr     x2, [x18, #176]
    str     x2, [x18, #16]
1:  and     x1, x1, #3
    cmp     x1, #1
    b.eq    interrupt
    cmp     x1, #2
    b.eq    interrupt
    cbz     x4, exception
    movz    w2, #USER_ENDS
    movk    w2, #0x5600, lsl #16    // SVC
    cmp     w3, w2
    b.eq    user_ends
    sub     w2, w2, #USER_ENDS - USER_UNWINDS
    cmp     w3, w2
    b.eq    user_unwinds
    sub     w2, w2, #USER_UNWINDS - USER_DOZES
    cmp     w3, w2
    b.eq    user_dozes
exception:
    // The vector has 8 KiB more than the code that trapped; the guard that it ends gives them back.
    ldr     x0, [x18, #16]
    sub     x0, x0, #2, lsl #12
    str     x0, [x18, #16]
    mov     x0, sp
    bl      native.on_exception
    b       guest_unwind
user_unwinds:
    ldr     w0, [sp]
    b       guest_unwind
// User mode sleeps until the time in x0, or until an interrupt that it takes.
user_dozes:
    ldr     x0, [sp]
    ldr     x1, [sp, #264]
    bl      platform.doze_user
    b       leave
// The function of `user.run` has returned: on in the kernel, as it was left (5 is EL1 with its own stack pointer).
user_ends:
    ldr     x0, [x18, #184]
    ldr     x1, [x18, #192]
    orr     x1, x1, #1
    orr     x1, x1, #4
    stp     x0, x1, [sp, #256]
    add     x0, sp, #288
    str     x0, [sp, #248]
    b       leave
interrupt:
    sub     w0, w1, #1
    bl      irq.on_interrupt
leave:
    ldp     x0, x1, [sp, #256]
    msr     elr_el1, x0
    msr     spsr_el1, x1
    tst     x1, #15
    b.ne    1f
    mov     x2, #1
    str     x2, [x18, #168]
    ldr     x2, [x18, #200]
    str     x2, [x18, #16]
1:  ldr     x0, [sp, #8]
    msr     tpidrro_el0, x0
    // With vectors 4 to 7 the stack pointer was where the frame says, even in an emergency.
    ldr     x0, [sp, #248]
    add     x2, sp, #288
    and     x1, x1, #15
    cmp     x1, #5
    csel    x1, x0, x2, eq
    ldp     x2, x3, [sp, #16]
    ldp     x4, x5, [sp, #32]
    ldp     x6, x7, [sp, #48]
    ldp     x8, x9, [sp, #64]
    ldp     x10, x11, [sp, #80]
    ldp     x12, x13, [sp, #96]
    ldp     x14, x15, [sp, #112]
    ldp     x16, x17, [sp, #128]
    ldp     x18, x19, [sp, #144]
    ldp     x20, x21, [sp, #160]
    ldp     x22, x23, [sp, #176]
    ldp     x24, x25, [sp, #192]
    ldp     x26, x27, [sp, #208]
    ldp     x28, x29, [sp, #224]
    ldr     x30, [sp, #240]
    ldr     x0, [sp]
    mov     sp, x1
    mrs     x1, tpidrro_el0
    eret

// ---- Vectors (D1.3.1), and in what is left of their 128 bytes, what compiled code calls ----

    .balign 2048
vectors:
    msr     tpidrro_el0, x0
    mrs     x0, tpidr_el1
    stp     x1, x2, [x0, #152]
    mov     x1, #0
    b       enter

// How functions that call others begin, behind what they keep for their callers: the stack pointer is compared, and counting is done.
// The trap is told of the place that called (platform.gspec). x15 and x16 are lost.
guest_enter:
    ldr     x16, [x18, #16]
    cmp     sp, x16
    b.lo    1f
// How their loops begin.
guest_loop:
    subs    x28, x28, #1
    b.mi    2f
    ret
1:  brk     #ENTERED_WITHOUT_ROOM
2:  mov     x15, x30
// Fuel is used up. x15: return address, and the pc to blame. x0 to x12 and x30 are kept.
guest_poll:
    sub     sp, sp, #128
    stp     x0, x1, [sp]
    stp     x2, x3, [sp, #16]
    stp     x4, x5, [sp, #32]
    stp     x6, x7, [sp, #48]
    stp     x8, x9, [sp, #64]
    stp     x10, x11, [sp, #80]
    stp     x12, x15, [sp, #96]
    str     x30, [sp, #112]
    mov     x28, #FUEL
    mov     x0, x15
    bl      native.poll
    b       poll_ends

    .balign 128
    msr     tpidrro_el0, x0
    mrs     x0, tpidr_el1
    stp     x1, x2, [x0, #152]
    mov     x1, #1
    b       enter

poll_ends:
    ldp     x0, x1, [sp]
    ldp     x2, x3, [sp, #16]
    ldp     x4, x5, [sp, #32]
    ldp     x6, x7, [sp, #48]
    ldp     x8, x9, [sp, #64]
    ldp     x10, x11, [sp, #80]
    ldp     x12, x15, [sp, #96]
    ldr     x30, [sp, #112]
    add     sp, sp, #128
    br      x15

    .balign 128
    msr     tpidrro_el0, x0
    mrs     x0, tpidr_el1
    stp     x1, x2, [x0, #152]
    mov     x1, #2
    b       enter

// Whether the address in x16 is one of code, with signature x17 before it: x15 becomes the address, and flag Z is set if so. x17 is lost.
guest_check_code:
    adrp    x15, guest_code_start
    add     x15, x15, :lo12:guest_code_start
    cmp     x16, x15
    b.ls    1f
    adrp    x15, guest_code_end
    add     x15, x15, :lo12:guest_code_end
    cmp     x16, x15
    b.hs    1f
    tst     x16, #3
    b.ne    1f
    movk    w17, #0x6a51, lsl #16
    ldur    w15, [x16, #-4]
    cmp     w15, w17
    mov     x15, x16
    ret
1:  tst     x16, xzr
    ccmp    x16, #0, #0, ne         // Z is clear
    ret

    .balign 128
    msr     tpidrro_el0, x0
    mrs     x0, tpidr_el1
    stp     x1, x2, [x0, #152]
    mov     x1, #3
    b       enter

// One bits of x16 into x16; x17 is lost. Link: x15.
guest_popcnt:
    lsr     x17, x16, #1
    and     x17, x17, #0x5555555555555555
    sub     x16, x16, x17
    and     x17, x16, #0x3333333333333333
    lsr     x16, x16, #2
    and     x16, x16, #0x3333333333333333
    add     x16, x16, x17
    add     x16, x16, x16, lsr #4
    and     x16, x16, #0x0f0f0f0f0f0f0f0f
    add     x16, x16, x16, lsr #8
    add     x16, x16, x16, lsr #16
    add     x16, x16, x16, lsr #32
    and     x16, x16, #0x7f
    br      x15

    .balign 128
    msr     tpidrro_el0, x0
    mrs     x0, tpidr_el1
    stp     x1, x2, [x0, #152]
    mov     x1, #4
    b       enter
    .balign 128
    msr     tpidrro_el0, x0
    mrs     x0, tpidr_el1
    stp     x1, x2, [x0, #152]
    mov     x1, #5
    b       enter
    .balign 128
    msr     tpidrro_el0, x0
    mrs     x0, tpidr_el1
    stp     x1, x2, [x0, #152]
    mov     x1, #6
    b       enter
    .balign 128
    msr     tpidrro_el0, x0
    mrs     x0, tpidr_el1
    stp     x1, x2, [x0, #152]
    mov     x1, #7
    b       enter
    .balign 128
    msr     tpidrro_el0, x0
    mrs     x0, tpidr_el1
    stp     x1, x2, [x0, #152]
    mov     x1, #8
    b       enter
    .balign 128
    msr     tpidrro_el0, x0
    mrs     x0, tpidr_el1
    stp     x1, x2, [x0, #152]
    mov     x1, #9
    b       enter
    .balign 128
    msr     tpidrro_el0, x0
    mrs     x0, tpidr_el1
    stp     x1, x2, [x0, #152]
    mov     x1, #10
    b       enter
    .balign 128
    msr     tpidrro_el0, x0
    mrs     x0, tpidr_el1
    stp     x1, x2, [x0, #152]
    mov     x1, #11
    b       enter
    // From 32-bit code, which there is none of.
    .balign 128
    msr     tpidrro_el0, x0
    mrs     x0, tpidr_el1
    stp     x1, x2, [x0, #152]
    mov     x1, #12
    b       enter
    .balign 128
    msr     tpidrro_el0, x0
    mrs     x0, tpidr_el1
    stp     x1, x2, [x0, #152]
    mov     x1, #13
    b       enter
    .balign 128
    msr     tpidrro_el0, x0
    mrs     x0, tpidr_el1
    stp     x1, x2, [x0, #152]
    mov     x1, #14
    b       enter
    .balign 128
    msr     tpidrro_el0, x0
    mrs     x0, tpidr_el1
    stp     x1, x2, [x0, #152]
    mov     x1, #15
    b       enter
