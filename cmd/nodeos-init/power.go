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

// stopGrace is the grace period of an app that is stopped by the power button or by a signal.
const stopGrace = 10 * time.Second

// powerOff ends the machine. It returns only if this process is not allowed to do that.
func powerOff() {
	unix.Sync()
	if err := unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF); err != nil {
		fmt.Fprintln(os.Stderr, "nodeos-init: power off:", err)
	}
}

// killAll kills every process except this one.
func killAll() {
	// Outside of a virtual machine this would kill the session of whoever runs the tests.
	if os.Getpid() == 1 {
		unix.Kill(-1, unix.SIGKILL) //nolint:errcheck // ESRCH: nobody is left
	}
}

// watchSignals stops the app at SIGTERM, SIGINT and Ctrl-Alt-Del.
func watchSignals(s *supervisor) {
	// Without this call the kernel reboots at once on Ctrl-Alt-Del; with it, the kernel sends SIGINT. A kernel without
	// a keyboard does not know this call.
	unix.Reboot(unix.LINUX_REBOOT_CMD_CAD_OFF) //nolint:errcheck // see above
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, unix.SIGTERM, unix.SIGINT)
	go func() {
		for range signals {
			s.stops <- stopGrace
		}
	}()
}

// watchPowerButtons stops the app when a power button is pressed.
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
