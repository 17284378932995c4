package sandbox

import (
	"bufio"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// sharings are the pieces of memory that processes have together, by their inode: up to which byte each is mapped.
// Nothing of it needs to be in a page table, so what is mapped counts, not what is resident.
//
// Of such memory, a build without a control group has only what is mapped: the filter refuses memfd_create, and
// System V's in large pieces, because both exist without a mapping; and there is no tmpfs in which it may write.
type sharings map[string]int64

// mostMaps bounds what is read of one process's mappings; the kernel allows it 65,530.
const mostMaps = 1 << 16

// add reads the mappings of a process.
func (s sharings) add(proc string) {
	f, err := os.Open(filepath.Join(proc, "maps"))
	if err != nil {
		return // it has ended
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for n := 0; n < mostMaps && lines.Scan(); n++ {
		s.line(lines.Text())
	}
}

// line takes one line of maps: "7f00-7f80 rw-s 00000000 00:01 1029 /dev/zero (deleted)".
func (s sharings) line(text string) {
	f := strings.Fields(text)
	if len(f) < 6 || !strings.HasSuffix(f[1], "s") || !ofMemory(f[5]) {
		return
	}
	from, to, _ := strings.Cut(f[0], "-")
	begin, err1 := strconv.ParseInt(from, 16, 64)
	end, err2 := strconv.ParseInt(to, 16, 64)
	offset, err3 := strconv.ParseInt(f[2], 16, 64)
	if err1 == nil && err2 == nil && err3 == nil {
		inode := f[3] + " " + f[4]
		s[inode] = max(s[inode], offset+end-begin)
	}
}

// ofMemory reports whether a mapping's name is one that the kernel gives to memory without a file. No file in a sandbox
// has these names: /dev is read-only there.
func ofMemory(name string) bool {
	return name == "/dev/zero" || strings.HasPrefix(name, "/SYSV") || strings.HasPrefix(name, "/memfd:")
}

func (s sharings) size() (sum int64) {
	for _, n := range s {
		sum += n
	}
	return sum
}
