package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"net"
	"os"
	"regexp"
	"strconv"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	gossh "golang.org/x/crypto/ssh"
)

// maxGrowth bounds the memory that bad logins may leave behind in the daemon, in KiB. One forgotten goroutine or buffer
// for each login would take far more.
const maxGrowth = 24 << 10

// cmdBadLogins tries COUNT logins with a strange key, from as many addresses of loopback as SOURCES says, and compares
// the daemon's memory after the first hundred with that at the end: badlogins COUNT SOURCES.
func cmdBadLogins(ts *testscript.TestScript, neg bool, args []string) {
	count, err := strconv.Atoi(args[0])
	ts.Check(err)
	sources, err := strconv.Atoi(args[1])
	ts.Check(err)
	_, key, err := ed25519.GenerateKey(rand.Reader)
	ts.Check(err)
	stranger, err := gossh.NewSignerFromKey(key)
	ts.Check(err)
	d, start := daemonOf(ts), time.Now()
	addr := "127.0.0.1:" + ts.Getenv("SSH_PORT")
	try := func(from, to int) {
		each(from, to, func(n int) {
			if badLogin(addr, n%sources, stranger) == nil {
				ts.Logf("login %d: a stranger is in", n)
				count = -1
			}
		})
	}
	try(0, 100)
	before := residentKiB(ts, d.cmd.Process.Pid)
	try(100, count)
	after := residentKiB(ts, d.cmd.Process.Pid)
	ts.Logf("%d bad logins from %d addresses in %s: %d KiB before, %d after", count, sources, time.Since(start).Round(time.Millisecond), before, after)
	if count < 0 || after > before+maxGrowth {
		ts.Fatalf("a stranger came in, or memory grew from %d to %d KiB", before, after)
	}
}

// each calls f for every number, for up to eight at a time.
func each(from, to int, f func(n int)) {
	var all sync.WaitGroup
	turn := make(chan struct{}, 8)
	for n := from; n < to; n++ {
		turn <- struct{}{}
		all.Go(func() {
			defer func() { <-turn }()
			f(n)
		})
	}
	all.Wait()
}

func badLogin(addr string, source int, key gossh.Signer) error {
	from := net.IPv4(127, 0, 0, 1)
	if source > 0 {
		from = net.IPv4(127, 1, byte(source>>8), byte(source))
	}
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: from}, Timeout: eventLimit}
	conn, err := d.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	c, _, _, err := gossh.NewClientConn(conn, addr, &gossh.ClientConfig{
		User: "nodeos", Auth: []gossh.AuthMethod{gossh.PublicKeys(key)},
		HostKeyCallback: gossh.InsecureIgnoreHostKey(),
	})
	if err == nil {
		c.Close()
	}
	return err
}

var resident = regexp.MustCompile(`VmRSS:\s+(\d+) kB`)

func residentKiB(ts *testscript.TestScript, pid int) int {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	ts.Check(err)
	n, err := strconv.Atoi(string(resident.FindSubmatch(text)[1]))
	ts.Check(err)
	return n
}
