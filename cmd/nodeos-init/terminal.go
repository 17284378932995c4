package main

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/nodeos-dev/gitd/internal/guest"
)

// endOfText is what a terminal takes for the end of its input: ^D.
const endOfText = 4

// openTerminal makes the terminal on which all processes of a task run, one after the other.
func (t *streams) openTerminal(size guest.Size) (err error) {
	if t.master, err = os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0); err != nil {
		return err
	}
	var number int
	err = t.control(func(fd int) (err error) {
		if err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err == nil {
			number, err = unix.IoctlGetInt(fd, unix.TIOCGPTN)
		}
		return err
	})
	if err != nil {
		return err
	}
	if t.slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0); err != nil {
		return err
	}
	if err = t.slave.Chown(guest.AppUID, guest.AppUID); err != nil {
		return err
	}
	t.resize(size)
	t.poured.Go(func() { t.pour("stdout", t.master) })
	go t.feed(t.master, []byte{endOfText})
	return nil
}

// control calls f with the descriptor of the terminal's own end, which stays what it is for the runtime.
func (t *streams) control(f func(fd int) error) (err error) {
	raw, err := t.master.SyscallConn()
	if err != nil {
		return err
	}
	callErr := raw.Control(func(fd uintptr) { err = f(int(fd)) })
	if err == nil {
		err = callErr
	}
	return err
}

// resize gives the terminal another size, of which its processes are told. A size that is none is ignored.
func (t *streams) resize(s guest.Size) {
	const most = 1<<16 - 1
	if t.master == nil || s.Columns < 1 || s.Rows < 1 || s.Columns > most || s.Rows > most {
		return
	}
	t.control(func(fd int) error { //nolint:errcheck // a terminal without a size is one too
		return unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Col: uint16(s.Columns), Row: uint16(s.Rows)})
	})
}

// hangUp ends the terminal, whose last process has ended. What was written is still sent.
func (t *streams) hangUp() {
	t.slave.Close()
	t.slave = nil
}
