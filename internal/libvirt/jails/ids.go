package jails

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
)

// perMachine is how many subordinate ids a machine has: QEMU's, and its supervisor's.
const perMachine = 2

// ids hands out places in the ranges of subordinate ids that a user has.
type ids struct {
	uid, gid uint32 // the first of each range
	places   int    // how many machines the ranges are enough for

	mu    sync.Mutex
	taken map[string]int // by machine
	last  int            // the place that was given last
}

// readIDs reads the ranges of a user. They are what newuidmap and newgidmap go by.
func readIDs(name string, uid int) (*ids, error) {
	u, n, err := subordinate("/etc/subuid", name, uid)
	g, m, errGroups := subordinate("/etc/subgid", name, uid)
	if err := errors.Join(err, errGroups); err != nil {
		return nil, err
	}
	for _, program := range []string{"newuidmap", "newgidmap", "unshare"} {
		if _, err := exec.LookPath(program); err != nil {
			return nil, fmt.Errorf("%w: scripts/setup installs it", err)
		}
	}
	return &ids{uid: u, gid: g, places: int(min(n, m)) / perMachine, taken: map[string]int{}, last: -1}, nil
}

// subordinate returns the first range of a user in a file as subuid(5) describes it.
func subordinate(file, name string, uid int) (first, count uint32, err error) {
	f, err := os.Open(file)
	if err != nil {
		return 0, 0, err
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if first, count, ok := rangeOf(lines.Text(), name, uid); ok {
			return first, count, nil
		}
	}
	return 0, 0, fmt.Errorf("%s has no ids for the user %s", file, name)
}

func rangeOf(line, name string, uid int) (first, count uint32, ok bool) {
	f := strings.Split(strings.TrimSpace(line), ":")
	if len(f) != 3 || f[0] != name && f[0] != strconv.Itoa(uid) {
		return 0, 0, false
	}
	a, errFirst := strconv.ParseUint(f[1], 10, 32)
	n, errCount := strconv.ParseUint(f[2], 10, 32)
	if errFirst != nil || errCount != nil || a == 0 || n < perMachine || a+n > 1<<32-1 {
		return 0, 0, false
	}
	return uint32(a), uint32(n), true
}

// take gives a machine a place. A place that was freed is the last to be given again: its ids may still be on files.
func (s *ids) take(machine string) (uid, gid uint32, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	used := map[int]bool{}
	for _, p := range s.taken {
		used[p] = true
	}
	for i := range s.places {
		if p := (s.last + 1 + i) % s.places; !used[p] {
			s.taken[machine], s.last = p, p
			return s.uid + uint32(perMachine*p), s.gid + uint32(perMachine*p), nil
		}
	}
	return 0, 0, fmt.Errorf("all %d pairs of subordinate ids are in use: give this user more in /etc/subuid and /etc/subgid", s.places)
}

// adopt notes the ids of a machine that was found running. Ids of a range that the user had before are nobody's now.
func (s *ids) adopt(machine string, uid uint32) {
	place := (int(uid) - int(s.uid)) / perMachine
	if uid < s.uid || place >= s.places {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taken[machine] = place
	s.last = max(s.last, place)
}

func (s *ids) free(machine string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.taken, machine)
}
