package sandbox

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// watchEvery is how often a build is looked at. In that time a hostile one can take what the machine gives it; then it
// ends.
const watchEvery = 500 * time.Millisecond

// Excess is why a command was ended that took more than it may.
type Excess struct {
	What string // "used more than 6 GiB of memory"
	Hint string
}

func (e *Excess) Error() string { return e.What }

// MostMemory is what the processes of one command may have together: three quarters of the host's memory.
func MostMemory() int64 {
	var info syscall.Sysinfo_t
	if syscall.Sysinfo(&info) != nil {
		return 0
	}
	return int64(info.Totalram) * int64(info.Unit) / 4 * 3
}

// watch ends a command that takes more than it may. Limits of each process do not hold all of them together. Where
// there is no control group for them, the processes are counted.
func (s Spec) watch(ctx context.Context, pid int, g *group, end context.CancelCauseFunc) {
	if pid <= 0 {
		return
	}
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := s.excess(pid, g); err != nil {
			end(err)
			return
		}
	}
}

func (s Spec) excess(pid int, g *group) error {
	if g.over() || g == nil && s.Memory > 0 && memoryOf(pid) > s.Memory {
		return s.tooMuchMemory()
	}
	if s.Check != nil {
		return s.Check()
	}
	return nil
}

func (s Spec) tooMuchMemory() *Excess {
	return &Excess{
		What: fmt.Sprintf("used more than %d MiB of memory", s.Memory>>20),
		Hint: "that is what a build may use on this server; run fewer processes side by side",
	}
}

// memoryOf adds up the memory that pid and all below it have to themselves, in bytes, and the memory that they share
// with each other, once. Who loses its parent in a sandbox becomes a child of the sandbox's first process, so none
// escapes. Programs and libraries do not count.
func memoryOf(pid int) (sum int64) {
	var statm [128]byte
	shared := sharings{}
	queue := []string{strconv.Itoa(pid)}
	for len(queue) > 0 {
		p := filepath.Join("/proc", queue[0])
		queue = queue[1:]
		own, others := residentMemory(p, statm[:])
		sum += own
		if others > 0 {
			shared.add(p)
		}
		threads, err := os.ReadDir(filepath.Join(p, "task"))
		if err != nil {
			continue // it has ended
		}
		for _, t := range threads {
			children, _ := os.ReadFile(filepath.Join(p, "task", t.Name(), "children")) // the same
			queue = append(queue, strings.Fields(string(children))...)
		}
	}
	return sum + shared.size()
}

// residentMemory reads the statm of a process: pages in all, resident, shared.
func residentMemory(proc string, buf []byte) (own, shared int64) {
	f, err := os.Open(filepath.Join(proc, "statm"))
	if err != nil {
		return 0, 0
	}
	defer f.Close()
	n, _ := f.Read(buf) // it has ended
	var all, resident int64
	if _, err := fmt.Sscan(string(buf[:n]), &all, &resident, &shared); err != nil {
		return 0, 0
	}
	page := int64(os.Getpagesize())
	return (resident - shared) * page, shared * page
}
