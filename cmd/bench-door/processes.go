package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// memory is what a process and its children have for themselves (PSS), in bytes.
func memory(pid int) (sum int64, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if words := strings.Fields(line); len(words) == 3 && words[0] == "Pss:" {
			n, err := strconv.ParseInt(words[1], 10, 64)
			if err != nil {
				return 0, err
			}
			sum = n << 10
		}
	}
	err = eachChild(pid, func(child int) error {
		more, err := memory(child)
		sum += more
		return err
	})
	return sum, err
}

// tick is the unit of the times in /proc/PID/stat, for programs of every kernel.
const tick = 10 * time.Millisecond

// processorTime measures what a process and its children compute from a moment on, until spent is called: while a door
// warms up, its requests are not counted either.
func processorTime(pid int, after time.Duration) (spent func() (time.Duration, error)) {
	type reading struct {
		sum time.Duration
		err error
	}
	first := make(chan reading, 1)
	time.AfterFunc(after, func() {
		sum, err := computed(pid)
		first <- reading{sum, err}
	})
	return func() (time.Duration, error) {
		last, err := computed(pid)
		before := <-first
		return last - before.sum, errors.Join(err, before.err)
	}
}

// computed is what a process and its children have computed, in programs and in the kernel.
func computed(pid int) (sum time.Duration, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(text), ") ") // the name may hold spaces
	words := strings.Fields(rest)
	if len(words) < 13 {
		return 0, fmt.Errorf("/proc/%d/stat holds %q", pid, text)
	}
	for _, word := range words[11:13] { // utime and stime
		n, parseErr := strconv.ParseInt(word, 10, 64)
		sum, err = sum+time.Duration(n)*tick, errors.Join(err, parseErr)
	}
	err = errors.Join(err, eachChild(pid, func(child int) error {
		more, err := computed(child)
		sum += more
		return err
	}))
	return sum, err
}

// eachChild calls do for each child of a process.
func eachChild(pid int, do func(child int) error) error {
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	for child := range strings.FieldsSeq(string(children)) {
		n, atoiErr := strconv.Atoi(child)
		err = errors.Join(err, atoiErr, do(n))
	}
	return err
}
