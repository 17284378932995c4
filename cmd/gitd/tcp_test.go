package main

import (
	"fmt"
	"io"
	"net"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// tcpLimit bounds one connection of a test.
const tcpLimit = 30 * time.Second

// tcpLoad is a client that connects again and again until it is stopped.
type tcpLoad struct {
	stop      chan struct{}
	all       sync.WaitGroup
	good, bad atomic.Int64
	first     atomic.Value // error: the first failure
}

type tcpLoadKey struct{}

// cmdTCP is what clients of TCP apps do.
//
//	tcp free NAME          sets the variable to a port that is free, tcp taken NAME to one that is not
//	tcp says PORT TEXT RE  sends TEXT, says that it sends no more, and compares the whole answer
//	tcp load PORT          connects from four clients, again and again, until
//	tcp loaded             which fails if one of their connections has failed
func cmdTCP(ts *testscript.TestScript, neg bool, args []string) {
	switch args[0] {
	case "free", "taken":
		l, err := net.Listen("tcp", "127.0.0.1:0")
		ts.Check(err)
		_, port, err := net.SplitHostPort(l.Addr().String())
		ts.Check(err)
		ts.Setenv(args[1], port)
		if args[0] == "free" {
			ts.Check(l.Close())
			return
		}
		ts.Defer(func() { l.Close() })
	case "says":
		got, err := say("127.0.0.1:"+args[1], args[2])
		switch matches := err == nil && regexp.MustCompile(args[3]).MatchString(got); {
		case matches == neg:
			ts.Fatalf("port %s answers %q, %v", args[1], got, err)
		default:
			ts.Logf("port %s answers %q, %v", args[1], got, err)
		}
	case "load":
		l := loadOf(ts)
		l.begin("127.0.0.1:" + args[1])
	case "loaded":
		l := loadOf(ts)
		close(l.stop)
		l.all.Wait()
		if l.bad.Load() > 0 || l.good.Load() < 10 {
			ts.Fatalf("%d connections were good, and %d not: %v", l.good.Load(), l.bad.Load(), l.first.Load())
		}
		ts.Logf("%d connections", l.good.Load())
	default:
		ts.Fatalf("tcp does not know %q", args[0])
	}
}

func loadOf(ts *testscript.TestScript) *tcpLoad { return ts.Value(tcpLoadKey{}).(*tcpLoad) }

// say sends a text and returns the whole answer.
func say(addr, text string) (string, error) {
	c, err := net.DialTimeout("tcp", addr, tcpLimit)
	if err != nil {
		return "", err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(tcpLimit)); err != nil {
		return "", err
	}
	if _, err := io.WriteString(c, text); err != nil {
		return "", err
	}
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		return "", err
	}
	b, err := io.ReadAll(c)
	return string(b), err
}

// begin connects from four clients. A fifth keeps one connection open, as a pool does: it is closed when its machine is
// replaced, and opens another one.
func (l *tcpLoad) begin(addr string) {
	for range 4 {
		l.all.Go(func() {
			for !closed(l.stop) {
				got, err := say(addr, "ping")
				if err == nil && !strings.HasSuffix(got, "ping") {
					err = fmt.Errorf("answered %q", got)
				}
				l.count(err)
			}
		})
	}
	l.all.Go(func() {
		for !closed(l.stop) {
			c, err := net.DialTimeout("tcp", addr, tcpLimit)
			if err != nil {
				l.count(err)
				continue
			}
			go func() { <-l.stop; c.Close() }()
			io.Copy(io.Discard, c) //nolint:errcheck // it ends with its machine
		}
	})
}

func (l *tcpLoad) count(err error) {
	if err == nil {
		l.good.Add(1)
		return
	}
	l.first.CompareAndSwap(nil, err)
	l.bad.Add(1)
}

func closed(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
