# The first sector of the disk: the BIOS puts it at 0x7c00 and enters it in real mode, with its drive in DL.
# It reads the loader's second part, loader.s with what Go has put behind it, and goes on there.
#
# Its code must end before byte 440: the disk's signature and the table of partitions follow.

	.intel_syntax noprefix
	.code16
	.globl	_start

	.set	LOADER, 0x8000		# where loader.s is linked
	.set	FIRST, 2048		# the sector where the first partition begins
	.set	COUNT, 16		# sectors of it: 4 KiB of loader.s, and 4 KiB of its orders

_start:
	cli
	xor	ax, ax
	mov	ds, ax
	mov	es, ax
	mov	ss, ax
	mov	sp, 0x7c00
	sti
	cld
	ljmp	0, offset start		# some BIOSes enter at 07c0:0000
start:
	mov	si, offset packet
	mov	ah, 0x42		# extended read
	int	0x13
	jc	failed
	ljmp	0, LOADER
failed:
	mov	si, offset message
1:	lodsb
	test	al, al
	jz	2f
	mov	ah, 0x0e
	xor	bx, bx
	int	0x10
	jmp	1b
2:	hlt
	jmp	2b

packet:	.byte	16, 0
	.word	COUNT
	.word	LOADER, 0
	.quad	FIRST
message:
	.asciz	"NodeOS: the disk cannot be read by the BIOS\r\n"
