/* The bytes of pause/pause.c, built without a C library, as data of this program. */
    .section .rodata
    .global pause_program, pause_program_size
    .balign 8
pause_program:
    .incbin PAUSE_PROGRAM
pause_program_end:
    .balign 8
pause_program_size:
    .quad pause_program_end - pause_program
    .section .note.GNU-stack, "", %progbits
