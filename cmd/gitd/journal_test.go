package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// journal is the log of one gitd, as a test reads it: it waits for lines, and
// stops the daemon at one. The latter works with the gitd of the fault test
// only (testdata/faults/main.go).
type journal struct {
	mu    sync.Mutex
	lines []string
	more  chan struct{} // closed and replaced at each new line
	traps []*trap
}

// trap stops whoever logs a line that it matches, once.
type trap struct {
	re   *regexp.Regexp
	hit  chan struct{} // closed when the line has come
	free chan struct{} // closed by release
	once sync.Once
}

func newJournal() *journal { return &journal{more: make(chan struct{})} }

// listen takes lines from a socket; each connection brings one line.
func (j *journal) listen(t *testing.T, socket string) {
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go j.take(c)
		}
	}()
}

// take reads a connection's line, and hangs up when its writer may go on.
func (j *journal) take(c net.Conn) {
	defer c.Close()
	line, err := bufio.NewReaderSize(c, 1<<20).ReadString('\n')
	if err != nil {
		return
	}
	if tr := j.add(strings.TrimSuffix(line, "\n")); tr != nil {
		<-tr.free
	}
}

// read takes lines from a daemon's standard error.
func (j *journal) read(r io.Reader) {
	scan := bufio.NewScanner(r)
	scan.Buffer(nil, 1<<20)
	for scan.Scan() {
		j.add(scan.Text())
	}
}

// add stores a line and returns the trap that it sprang, or nil.
func (j *journal) add(line string) *trap {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, line)
	close(j.more)
	j.more = make(chan struct{})
	for i, tr := range j.traps {
		if tr.re.MatchString(line) {
			j.traps = append(j.traps[:i], j.traps[i+1:]...)
			close(tr.hit)
			return tr
		}
	}
	return nil
}

// trap arms a trap for the next line that matches.
func (j *journal) trap(pattern string) *trap {
	tr := &trap{re: regexp.MustCompile(pattern), hit: make(chan struct{}), free: make(chan struct{})}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.traps = append(j.traps, tr)
	return tr
}

// release lets the daemon go on, or disarms the trap.
func (j *journal) release(tr *trap) {
	tr.once.Do(func() { close(tr.free) })
	j.mu.Lock()
	defer j.mu.Unlock()
	for i, other := range j.traps {
		if other == tr {
			j.traps = append(j.traps[:i], j.traps[i+1:]...)
			return
		}
	}
}

// mark is the number of lines so far, for find and wait.
func (j *journal) mark() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return len(j.lines)
}

// find returns the first line after mark that matches, and a channel that is
// closed at the next line.
func (j *journal) find(re *regexp.Regexp, mark int) (string, <-chan struct{}) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, l := range j.lines[mark:] {
		if re.MatchString(l) {
			return l, nil
		}
	}
	return "", j.more
}

// wait returns the first line after mark that matches. It fails when over is
// closed first, or after eventLimit.
func (j *journal) wait(pattern string, mark int, over <-chan struct{}) (string, error) {
	re := regexp.MustCompile(pattern)
	limit := time.After(eventLimit)
	for {
		line, more := j.find(re, mark)
		if line != "" {
			return line, nil
		}
		select {
		case <-more:
		case <-over:
			if line, _ := j.find(re, mark); line != "" {
				return line, nil
			}
			return "", fmt.Errorf("no line %q, and none will come", pattern)
		case <-limit:
			return "", fmt.Errorf("no line %q within %s", pattern, eventLimit)
		}
	}
}

// tail is the last n lines, for a failure's report.
func (j *journal) tail(n int) string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Join(j.lines[max(0, len(j.lines)-n):], "\n")
}

// freeAll lets everyone go on who is stopped or would be.
func (j *journal) freeAll() {
	j.mu.Lock()
	traps := j.traps
	j.traps = nil
	j.mu.Unlock()
	for _, tr := range traps {
		tr.once.Do(func() { close(tr.free) })
	}
}
