package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// listenAsQEMU listens with a queue of one, as QEMU's user-mode network does.
func listenAsQEMU(t *testing.T) net.Listener {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	file := os.NewFile(uintptr(fd), "listener")
	defer file.Close()
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := unix.Listen(fd, 1); err != nil {
		t.Fatal(err)
	}
	l, err := net.FileListener(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Listen(fd, 1); err != nil { // Go has lengthened it
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// TestPacing: of 300 requests on connections of their own, 100 at a time, some 30 timed out in a container, where gitd
// could not lengthen the queue at QEMU's port. With pacing, the kernel drops no connection: no SYN is sent twice.
func TestPacing(t *testing.T) {
	l := listenAsQEMU(t)
	port := l.Addr().(*net.TCPAddr).AddrPort()
	if q, err := queueAt(port); err != nil || q != (queue{0, 1}) {
		t.Fatalf("the queue before: %+v, %v", q, err)
	}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello") })}
	srv.SetKeepAlivesEnabled(false)
	go srv.Serve(l) //nolint:errcheck // it ends with the test
	defer srv.Close()

	p := newPacer(time.Minute)
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			for range 3 {
				if err := requestPaced(t.Context(), p, l.Addr().String()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

// requestPaced returns an error if a request on a connection of its own fails, or if TCP sent anything of it twice.
func requestPaced(ctx context.Context, p *pacer, addr string) error {
	conn, err := p.DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := fmt.Fprintf(conn, "GET / HTTP/1.0\r\n\r\n"); err != nil {
		return err
	}
	if _, err := io.ReadAll(conn); err != nil {
		return err
	}
	return sentOnce(conn.(*net.TCPConn))
}

func sentOnce(conn *net.TCPConn) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var info *unix.TCPInfo
	var asked error
	err = raw.Control(func(fd uintptr) { info, asked = unix.GetsockoptTCPInfo(int(fd), unix.SOL_TCP, unix.TCP_INFO) })
	if err := errors.Join(err, asked); err != nil {
		return err
	}
	if info.Total_retrans > 0 {
		return fmt.Errorf("TCP sent something %d times again", info.Total_retrans)
	}
	return nil
}

// TestPacingOfAHungMachine: what waits for room at a port that accepts nothing is answered when its time is over, and
// not when everybody before it has waited.
func TestPacingOfAHungMachine(t *testing.T) {
	l := listenAsQEMU(t)
	p := newPacer(50 * time.Millisecond)
	var kept []net.Conn // the queue is full: nobody accepts
	for range 20 {
		conn, err := p.DialContext(t.Context(), "tcp", l.Addr().String())
		if err == nil {
			kept = append(kept, conn)
			defer conn.Close()
			continue
		}
		if !noConnection(err) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
	}
	if len(kept) != 1 {
		t.Errorf("%d connections were made to a queue of one that nobody empties", len(kept))
	}
}

// TestQueueOfNothing: a port at which nothing listens, and one that listens on all addresses.
func TestQueueOfNothing(t *testing.T) {
	l := listenAsQEMU(t)
	port := l.Addr().(*net.TCPAddr).AddrPort()
	l.Close()
	if _, err := queueAt(port); !errors.Is(err, errNoListener) {
		t.Errorf("a port at which nothing listens: %v", err)
	}
	all, err := net.Listen("tcp4", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer all.Close()
	port = netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), all.Addr().(*net.TCPAddr).AddrPort().Port())
	if q, err := queueAt(port); err != nil || q.limit < 64 {
		t.Errorf("a port on all addresses: %+v, %v", q, err)
	}
}

func BenchmarkQueue(b *testing.B) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).AddrPort()
	for b.Loop() {
		if _, err := queueAt(port); err != nil {
			b.Fatal(err)
		}
	}
}
