package main

import (
	"bytes"
	"errors"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/nodeos-dev/gitd/internal/guest"
)

// ticksPerSecond is the unit of times in /proc (USER_HZ). It is the same on every architecture of Linux that gitd runs
// on.
const ticksPerSecond = 100

// gather returns what the machine uses now, as far as /proc tells.
func gather(lost int64) *guest.Stats {
	s := &guest.Stats{Dropped: lost, UptimeMillis: sinceBoot().Milliseconds()}
	s.MemoryTotal, s.MemoryUsed = parseMemory(slurp("/proc/meminfo"))
	s.Load = parseLoad(slurp("/proc/loadavg"))
	s.Refaults = parseRefaults(slurp("/proc/vmstat")) * int64(os.Getpagesize())
	if self, ok := parseProcess(slurp("/proc/self/stat")); ok {
		s.InitRSS = self.pages * int64(os.Getpagesize())
	}
	for _, pid := range processIDs() {
		p, ok := parseProcess(slurp("/proc/" + pid + "/stat"))
		if !ok {
			continue
		}
		s.Processes++
		s.AppRSS += p.pages * int64(os.Getpagesize())
		s.CPUMillis += p.ticks * 1000 / ticksPerSecond
		s.OpenFiles += countFiles("/proc/" + pid + "/fd")
	}
	return s
}

// slurp returns the content of a file of /proc, or nothing: a process may have ended.
func slurp(name string) string {
	b, err := os.ReadFile(name)
	if err != nil {
		return ""
	}
	return string(b)
}

// processIDs lists all processes but this one.
func processIDs() []string {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil
	}
	var ids []string
	for _, n := range names {
		if n[0] >= '1' && n[0] <= '9' && n != "1" {
			ids = append(ids, n)
		}
	}
	return ids
}

// processUse is what one process uses.
type processUse struct {
	pages int64 // resident
	ticks int64 // of processor time, including those of its ended children
}

// parseProcess reads a /proc/PID/stat. ok is false for the kernel's own threads.
func parseProcess(stat string) (p processUse, ok bool) {
	// The second field is the program's name in brackets, which may hold
	// anything.
	end := strings.LastIndexByte(stat, ')')
	if end < 0 {
		return p, false
	}
	const flags, utime, children, rss = 6, 11, 14, 21 // counted from the third
	const kernelThread = 0x00200000
	f := strings.Fields(stat[end+1:])
	if len(f) <= rss {
		return p, false
	}
	number := func(i int) int64 {
		n, err := strconv.ParseInt(f[i], 10, 64)
		if err != nil {
			return 0
		}
		return n
	}
	if number(flags)&kernelThread != 0 {
		return p, false
	}
	for i := utime; i <= children; i++ {
		p.ticks += number(i)
	}
	p.pages = number(rss)
	return p, true
}

// parseMemory reads a /proc/meminfo. Both results are in bytes.
func parseMemory(meminfo string) (total, used int64) {
	var available int64
	for line := range strings.Lines(meminfo) {
		name, rest, _ := strings.Cut(line, ":")
		n, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
		if err != nil {
			continue
		}
		switch name {
		case "MemTotal":
			total = n << 10
		case "MemAvailable":
			available = n << 10
		}
	}
	return total, total - available
}

// parseLoad reads the average of one minute from a /proc/loadavg.
func parseLoad(loadavg string) float64 {
	first, _, _ := strings.Cut(loadavg, " ")
	load, err := strconv.ParseFloat(first, 64)
	if err != nil {
		return 0
	}
	return load
}

// countFiles counts the entries of a folder without keeping their names: an
// app may have a million open files, and this process little memory.
func countFiles(folder string) (n int) {
	fd, err := unix.Open(folder, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0
	}
	defer unix.Close(fd)
	var buf [4096]byte
	for {
		got, err := unix.Getdents(fd, buf[:])
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || got == 0 {
			return n
		}
		n += countEntries(buf[:got])
	}
}

// countEntries counts the entries of a getdents64(2) buffer, without . and ..
func countEntries(b []byte) (n int) {
	const length, name = 16, 19 // offsets in struct linux_dirent64
	for len(b) > name {
		size := int(b[length]) | int(b[length+1])<<8
		if size <= name || size > len(b) {
			return n
		}
		if text, _, _ := bytes.Cut(b[name:size], []byte{0}); string(text) != "." && string(text) != ".." {
			n++
		}
		b = b[size:]
	}
	return n
}

// parseRefaults reads from a /proc/vmstat how many pages of files had to be read again soon after they had been dropped
// to make room. A machine with enough memory drops none.
func parseRefaults(vmstat string) (pages int64) {
	for line := range strings.Lines(vmstat) {
		if n, ok := strings.CutPrefix(line, "workingset_refault_file "); ok {
			pages, _ = strconv.ParseInt(strings.TrimSpace(n), 10, 64)
		}
	}
	return pages
}
