# The second part of the loader, at 0x8000. It takes the kernel, which is an ELF file, and an initramfs from the disk to
# the places where they run, and enters the kernel as QEMU does without firmware (PVH): in 32-bit mode, with the address
# of a hvm_start_info in EBX. See the kernel's include/xen/interface/hvm/start_info.h.
#
# What to read, and where to, is decided when the disk is made (orders.go): a list of orders follows this code. So this
# code knows nothing of ELF, of partitions and of file systems.

	.intel_syntax noprefix
	.code16
	.globl	_start

	.set	BUFFER, 0x10000		# for one read
	.set	CHUNK, 96		# sectors of one read; a BIOS takes 127 at most
	.set	MAP, 0x3000		# the memory map: as the BIOS gives it, it is a hvm_memmap_table_entry
	.set	MAPMAX, 128
	.set	MEMORY, 1		# the type of usable memory in it

	# The orders, as orders.go writes them.
	.set	ORDERS, 0x9000
	.set	ENTRY, ORDERS		# the kernel's first instruction
	.set	END, ORDERS + 4		# of the memory that is filled
	.set	INFO, ORDERS + 8	# where the hvm_start_info is
	.set	READS, ORDERS + 12	# how many reads: sector, sectors, address
	.set	CLEARS, ORDERS + 14	# how many areas to clear: address, bytes
	.set	LIST, ORDERS + 16	# the reads, then the areas
	.set	ENTRIES, 48		# in the hvm_start_info: the entries of the memory map

_start:
	mov	[drive], dl
	mov	si, offset hello
	call	print

	mov	ax, 0x2401		# no address wraps at 1 MiB: by the BIOS, and by the port that most have
	int	0x15
	in	al, 0x92
	or	al, 2
	and	al, 0xfe
	out	0x92, al

	# The memory map.
	xor	ebx, ebx
	mov	di, MAP
	xor	bp, bp
1:	mov	eax, 0xe820
	mov	edx, 0x534d4150
	mov	ecx, 24
	int	0x15
	jc	2f
	cmp	eax, 0x534d4150
	jne	2f
	mov	dword ptr [di + 20], 0
	add	di, 24
	inc	bp
	cmp	bp, MAPMAX
	jae	2f
	test	ebx, ebx
	jnz	1b
2:	mov	bx, [INFO]
	movzx	eax, bp
	mov	[bx + ENTRIES], eax

	# Is there memory from 1 MiB to END in one piece?
	mov	di, MAP
	mov	edx, [END]
	inc	bp
3:	dec	bp
	mov	si, offset small
	jz	fail
	cmp	dword ptr [di + 16], MEMORY
	jne	4f
	cmp	dword ptr [di + 4], 0
	jne	4f
	cmp	dword ptr [di], 0x100000
	ja	4f
	mov	eax, [di]
	mov	ebx, [di + 12]
	add	eax, [di + 8]
	adc	ebx, 0
	jnz	5f
	cmp	eax, edx
	jae	5f
4:	add	di, 24
	jmp	3b

	# The reads. SI is the order, BX how many are left.
5:	mov	si, LIST
	mov	bx, [READS]
next:	test	bx, bx
	jz	clear
	mov	eax, [si]
	mov	[sector], eax
chunk:	mov	ecx, [si + 4]
	test	ecx, ecx
	jz	8f
	cmp	ecx, CHUNK
	jbe	7f
	mov	ecx, CHUNK
7:	mov	[count], cx
	sub	[si + 4], ecx
	push	ecx
	push	bx
	push	si
	mov	si, offset packet
	mov	dl, [drive]
	mov	ah, 0x42
	int	0x13
	mov	si, offset unread
	jc	fail
	call	big
	pop	si
	pop	bx
	pop	ecx
	add	[sector], ecx
	mov	edi, [si + 8]
	shl	ecx, 7			# to words of 4 bytes
	push	si
	mov	esi, BUFFER
	addr32 rep movsd
	pop	si
	sti
	mov	[si + 8], edi
	jmp	chunk
8:	add	si, 12
	dec	bx
	jmp	next

clear:	mov	bx, [CLEARS]
	call	big
1:	test	bx, bx
	jz	go
	mov	edi, [si]
	mov	ecx, [si + 4]
	xor	al, al
	addr32 rep stosb
	add	si, 8
	dec	bx
	jmp	1b

go:	cli
	lgdt	[table]
	mov	eax, 0x11		# protected mode, and nothing else
	mov	cr0, eax
	ljmp	8, offset protected

# big lets DS and ES reach 4 GiB, without interrupts: a BIOS may set their limits back in any of its calls.
big:	cli
	lgdt	[table]
	mov	eax, cr0
	or	al, 1
	mov	cr0, eax
	jmp	1f
1:	mov	dx, 16
	mov	ds, dx
	mov	es, dx
	and	al, 0xfe
	mov	cr0, eax
	jmp	2f
2:	xor	dx, dx
	mov	ds, dx
	mov	es, dx
	ret

fail:	call	print
1:	hlt
	jmp	1b

print:	lodsb
	test	al, al
	jz	1f
	push	si
	mov	ah, 0x0e
	xor	bx, bx
	int	0x10
	pop	si
	jmp	print
1:	ret

	.code32
protected:
	mov	eax, 16
	mov	ds, eax
	mov	es, eax
	mov	fs, eax
	mov	gs, eax
	mov	ss, eax
	xor	eax, eax
	mov	cr4, eax
	mov	ebx, [INFO]
	jmp	dword ptr [ENTRY]

	.align	8
segments:
	.quad	0
	.quad	0x00cf9b000000ffff	# code: base 0, 4 GiB
	.quad	0x00cf93000000ffff	# data: the same
table:	.word	table - segments - 1
	.long	segments

	.align	4
packet:	.byte	16, 0
count:	.word	0
	.word	0, BUFFER >> 4
sector:	.quad	0
drive:	.byte	0
hello:	.asciz	"NodeOS starts. All it says is on the first serial port.\r\n"
small:	.asciz	"NodeOS: this machine has too little memory; give it 256 MiB\r\n"
unread:	.asciz	"NodeOS: the disk cannot be read\r\n"
