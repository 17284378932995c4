package egress

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync"
)

// tunnel answers CONNECT. The connection ends with the request's context,
// which is the build's.
func (p *Proxy) tunnel(w http.ResponseWriter, r *http.Request) {
	if err := p.checkTarget(r.Host); err != nil {
		refuse(w, err)
		return
	}
	up, err := p.connect(r.Context(), r.Host)
	if err != nil {
		refuse(w, err)
		return
	}
	defer up.Close()
	hj, ok := w.(http.Hijacker)
	if !ok {
		refuse(w, http.ErrNotSupported)
		return
	}
	down, buffered, err := hj.Hijack()
	if err != nil {
		return
	}
	defer down.Close()
	if _, err := io.WriteString(down, "HTTP/1.1 200 Connection established\r\n\r\n"); err != nil {
		return
	}
	stop := context.AfterFunc(r.Context(), func() { up.Close(); down.Close() })
	defer stop()
	join(up, down, buffered.Reader)
}

// connect reaches addr, by way of the upstream proxy if there is one.
func (p *Proxy) connect(ctx context.Context, addr string) (net.Conn, error) {
	via, err := p.upstream(&url.URL{Scheme: "https", Host: addr})
	if err != nil {
		return nil, fmt.Errorf("HTTPS_PROXY: %w", err)
	}
	if via == nil {
		return p.dial(ctx, "tcp", addr)
	}
	conn, err := p.dial(ctx, "tcp", hostPort(via))
	if err != nil {
		return nil, err
	}
	if via.Scheme == "https" {
		conn = tls.Client(conn, &tls.Config{ServerName: via.Hostname()})
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	if err := askUpstream(conn, via, addr); err != nil {
		conn.Close()
		return nil, fmt.Errorf("the proxy %s: %w", via.Redacted(), err)
	}
	return conn, nil
}

func askUpstream(conn net.Conn, via *url.URL, addr string) error {
	req := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: addr}, Host: addr, Header: http.Header{}}
	if u := via.User; u != nil {
		pass, _ := u.Password()
		req.Header.Set("Proxy-Authorization",
			"Basic "+base64.StdEncoding.EncodeToString([]byte(u.Username()+":"+pass)))
	}
	if err := req.Write(conn); err != nil {
		return err
	}
	// A client speaks first in TLS and in HTTP, so nothing of the tunnel can
	// follow the answer into this buffer.
	res, err := http.ReadResponse(bufio.NewReader(conn), req)
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("CONNECT %s: %s", addr, res.Status)
	}
	return nil
}

// join copies both ways until both sides have ended.
func join(up, down net.Conn, fromDown io.Reader) {
	var wg sync.WaitGroup
	wg.Go(func() { copyHalf(up, fromDown) })
	wg.Go(func() { copyHalf(down, up) })
	wg.Wait()
}

func copyHalf(dst net.Conn, src io.Reader) {
	io.Copy(dst, src) //nolint:errcheck // either side may go at any time
	if c, ok := dst.(interface{ CloseWrite() error }); ok {
		c.CloseWrite() //nolint:errcheck // it may be gone already
		return
	}
	dst.Close()
}
