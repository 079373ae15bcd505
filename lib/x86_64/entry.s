# x86_64: where an image starts, on CPU 0 and on the others, where its exceptions and interrupts go, how guards are entered and left, and
# what compiled code calls for want of an instruction. docs/native.md has the conventions. Sections are those of the Intel SDM, volume 3,
# unless another book is named.

# ---- Multiboot header (0.6.96, 3.1), for flat files; compiler/images/boot-headers.ts fills it in ----

    .code32
    .4byte  0x1badb002
    .4byte  0, 0, 0, 0, 0, 0, 0

.equ CODE_64, 0x08
.equ DATA, 0x10
.equ CODE_32, 0x18

.equ IA32_EFER, 0xc0000080
.equ IA32_GS_BASE, 0xc0000101
.equ EFER_LME, 0x100
.equ CR0_PE, 0x1
# Paging, write protection also for the kernel, protected mode; floating point is not there (EM), so that nothing uses it unnoticed.
.equ CR0_VALUE, 0x80010005
.equ CR4_PAE, 0x20

# ---- Start of CPU 0: 32-bit protected mode, flat segments, paging and interrupts off ----

# ebx: record of the boot loader.
guest_start:
    cli
    cld
    xor     eax, eax
    mov     edi, offset guest_zero_start
    mov     ecx, offset guest_zero_end
    sub     ecx, edi
    shr     ecx, 2
    rep stosd
    # Until paging.gspec has made the tables: the first GiB as it is, in pages of 2 MiB.
    mov     edi, offset platform.tables + 0xfff
    and     edi, 0xfffff000
    lea     eax, [edi + 0x1003]
    mov     dword ptr [edi], eax
    lea     eax, [edi + 0x2003]
    mov     dword ptr [edi + 0x1000], eax
    mov     eax, 0x83
    xor     ecx, ecx
1:  mov     dword ptr [edi + ecx*8 + 0x2000], eax
    add     eax, 0x200000
    inc     ecx
    cmp     ecx, 512
    jb      1b
    mov     dword ptr [platform.root], edi
    mov     esp, offset guest_stacks + STACK_STEP
    mov     esi, offset native.cpus
    mov     dword ptr [esi], esi
    mov     dword ptr [esi + 104], esp
    lea     eax, [esp - STACK_SIZE]
    mov     dword ptr [esi + 16], eax
    mov     byte ptr [esi + 112], 1
    lgdt    [gdt_pointer]
    call    enter_long_mode
    .code64
    mov     edi, offset native.handover
    mov     dword ptr [rdi + 8], ebx
    mov     dword ptr [rdi + 16], offset guest_windows
    # What comes to a vector calls; the return address tells its number. Gates are of the kind 64-bit interrupt gate (6.14.1).
    mov     edi, offset platform.idt + 4096
    mov     esi, offset platform.idt
    xor     ecx, ecx
1:  lea     eax, [rdi + 5]
    mov     edx, offset guest_vector
    sub     edx, eax
    mov     byte ptr [rdi], 0xe8
    mov     dword ptr [rdi + 1], edx
    mov     word ptr [rsi], di
    mov     eax, edi
    shr     eax, 16
    mov     word ptr [rsi + 6], ax
    mov     dword ptr [rsi + 2], 0x8e000000 + CODE_64
    add     edi, 8
    add     esi, 16
    inc     ecx
    cmp     ecx, 256
    jb      1b
    lidt    [idt_pointer]
    call    platform.start
1:  hlt
    jmp     1b

# Makes the tables hold, and returns in 64-bit mode. esi: the CPU block.
    .code32
enter_long_mode:
    pop     edi
    mov     eax, cr4
    or      eax, CR4_PAE
    mov     cr4, eax
    mov     eax, dword ptr [platform.root]
    mov     cr3, eax
    mov     ecx, IA32_EFER
    rdmsr
    or      eax, EFER_LME
    wrmsr
    mov     eax, CR0_VALUE
    mov     cr0, eax
    push    CODE_64
    push    offset long_mode
    retf
    .code64
long_mode:
    mov     eax, DATA
    mov     ds, eax
    mov     es, eax
    mov     ss, eax
    xor     eax, eax
    mov     fs, eax
    mov     gs, eax
    mov     ecx, IA32_GS_BASE
    mov     eax, esi
    xor     edx, edx
    wrmsr
    mov     esp, esp
    mov     r15d, FUEL
    jmp     rdi

# ---- Start of another CPU ----

    .code32
