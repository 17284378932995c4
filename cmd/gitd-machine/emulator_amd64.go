package main

const emulator = "/usr/bin/qemu-system-x86_64"
