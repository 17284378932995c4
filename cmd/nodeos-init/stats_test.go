package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"testing"
)

func TestParseProcess(t *testing.T) {
	const node = "120 (node) S 1 120 120 0 -1 4194560 6502 0 12 0 83 19 5 2 20 0 11 0 210 1027133440 10733 18446744073709551615 1 1 0 0 0 0 0 4096 17538 0 0 0 17 0 0 0 0 0 0"
	for _, tt := range []struct {
		name, stat string
		want       processUse
		ok         bool
	}{
		{"node", node, processUse{pages: 10733, ticks: 83 + 19 + 5 + 2}, true},
		{"a name with brackets", "9 (a) S (b) c) R" + node[len("120 (node) S"):], processUse{pages: 10733, ticks: 109}, true},
		{"a kernel thread", "2 (kthreadd) S 0 0 0 0 -1 2129984 0 0 0 0 0 0 0 0 20 0 1 0 0 0 0 0 0", processUse{}, false},
		{"gone", "", processUse{}, false},
		{"torn", "120 (node) S 1", processUse{}, false},
		{"not a stat", "120 node S", processUse{}, false},
	} {
		if got, ok := parseProcess(tt.stat); got != tt.want || ok != tt.ok {
			t.Errorf("%s: %+v, %v; want %+v", tt.name, got, ok, tt.want)
		}
	}
}

func TestParseMemoryAndLoad(t *testing.T) {
	total, used := parseMemory("MemTotal:         111616 kB\nMemFree:           40000 kB\nMemAvailable:      60416 kB\nHugePages_Total:       0\n")
	if total != 111616<<10 || used != 51200<<10 {
		t.Errorf("memory: %d, %d", total, used)
	}
	if total, used := parseMemory("x\nMemTotal: many\n"); total != 0 || used != 0 {
		t.Errorf("nonsense: %d, %d", total, used)
	}
	for text, want := range map[string]float64{"0.42 0.10 0.05 1/60 99\n": 0.42, "": 0, "much": 0} {
		if got := parseLoad(text); got != want {
			t.Errorf("load %q: %v", text, got)
		}
	}
}

func TestParseRefaults(t *testing.T) {
	for text, want := range map[string]int64{
		"workingset_refault_anon 7\nworkingset_refault_file 1234\npgmajfault 9\n": 1234, "": 0, "workingset_refault_file many\n": 0,
	} {
		if got := parseRefaults(text); got != want {
			t.Errorf("%q: %d", text, got)
		}
	}
}

// TestCountFiles opens more files than fit into one read of the folder.
func TestCountFiles(t *testing.T) {
	// The files of another process: those of this one change under the test, as what earlier tests opened is collected.
	child := exec.CommandContext(t.Context(), "cat")
	for range 300 {
		f, err := os.Open(os.DevNull)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		child.ExtraFiles = append(child.ExtraFiles, f)
	}
	in, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	// Three standard ones more, and a library while it starts.
	if got := countFiles(fmt.Sprintf("/proc/%d/fd", child.Process.Pid)); got < 303 || got > 306 {
		t.Errorf("303 files are open, counted %d", got)
	}
	if err := errors.Join(in.Close(), child.Wait()); err != nil {
		t.Error(err)
	}
	if n := countFiles("/nonexistent"); n != 0 {
		t.Errorf("%d files in no folder", n)
	}
}

// TestGather looks at the machine that runs the tests.
func TestGather(t *testing.T) {
	s := gather(7)
	if s.MemoryTotal <= 0 || s.MemoryUsed <= 0 || s.MemoryUsed >= s.MemoryTotal || s.Processes < 1 || s.OpenFiles < 3 ||
		s.AppRSS <= 0 || s.CPUMillis <= 0 || s.UptimeMillis <= 0 || s.Dropped != 7 {
		t.Errorf("%+v", s)
	}
}

func TestMostProcesses(t *testing.T) {
	for mib, want := range map[int]uint64{16: 128, 109: 218, 1000: 2000, 64000: 16384} {
		if got := mostProcesses(fmt.Sprintf("MemTotal: %d kB\n", mib<<10)); got != want {
			t.Errorf("%d MiB: %d processes, want %d", mib, got, want)
		}
	}
}

// TestFirstOpen: the time is that of the first file, and it is no failure if a folder cannot be watched.
func TestFirstOpen(t *testing.T) {
	f := watchFirstOpen("/nonexistent")
	f.close()
	if f.at.Load() != 0 {
		t.Error("an open was seen where there is no folder")
	}
	dir := t.TempDir()
	f = watchFirstOpen(dir)
	before := sinceBoot()
	if err := os.WriteFile(dir+"/package.json", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	<-f.over
	if at := f.at.Load(); at < int64(before) || at > int64(sinceBoot()) {
		t.Errorf("seen at %d, opened after %d", at, before)
	}
}
