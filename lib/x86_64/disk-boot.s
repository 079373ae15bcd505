# x86_64: the first sector of a disk with an image behind it (docs/native.md, 10). The BIOS starts it in real mode at 0x7c00 with the drive in
# dl (BIOS Boot Specification 1.01); it loads the image to where it is linked for, asks for the memory map, and enters the image as
# a PVH loader would, because then nothing in the image has to know of disks. compiler/images/disk.ts gives IMAGE_BASE, IMAGE_ENTRY and
# IMAGE_SECTORS. Sections without a book are those of the Intel SDM, volume 3.

.equ COM1, 0x3f8
.equ SECTOR, 512
# What is read at once; more than 127 sectors, or across 64 KiB, some BIOSes do not read.
.equ CHUNK, 64
.equ CODE_32, 0x08
.equ DATA, 0x10
.equ CR0_PE, 0x1

# Memory below the sector that the BIOS leaves alone, and above it for what is read.
.equ RECORD, 0x1000
.equ MAP, 0x1040
.equ MAP_ENTRY, 24
.equ MAP_ENTRIES, 64
.equ PACKET, 0x7000
.equ DRIVE, 0x7010
.equ BUFFER, 0x10000

    .code16
disk_start:
    cli
    xor     eax, eax
    mov     ds, ax
    mov     es, ax
    mov     ss, ax
    mov     esp, 0x7c00
    cld
    jmp     dword ptr 0:begin
begin:
    mov     byte ptr [DRIVE], dl
    sti

# Words of 8 bits on the console, which after a reset has words of 5 (16550 data sheet, line control register).
    mov     dx, COM1 + 3
    mov     al, 3
    out     dx, al

# Address line 20: by the BIOS, and by port 0x92 where that knows nothing of it.
    mov     ax, 0x2401
    int     0x15
    in      al, 0x92
    test    al, 2
    jnz     1f
    or      al, 2
    and     al, 0xfe
    out     0x92, al
1:

# The packet of the extended read: size, sectors, buffer as offset and segment, first sector in 64 bits (Enhanced
# Disk Drive Specification 3.0, device address packet).
    mov     dword ptr [PACKET], 16
    mov     dword ptr [PACKET + 4], BUFFER << 12
    mov     dword ptr [PACKET + 8], 1
    mov     dword ptr [PACKET + 12], 0
    mov     edi, IMAGE_BASE
    mov     ebp, IMAGE_SECTORS
next_chunk:
    mov     ecx, CHUNK
    cmp     ebp, ecx
    jae     1f
    mov     ecx, ebp
1:  mov     word ptr [PACKET + 2], cx
    push    ecx
    push    ebp
    push    edi
    mov     esi, PACKET
    mov     dl, byte ptr [DRIVE]
    mov     ah, 0x42
    int     0x13
    pop     edi
    pop     ebp
    pop     ecx
    jc      failed
    add     dword ptr [PACKET + 8], ecx
    sub     ebp, ecx
    # Segments that were loaded in protected mode keep their limit of 4 GiB (9.9.2, the note on going back without a reload); the BIOS may
    # have taken it away again, so it is done for each chunk.
    cli
    lgdtd   [gdt_pointer]
    mov     eax, cr0
    or      al, CR0_PE
    mov     cr0, eax
    mov     bx, DATA
    mov     ds, bx
    mov     es, bx
    and     al, 0xfe
    mov     cr0, eax
    mov     esi, BUFFER
    shl     ecx, 7
    addr32 rep movsd
    xor     eax, eax
    mov     ds, ax
    mov     es, ax
    sti
    test    ebp, ebp
    jnz     next_chunk

# The memory map (ACPI 6.5, 15.1): entries of 20 bytes, 24 apart as the record has them.
    mov     edi, MAP
    xor     ebx, ebx
    xor     ebp, ebp
next_entry:
    mov     dword ptr [di + 20], 0
    mov     eax, 0xe820
    mov     ecx, 20
    mov     edx, 0x534d4150
    int     0x15
    jc      map_ends
    cmp     eax, 0x534d4150
    jne     map_ends
    add     di, MAP_ENTRY
    inc     bp
    test    ebx, ebx
    jz      map_ends
    cmp     bp, MAP_ENTRIES
    jb      next_entry
map_ends:

# Xen, docs/misc/pvh.pandoc, `hvm_start_info`: no command line, no root pointer; the image has its own and looks for it.
    mov     edi, RECORD
    mov     cx, 16
    xor     eax, eax
    rep stosd
    mov     dword ptr [RECORD], 0x336ec578
    mov     byte ptr [RECORD + 4], 1
    mov     word ptr [RECORD + 40], MAP
    mov     word ptr [RECORD + 48], bp

    cli
    lgdtd   [gdt_pointer]
    mov     eax, cr0
    or      al, CR0_PE
    mov     cr0, eax
    jmp     dword ptr CODE_32:protected

    .code32
protected:
    mov     eax, DATA
    mov     ds, eax
    mov     es, eax
    mov     ss, eax
    mov     fs, eax
    mov     gs, eax
    mov     ebx, RECORD
    mov     eax, IMAGE_ENTRY
    jmp     eax

    .code16
# "disk?" on COM1, where the console is.
failed:
    mov     esi, offset message
    mov     cx, 6
    mov     dx, COM1
    rep outsb
1:  cli
    hlt
    jmp     1b
message:
    .byte   'd', 'i', 's', 'k', '?', 10

    .balign 8
gdt:
    .8byte  0
    .8byte  0x00cf9b000000ffff          # code, 32 bits
    .8byte  0x00cf93000000ffff          # data
gdt_pointer:
    .2byte  23
    .4byte  gdt
