# x86_64: the loader of a pack, several images that take turns (docs/native.md, 9). Their code stays where the boot loader has put it; here
# what an image writes gets its initial contents, and the image is entered as at its start. Other CPUs have got an INIT by then and
# wait for a STARTUP. Sections are those of the Intel SDM, volume 3.

.equ CODE_32, 0x18
.equ DATA, 0x10
.equ IA32_EFER, 0xc0000080

# PVH: 32-bit protected mode, flat segments, paging off, ebx is the boot loader's record.
    .code32
pack_start:
    jmp     start
    .balign 8
# Calls of a running image, on CPU 0 in long mode with interrupts off, with the number of the payload in edi. Back to where images start:
# paging goes off in compatibility mode (9.8.5.4).
    .code64
pack_load:
    mov     eax, offset pack_table
    mov     edi, edi
    cmp     rdi, qword ptr [rax]
    jae     wrong
    mov     esp, dword ptr [rax + 16]
    add     esp, 2048
    lgdt    [gdt_pointer]
    push    CODE_32
    push    offset protected
    retfq
    .code32
protected:
    mov     eax, DATA
    mov     ds, eax
    mov     es, eax
    mov     ss, eax
    mov     fs, eax
    mov     gs, eax
    mov     eax, cr0
    and     eax, 0x7fffffff
    mov     cr0, eax
    xor     eax, eax
    xor     edx, edx
    mov     cr4, eax
    mov     ecx, IA32_EFER
    wrmsr
    mov     eax, dword ptr [pack_table + 16]
    mov     ebx, dword ptr [eax]
    jmp     place

start:
    cli
    cld
    mov     eax, dword ptr [pack_table + 16]
    mov     dword ptr [eax], ebx
    xor     edi, edi
place:
    mov     ebp, edi
    shl     ebp, 5
    add     ebp, offset pack_table
    # CPU blocks
    mov     edi, dword ptr [pack_table + 24]
    mov     ecx, 512
    xor     eax, eax
    rep stosd
    # Where images write, and the initial contents of this one.
    mov     edi, dword ptr [pack_table + 8]
    mov     esi, dword ptr [ebp + 32]
    mov     ecx, dword ptr [ebp + 40]
    shr     ecx, 2
    rep movsd
    jmp     dword ptr [ebp + 56]

# There is no such payload: the machine ends as crashed.
    .code64
wrong:
    mov     eax, 2
    mov     edx, machine_exit0_port
    out     dx, eax
1:  cli
    hlt
    jmp     1b

    .balign 8
gdt:
    .8byte  0
    .8byte  0x00af9b000000ffff          # code, 64 bits
    .8byte  0x00cf93000000ffff          # data
    .8byte  0x00cf9b000000ffff          # code, 32 bits
gdt_pointer:
    .2byte  31
    .8byte  gdt
    .balign 8
pack_table:
