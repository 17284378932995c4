package origin

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/pires/go-proxyproto"
)

func listen(t *testing.T, trusted string, told func(error)) net.Listener {
	t.Helper()
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := Passed(inner, Proxies{netip.MustParsePrefix(trusted)}, told)
	t.Cleanup(func() { l.Close() })
	return l
}

func dial(t *testing.T, l net.Listener, first string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if _, err := io.WriteString(conn, first); err != nil {
		t.Fatal(err)
	}
	return conn
}

func v2(t *testing.T, command proxyproto.ProtocolVersionAndCommand, from string) string {
	t.Helper()
	src := net.TCPAddrFromAddrPort(netip.MustParseAddrPort(from))
	h := proxyproto.HeaderProxyFromAddrs(2, src, src)
	h.Command = command
	var b bytes.Buffer
	if _, err := h.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestPassed: the client of a connection is the one that a trusted proxy names, in each version of the protocol, and
// what comes behind the header is the client's.
func TestPassed(t *testing.T) {
	l := listen(t, "127.0.0.0/8", func(err error) { t.Error(err) })
	for head, want := range map[string]string{
		"PROXY TCP4 192.0.2.7 10.0.0.1 4711 80\r\n":      "192.0.2.7:4711",
		"PROXY TCP6 2001:db8::7 2001:db8::1 4711 80\r\n": "[2001:db8::7]:4711",
		v2(t, proxyproto.PROXY, "192.0.2.8:4712"):        "192.0.2.8:4712",
		v2(t, proxyproto.PROXY, "[2001:db8::8]:4712"):    "[2001:db8::8]:4712",
		"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n":          "127.0.0.1",
		v2(t, proxyproto.LOCAL, "192.0.2.8:4712"):        "127.0.0.1",
	} {
		dial(t, l, head+"GET / HTTP/1.1\r\n")
		conn, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		line, err := bufio.NewReader(conn).ReadString('\n')
		if got := conn.RemoteAddr().String(); !strings.HasPrefix(got, want) || line != "GET / HTTP/1.1\r\n" {
			t.Errorf("%q: from %s, which says %q, %v", head, got, line, err)
		}
		conn.Close()
	}
}

// TestPassedByAStranger: a header of somebody who is not trusted names nobody, and stays in what the client says, where
// HTTP finds no request.
func TestPassedByAStranger(t *testing.T) {
	const head = "PROXY TCP4 192.0.2.7 10.0.0.1 4711 80\r\n"
	l := listen(t, "10.0.0.0/8", func(err error) { t.Error(err) })
	dial(t, l, head)
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	line, _ := bufio.NewReader(conn).ReadString('\n')
	if got := conn.RemoteAddr().String(); !strings.HasPrefix(got, "127.0.0.1:") || line != head {
		t.Errorf("from %s: %q", got, line)
	}
}

// TestPassedWithoutAHeader: a proxy that sends none, or half of one, gets nothing, and holds up nobody.
func TestPassedWithoutAHeader(t *testing.T) {
	wrong := make(chan error, 10)
	l := listen(t, "127.0.0.0/8", func(err error) { wrong <- err })
	silent := dial(t, l, "PROXY TCP4 192.")
	for _, first := range []string{
		"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "PROXYjunk TCP4 192.0.2.7 10.0.0.1 1 80\r\n", "PROXY TCP4 999.0.2.7 10.0.0.1 1 80\r\n",
		"PROXY TCP4 192.0.2.7 10.0.0.1 1 80 " + strings.Repeat("x", 200), "\r\n\r\n\x00\r\nQUIT\n\x21\x11\xff\xffxx\r\n",
	} {
		conn := dial(t, l, first)
		if first[0] == '\r' {
			conn.(*net.TCPConn).CloseWrite() //nolint:errcheck // the other side sees the end, or has gone
		}
		if err := <-wrong; err == nil {
			t.Error("nobody was told")
		}
		conn.SetReadDeadline(time.Now().Add(10 * time.Second)) //nolint:errcheck // a read that fails is looked at
		if n, err := conn.Read(make([]byte, 1)); n > 0 || errors.Is(err, net.ErrClosed) {
			t.Errorf("%q is answered", first)
		}
	}
	dial(t, l, "PROXY TCP4 192.0.2.7 10.0.0.1 4711 80\r\n")
	conn, err := l.Accept()
	if err != nil || conn.RemoteAddr().String() != "192.0.2.7:4711" {
		t.Errorf("behind the one that says nothing: %v, %v", conn, err)
	}
	conn.Close()
	silent.Close()
	l.Close()
	if _, err := l.Accept(); err == nil {
		t.Error("a closed listener accepts")
	}
}

// FuzzPassed: no bytes of a proxy panic, and none become the address of somebody whom they do not name.
func FuzzPassed(f *testing.F) {
	f.Add([]byte("PROXY TCP4 192.0.2.7 10.0.0.1 4711 80\r\nGET /"))
	f.Add([]byte("\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\xc0\x00\x02\x07\x0a\x00\x00\x01\x12\x67\x00\x50GET /"))
	f.Add([]byte("\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, sent []byte) {
		here, there := net.Pipe()
		go func() {
			there.Write(sent) //nolint:errcheck // a header that is none is not read to its end
			there.Close()
		}()
		defer here.Close()
		conn, err := clientOf(here)
		if err != nil {
			return
		}
		if addr := conn.RemoteAddr(); addr == nil || addr.String() == "" {
			t.Errorf("%q has no address", sent)
		}
		rest, _ := io.ReadAll(conn)
		if !bytes.HasSuffix(sent, rest) {
			t.Errorf("%q ends with %q", sent, rest)
		}
	})
}