other_protected:
    mov     eax, DATA
    mov     ds, eax
    mov     es, eax
    mov     ss, eax
    mov     esi, dword ptr [native.cpus + 152]
    mov     esp, dword ptr [esi + 104]
    call    enter_long_mode
    .code64
    lidt    [idt_pointer]
    # Who started this CPU may start the next.
    mov     qword ptr [native.cpus + 152], 0
    call    native.cpu_main
1:  cli
    hlt
    jmp     1b

    .balign 8
gdt:
    .8byte  0
    .8byte  0x00af9b000000ffff          # code, 64 bits
    .8byte  0x00cf93000000ffff          # data
    .8byte  0x00cf9b000000ffff          # code, 32 bits
    .8byte  0x00cff3000000ffff          # user mode: data
    .8byte  0x00affb000000ffff          # user mode: code, 64 bits
gdt_pointer:
    .2byte  47
    .8byte  gdt
idt_pointer:
    .2byte  4095
    .8byte  platform.idt

# Real mode begins at a copy of these 64 bytes at the start of a page (8.4.4).
    .balign 64
    .code16
guest_trampoline:
    jmp     short 1f
    .2byte  47
    .4byte  gdt
1:  cli
    mov     ax, cs
    mov     ds, ax
    lgdtd   [2]
    mov     eax, cr0
    or      al, CR0_PE
    mov     cr0, eax
    jmp     dword ptr CODE_32:other_protected
    .balign 64
    .code64

    .8byte  PCI_ECAM, PCI_MEMORY_START, PCI_MEMORY_SIZE, 0
# Where the machine answers in memory besides RAM: start and size, ended by zeros.
guest_windows:
    .8byte  WINDOW_0_START, WINDOW_0_SIZE, WINDOW_1_START, WINDOW_1_SIZE, WINDOW_2_START, WINDOW_2_SIZE, WINDOW_3_START, WINDOW_3_SIZE
    .8byte  WINDOW_4_START, WINDOW_4_SIZE, WINDOW_5_START, WINDOW_5_SIZE, WINDOW_6_START, WINDOW_6_SIZE, WINDOW_7_START, WINDOW_7_SIZE
    .8byte  0, 0

# ---- Exceptions and interrupts ----

# Vectors with an error code (table 6-1; 29 and 30 are AMD's, APM volume 2, 8.4.1).
with_error_code:
    .4byte  0x60227d00

# The frame, from the stack pointer: vector, r15 to r8, rdi, rsi, rbp, rbx, rdx, rcx, rax, error code, rip, cs, rflags, rsp, ss.
guest_vector:
    xchg    rax, qword ptr [rsp]
    sub     eax, offset platform.idt + 4101
    shr     eax, 3
    cmp     eax, 32
    jae     1f
    bt      dword ptr [with_error_code], eax
    jc      2f
1:  push    qword ptr [rsp]
    mov     qword ptr [rsp + 8], 0
2:  push    rcx
    push    rdx
    push    rbx
    push    rbp
    push    rsi
    push    rdi
    push    r8
    push    r9
    push    r10
    push    r11
    push    r12
    push    r13
    push    r14
    push    r15
    push    rax
    cld
    mov     r15d, FUEL
    mov     rbx, qword ptr gs:[16]
    test    byte ptr [rsp + 144], 3
    jz      3f
    # From user mode, on a stack that no limit is known of.
    mov     qword ptr gs:[16], 0
3:  cmp     eax, 32
    jae     interrupt
    cmp     eax, 14
    jne     4f
    mov     rdi, rsp
    call    bars.find_page
    test    eax, eax
    jnz     resume
    # The vector has 8 KiB more than the code that trapped; the guard that it ends gives them back.
4:  mov     eax, 0
    cmp     qword ptr gs:[16], 0
    je      5f
    sub     qword ptr gs:[16], 8192
    # Double faults, non-maskable interrupts and machine checks have stacks of their own.
    mov     ecx, dword ptr [rsp]
    mov     edx, 0x40104
    bt      edx, ecx
    jnc     5f
    mov     qword ptr gs:[16], rax
    # Further non-maskable interrupts come after an iret only (6.7.1), and nothing goes back to what this one has interrupted.
    mov     rcx, rsp
    push    DATA
    push    rcx
    pushfq
    push    CODE_64
    push    offset 5f
    iretq
5:  mov     rdi, rsp
    call    native.on_exception
    mov     edi, eax
    jmp     guest_unwind
interrupt:
    mov     edi, eax
    mov     rsi, rsp
    call    irq.on_vector
