package main

import (
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

func number(r *http.Request, name string) int {
	n, err := strconv.Atoi(r.FormValue(name))
	if err != nil {
		return 99
	}
	return n
}

// die ends this process by a signal, as the kernel does. Go would handle the signal otherwise.
func die(sig syscall.Signal) {
	signal.Reset()
	// The default action: struct sigaction of the kernel, all zero.
	var action [32]byte
	if err := call(unix.SYS_RT_SIGACTION, uintptr(sig), pointer(&action), 0, 8); err != nil {
		fmt.Println(err)
	}
	syscall.Kill(os.Getpid(), sig)
}

// endless writes lines without end.
func endless() {
	for i := 0; ; i++ {
		fmt.Println("endless", i)
	}
}

// explode starts a fork bomb, and ends after three seconds of it.
func explode() {
	spawn()
	time.Sleep(3 * time.Second)
	os.Exit(1)
}

// bomb starts children that do the same as it does, for ever.
func bomb() {
	for {
		spawn()
		time.Sleep(10 * time.Millisecond)
	}
}

func spawn() {
	// StartProcess fails when there are too many processes, and is tried again.
	os.StartProcess("/proc/self/exe", []string{"x"}, &os.ProcAttr{Env: []string{"DRIVERTEST=bomb"}})
}
