package main

import (
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// stopGrace is for an app that is asked to end by the power button or a
// signal, which bring no grace of their own.
const stopGrace = 10 * time.Second

// powerOff ends the machine. It returns only where it may not.
func powerOff() {
	unix.Sync()
	if err := unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF); err != nil {
		fmt.Fprintln(os.Stderr, "nodeos-init: power off:", err)
	}
}

// killAll kills every process but this one.
func killAll() {
	// Outside of a machine of its own that would be the user's session.
	if os.Getpid() == 1 {
		unix.Kill(-1, unix.SIGKILL) //nolint:errcheck // ESRCH: nobody is left
	}
}

// watchSignals makes SIGTERM, SIGINT and Ctrl-Alt-Del a stop.
func watchSignals(s *supervisor) {
	// Without this the kernel reboots at once on Ctrl-Alt-Del; with it, it
	// sends SIGINT. A kernel without a keyboard has no such thing.
	unix.Reboot(unix.LINUX_REBOOT_CMD_CAD_OFF) //nolint:errcheck // see above
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, unix.SIGTERM, unix.SIGINT)
	go func() {
		for range signals {
			s.stops <- stopGrace
		}
	}()
}

// watchPowerButtons makes a press of a power button a stop.
func watchPowerButtons(stops chan<- time.Duration) {
	devices, err := filepath.Glob("/dev/input/event*")
	if err != nil {
		return
	}
	for _, name := range devices {
		f, err := os.Open(name)
		if err != nil {
			continue
		}
		go func() {
			defer f.Close()
			readButtons(f, stops)
		}()
	}
}

// readButtons reads input events (struct input_event of a 64-bit kernel: 16
// bytes of time, type, code, value) until r ends.
func readButtons(r io.Reader, stops chan<- time.Duration) {
	const (
		keyEvent = 1   // EV_KEY
		keyPower = 116 // KEY_POWER
		pressed  = 1
	)
	var event [24]byte
	for {
		if _, err := io.ReadFull(r, event[:]); err != nil {
			return
		}
		kind, code := binary.NativeEndian.Uint16(event[16:]), binary.NativeEndian.Uint16(event[18:])
		if kind == keyEvent && code == keyPower && binary.NativeEndian.Uint32(event[20:]) == pressed {
			stops <- stopGrace
		}
	}
}