resume:
    mov     qword ptr gs:[16], rbx
    add     rsp, 8
    pop     r15
    pop     r14
    pop     r13
    pop     r12
    pop     r11
    pop     r10
    pop     r9
    pop     r8
    pop     rdi
    pop     rsi
    pop     rbp
    pop     rbx
    pop     rdx
    pop     rcx
    pop     rax
    add     rsp, 8
    iretq

# ---- Guards ----

# guest_guard(function, argument) -> status. The record, from the stack pointer: cs, stack_limit, vector_guard, in_vector, the outer guard,
# rflags, r14 to r12, rbx, rbp. What is above it is for whoever is told of a trap: his calls leave the stack of what trapped as it was, for
# a report to look at.
guest_guard:
    sub     rsp, GUARD_SPARE
    push    rbp
    push    rbx
    push    r12
    push    r13
    push    r14
    pushfq
    push    qword ptr gs:[24]
    push    qword ptr gs:[88]
    push    qword ptr gs:[96]
    push    qword ptr gs:[16]
    mov     eax, cs
    push    rax
    mov     qword ptr gs:[24], rsp
    mov     rax, rdi
    mov     rdi, rsi
    call    rax
    xor     eax, eax
    # Interrupts are off while the record is taken down, but user mode cannot say so.
    mov     ecx, cs
    test    cl, 3
    jnz     1f
    cli
1:  jmp     take_down
# eax: status; rsp: the record. In the kernel.
end_guard:
    cli
    test    byte ptr [rsp], 3
    jnz     end_user_guard
take_down:
    add     rsp, 8
    pop     qword ptr gs:[16]
    pop     qword ptr gs:[96]
    pop     qword ptr gs:[88]
    pop     qword ptr gs:[24]
    popfq
    pop     r14
    pop     r13
    pop     r12
    pop     rbx
    pop     rbp
    add     rsp, GUARD_SPARE
    ret
# A guard that was entered in user mode goes on there.
end_user_guard:
    mov     rcx, rsp
    push    DATA + 0x13
    push    rcx
    push    qword ptr [rcx + 40]
    push    CODE_64 + 0x23
    push    offset take_down
    iretq

# guest_unwind(status): ends the innermost guard; without one that is a trap of class `unreachable`.
guest_unwind:
    mov     eax, edi
    mov     ecx, cs
    test    cl, 3
    jz      1f
    int     UNWIND_VECTOR
1:  mov     rdx, qword ptr gs:[24]
    test    rdx, rdx
    jz      2f
    mov     rsp, rdx
    jmp     end_guard
2:  mov     edx, eax
    ud1     esp, dword ptr [rbp + 0xd]

# ---- For compiled code ----

# The beginning of functions that call, when they have their frame: every register is kept. What is wrong is told of the caller.
guest_enter:
    cmp     rsp, qword ptr gs:[16]
    jb      1f
    dec     r15
    js      guest_poll
    ret
1:  xor     edx, edx
    ud1     esp, dword ptr [rbp + 0xc]

# Fuel is used up. Every register is kept; the pc to blame is the return address.
guest_poll:
    push    rax
    push    rcx
    push    rdx
    push    rsi
    push    rdi
    push    r8
    push    r9
    push    r10
    push    r11
    push    rbp
    mov     rdi, qword ptr [rsp + 80]
    mov     rbp, rsp
    and     rsp, -16
    mov     r15d, FUEL
    call    native.poll
    mov     rsp, rbp
    pop     rbp
    pop     r11
    pop     r10
    pop     r9
    pop     r8
    pop     rdi
    pop     rsi
    pop     rdx
    pop     rcx
    pop     rax
    ret

# Whether the word before the address in rax is edx, and the address one of code: zero flag.
guest_check_code:
    cmp     rax, offset guest_code_start
    jbe     1f
    cmp     rax, offset guest_code_end
    jae     1f
    test    al, 3
    jnz     1f
    cmp     dword ptr [rax - 4], edx
    ret
1:  test    rsp, rsp
    ret

# The number of one bits of rax; rcx and rdx are lost. Neighbours are summed up: bits, pairs, nibbles, then all bytes by a product.
guest_popcnt:
    mov     rdx, rax
    shr     rdx, 1
    movabs  rcx, 0x5555555555555555
    and     rdx, rcx
    sub     rax, rdx
    movabs  rcx, 0x3333333333333333
    mov     rdx, rax
    shr     rdx, 2
    and     rax, rcx
    and     rdx, rcx
    add     rax, rdx
    mov     rdx, rax
    shr     rdx, 4
    add     rax, rdx
    movabs  rcx, 0x0f0f0f0f0f0f0f0f
    and     rax, rcx
    movabs  rcx, 0x0101010101010101
    imul    rax, rcx
    shr     rax, 56
    ret
