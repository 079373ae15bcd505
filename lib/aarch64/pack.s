// aarch64: the loader of a pack, several images that take turns in one place (docs/native.md, 9). Only one CPU is on when it runs: an image
// starts the others by PSCI, and they are off again when their function has returned. So images follow one another without a
// reset of the machine. Translation is off, in the loader and when an image begins.

// Calls of a running image come to the first byte, with the number of the payload in x0; VMMs enter at the second word.
pack_load:
    b       load
pack_start:
    b       start

// x0: device tree, 0 where an ELF file was loaded.
start:
    msr     daifset, #15
    adr     x2, tree
    str     x0, [x2]
    mov     x0, #0
load:
    adr     x2, pack_table
    ldr     x3, [x2]                // count
    cmp     x0, x3
    b.hs    wrong
    ldr     x3, [x2, #8]            // where images run
    add     x2, x2, x0, lsl #5
    ldp     x4, x5, [x2, #24]       // address of its bytes, how many
    ldp     x6, x7, [x2, #40]       // in memory, entry
    add     x5, x3, x5
    add     x6, x3, x6
    // What caches hold of the last image must not come down upon the next one. Lines have at least 16 bytes; 64 is what there is.
    mov     x8, x3
1:  dc      civac, x8
    add     x8, x8, #64
    cmp     x8, x6
    b.lo    1b
    dsb     sy
2:  cmp     x3, x5
    b.hs    3f
    ldp     x8, x9, [x4], #16
    stp     x8, x9, [x3], #16
    b       2b
3:  cmp     x3, x6
    b.hs    4f
    stp     xzr, xzr, [x3], #16
    b       3b
4:  dsb     sy
    ic      iallu
    dsb     sy
    isb
    adr     x0, tree
    ldr     x0, [x0]
    movz    x1, #PACK_BASE & 0xffff
    movk    x1, #PACK_BASE >> 16 & 0xffff, lsl #16
    movk    x1, #PACK_BASE >> 32, lsl #32
    br      x7

// There is no such payload: the machine ends as crashed, by semihosting (SYS_EXIT_EXTENDED) or PSCI (SYSTEM_OFF).
wrong:
    mov     w0, #0x20
    adr     x1, crashed
    hlt     #0xf000
    movz    w0, #0x0008
    movk    w0, #0x8400, lsl #16
    hvc     #0
stop:
    wfi
    b       stop

    .balign 8
crashed:
    .8byte  0x20026
    .8byte  2
tree:
    .8byte  0

    .balign 16
pack_table:
