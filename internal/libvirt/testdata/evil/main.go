// Evil is the first process of a machine whose kernel is in an attacker's
// hands: what it does to the host or to its own kernel is for tests.
package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// mode is set by the linker: "flood" or "panic".
var mode string

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "evil:", err)
	}
	select {}
}

func run() error {
	for _, dir := range []string{"/dev", "/sys", "/proc"} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	for target, kind := range map[string]string{"/dev": "devtmpfs", "/sys": "sysfs", "/proc": "proc"} {
		if err := unix.Mount(kind, target, kind, 0, ""); err != nil {
			return fmt.Errorf("mount %s: %w", target, err)
		}
	}
	if err := loadModules(); err != nil {
		return err
	}
	port, err := openPort()
	if err != nil {
		return err
	}
	defer port.Close()
	if _, err := port.WriteString(`{"v":1,"kind":"booted","booted":{"kernel_ms":1,"init_ms":2,"kernel":"evil","beat_ms":1}}` + "\n"); err != nil {
		return err
	}
	if mode == "panic" {
		return os.WriteFile("/proc/sysrq-trigger", []byte("c"), 0)
	}
	return flood(port)
}

func loadModules() error {
	order, err := os.ReadFile("/modules/order")
	if err != nil {
		return err
	}
	for name := range strings.FieldsSeq(string(order)) {
		f, err := os.Open("/modules/" + name)
		if err != nil {
			return err
		}
		if err := unix.FinitModule(int(f.Fd()), "", 0); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		f.Close()
	}
	return nil
}

// openPort waits for the one port of the machine.
func openPort() (*os.File, error) {
	for range 1000 {
		names, err := filepath.Glob("/dev/vport*")
		if err != nil {
			return nil, err
		}
		if len(names) > 0 {
			return os.OpenFile(names[0], os.O_RDWR, 0)
		}
		time.Sleep(10 * time.Millisecond)
	}
	return nil, os.ErrNotExist
}

// flood writes without end: lines of output, nonsense, and lines without end.
func flood(port *os.File) error {
	block := bytes.Repeat([]byte(`{"v":1,"kind":"log","log":{"stream":"stdout","line":"flood"}}`+"\n"), 500)
	block = append(block, bytes.Repeat([]byte("\n"), 10000)...)
	block = append(block, bytes.Repeat([]byte("x"), 300<<10)...)
	block = append(block, '\n')
	for {
		if _, err := port.Write(block); err != nil {
			return err
		}
	}
}
