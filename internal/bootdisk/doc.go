// Package bootdisk makes one disk of an image, from which a virtual machine boots the app without gitd around it.
//
// It owns the form of that disk: its boot loader, its table of partitions, and which parts there are. The parts are the
// very files that gitd boots, byte for byte. It does not own what is in them (packages base, builder and image), what
// starts the app (core), nor what the machine's init does with it (cmd/nodeos-init).
package bootdisk
