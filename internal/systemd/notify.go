// Package systemd tells the service manager how gitd is (sd_notify(3)), whatever it is that listens at NOTIFY_SOCKET.
//
// It owns that socket, and when the watchdog wants to hear of gitd. It does not own whether gitd is well.
//
// github.com/coreos/go-systemd does the same from the environment, at each call. gitd takes these variables out of its
// environment, so that nothing that it starts can speak for it, and hands them to the gitd that takes its place.
package systemd

import (
	"context"
	"errors"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Manager is the service manager that has started gitd. The zero Manager is none.
type Manager struct {
	socket   string
	watchdog time.Duration // 0: it has none
}

// Take reads the environment, and takes what it reads out of it.
func Take() (m Manager) {
	m.socket = os.Getenv("NOTIFY_SOCKET")
	usec, err := strconv.ParseInt(os.Getenv("WATCHDOG_USEC"), 10, 64)
	of := os.Getenv("WATCHDOG_PID")
	if err == nil && usec > 0 && (of == "" || of == strconv.Itoa(os.Getpid())) {
		m.watchdog = time.Duration(usec) * time.Microsecond
	}
	for _, name := range []string{"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"} {
		os.Unsetenv(name) //nolint:errcheck // it cannot fail for a good name
	}
	return m
}

// Environment is what Take reads in the gitd that takes this one's place.
func (m Manager) Environment() (env []string) {
	if m.socket != "" {
		env = append(env, "NOTIFY_SOCKET="+m.socket)
	}
	if m.watchdog > 0 {
		env = append(env, "WATCHDOG_USEC="+strconv.FormatInt(m.watchdog.Microseconds(), 10))
	}
	return env
}

// tellLimit is how long a manager may take nothing before a message to it is given up.
const tellLimit = 2 * time.Second

// Tell sends assignments, for example Ready. There may be no manager: then it does nothing.
func (m Manager) Tell(assignments ...string) error {
	if m.socket == "" {
		return nil
	}
	// A leading @ is that of an abstract one.
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: m.socket, Net: "unixgram"})
	if err != nil {
		return err
	}
	defer conn.Close()
	err = conn.SetWriteDeadline(time.Now().Add(tellLimit))
	if err == nil {
		_, err = conn.Write([]byte(strings.Join(assignments, "\n")))
	}
	return err
}

// What a manager is told.
const (
	Ready    = "READY=1"
	Stopping = "STOPPING=1"
	alive    = "WATCHDOG=1"
)

// Status is a line for people, as `systemctl status` shows it.
func Status(text string) string { return "STATUS=" + strings.ReplaceAll(text, "\n", " ") }

// Main says that another process is the service from now on.
func Main(pid int) string { return "MAINPID=" + strconv.Itoa(pid) }

// Reloading begins what Ready ends.
func Reloading() string {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		return "RELOADING=1"
	}
	return "RELOADING=1\nMONOTONIC_USEC=" + strconv.FormatInt(now.Nano()/1000, 10)
}

// Watch tells the watchdog that gitd is alive, twice in its time, as long as well returns nil: it is given half of that
// time. It returns when ctx ends; without a watchdog, at once.
func (m Manager) Watch(ctx context.Context, well func(context.Context) error, ill func(error)) {
	if m.watchdog == 0 || m.socket == "" {
		return
	}
	every := m.watchdog / 2
	for tick := time.NewTicker(every); ; {
		look, cancel := context.WithTimeout(ctx, every)
		err := well(look)
		cancel()
		if err == nil {
			err = m.Tell(alive)
		}
		if err != nil && !errors.Is(ctx.Err(), context.Canceled) {
			ill(err)
		}
		select {
		case <-ctx.Done():
			tick.Stop()
			return
		case <-tick.C:
		}
	}
}
