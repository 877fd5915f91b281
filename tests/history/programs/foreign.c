// SPDX-License-Identifier: GPL-2.0
/* A 32-bit program without a C library: exit status 9. */
void _start(void);

void _start(void)
{
	__asm__ volatile ("movl $1, %eax\n\tmovl $9, %ebx\n\tint $0x80");
	for (;;)
		;
}
