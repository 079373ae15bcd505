// aarch64: the loader of a pack, several images that take turns (docs/native.md, 9). Their code stays where the VMM has put it; here what
// an image writes gets its initial contents, and the image is entered. Only one CPU is on when it runs: an image starts the others by
// PSCI, and they are off again when their function has returned. Translation is off, in the loader and when an image begins.

// x0: device tree, 0 where an ELF file was loaded.
pack_start:
    b       start
    nop
// Calls of a running image, with the number of the payload in x0.
pack_load:
    adr     x2, pack_table
    ldr     x3, [x2]                // count
    cmp     x0, x3
    b.hs    wrong
    ldr     x3, [x2, #16]           // the loader's memory
    ldr     x20, [x3]
    b       place
start:
    msr     daifset, #15
    mov     x20, x0
    adr     x2, pack_table
    ldr     x3, [x2, #16]
    str     x0, [x3]
    mov     x0, #0
place:
    ldr     x8, [x2, #24]           // CPU blocks
    add     x9, x8, #2048
1:  stp     xzr, xzr, [x8], #16
    cmp     x8, x9
    b.lo    1b
    ldr     x3, [x2, #8]            // where images write
    add     x2, x2, x0, lsl #5
    ldp     x4, x5, [x2, #32]       // initial contents, how many bytes
    ldp     x6, x7, [x2, #48]       // in memory, entry
    add     x5, x4, x5
    add     x6, x3, x6
    // What caches hold of the last image must not come down upon this one. Lines have at least 16 bytes; 64 is what there is.
    mov     x8, x3
2:  dc      civac, x8
    add     x8, x8, #64
    cmp     x8, x6
    b.lo    2b
    dsb     sy
3:  cmp     x4, x5
    b.hs    4f
    ldp     x8, x9, [x4], #16
    stp     x8, x9, [x3], #16
    b       3b
4:  dsb     sy
    mov     x0, x20
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
    .balign 16
pack_table:
