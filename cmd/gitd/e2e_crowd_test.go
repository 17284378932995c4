package main

import (
	"net"
	"os"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	gossh "golang.org/x/crypto/ssh"
)

// Bounds of the memory that the sessions of one user take in the daemon, in KiB. Each of two dozen channels may hold
// 2 MiB that its client has sent, and half of them what a follower does; as much again may be waiting to be collected.
// Once that is there, ever more sessions add nothing.
const (
	maxCrowd       = 160 << 10
	maxCrowdGrowth = 32 << 10
)

// sessionsOfCrowd are those that a client tries on one connection: as many as the door allows.
const sessionsOfCrowd = 10

// cmdCrowd opens COUNT sessions with one KEY, from many addresses of loopback, each of which sends what it can, runs
// LINE and never reads, and leaves them open until the script ends: crowd COUNT KEY LINE. It compares the daemon's
// memory before, after the first fifth, and at the end.
func cmdCrowd(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 3 {
		ts.Fatalf("usage: crowd COUNT KEY LINE")
	}
	count, err := strconv.Atoi(args[0])
	ts.Check(err)
	text, err := os.ReadFile(ts.MkAbs(args[1]))
	ts.Check(err)
	key, err := gossh.ParsePrivateKey(text)
	ts.Check(err)
	d, start := daemonOf(ts), time.Now()
	var began atomic.Int64
	open := func(from, to int) (residentAfter int) {
		each(from/sessionsOfCrowd, to/sessionsOfCrowd, func(n int) {
			client, err := crowdClient("127.0.0.1:"+ts.Getenv("SSH_PORT"), n, key)
			if err != nil {
				return
			}
			ts.Defer(func() { client.Close() })
			late := time.AfterFunc(eventLimit, func() { client.Close() }) // a session that gets no answer did not begin
			defer late.Stop()
			for range sessionsOfCrowd {
				if crowdSession(client, args[2]) {
					began.Add(1)
				}
			}
		})
		return residentKiB(ts, d.cmd.Process.Pid)
	}
	before, first, last := open(0, 0), open(0, count/5), open(count/5, count)
	ts.Logf("%d of %d sessions began in %s: %d KiB before, %d after the first fifth, %d after all",
		began.Load(), count, time.Since(start).Round(time.Millisecond), before, first, last)
	if last > before+maxCrowd || last > first+maxCrowdGrowth {
		ts.Fatalf("memory grew from %d to %d and then %d KiB", before, first, last)
	}
}

// crowdClient logs in from one of four hundred addresses, none of which reaches a limit of its own.
func crowdClient(addr string, n int, key gossh.Signer) (*gossh.Client, error) {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 2, byte(n%400>>8), byte(n%400))}, Timeout: eventLimit}
	conn, err := d.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	late := time.AfterFunc(eventLimit, func() { conn.Close() })
	defer late.Stop()
	c, chans, reqs, err := gossh.NewClientConn(conn, addr, &gossh.ClientConfig{
		User: "nodeos", Auth: []gossh.AuthMethod{gossh.PublicKeys(key)}, HostKeyCallback: gossh.InsecureIgnoreHostKey(),
	})
	if err != nil {
		conn.Close()
		return nil, err
	}
	return gossh.NewClient(c, chans, reqs), nil
}

// crowdSession runs line in a channel that is never read, and sends it what the daemon's window takes. It reports
// whether the channel was opened.
func crowdSession(c *gossh.Client, line string) bool {
	ch, reqs, err := c.OpenChannel("session", nil)
	if err != nil {
		return false
	}
	go gossh.DiscardRequests(reqs)
	if ok, err := ch.SendRequest("exec", true, gossh.Marshal(struct{ Line string }{line})); err != nil || !ok {
		return false
	}
	go func() {
		block := make([]byte, 32<<10)
		for {
			if _, err := ch.Write(block); err != nil {
				return
			}
		}
	}()
	return true
}
