package main

const emulator = "/usr/bin/qemu-system-aarch64"
