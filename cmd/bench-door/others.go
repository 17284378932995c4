package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"text/template"
	"time"

	"github.com/nodeos-dev/gitd/internal/unpack"
)

const (
	domain  = "bench.test"
	host    = app + "." + domain
	backend = "127.0.0.1:18080"
)

// doors are what is compared, in the order of the tables.
var doors = []string{"gitd", "caddy", "nginx", "haproxy"}

// address is where a door listens.
func address(door string, secure bool) string {
	port := map[string]int{"gitd": 18100, "caddy": 18200, "nginx": 18300, "haproxy": 18400}[door]
	if secure {
		port++
	}
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
}

// settingsOf are the files of the others: as their manuals say for a proxy that keeps its connections to a backend,
// with an access log, and with one worker for each processor.
var settingsOf = map[string]string{
	"backend.conf": `daemon off; pid {{.}}/backend.pid; error_log {{.}}/backend.err; worker_processes 1;
events { worker_connections 1024; }
http {
	access_log off; sendfile on; tcp_nodelay on; keepalive_requests 1000000000; keepalive_timeout 300s;
	client_body_temp_path {{.}}/t1; proxy_temp_path {{.}}/t2; fastcgi_temp_path {{.}}/t3; uwsgi_temp_path {{.}}/t4; scgi_temp_path {{.}}/t5;
	server { listen ` + backend + `; root {{.}}/www; }
}`,
	"nginx.conf": `daemon off; pid {{.}}/nginx.pid; error_log {{.}}/nginx.err; worker_processes auto;
events { worker_connections 1024; }
http {
	access_log {{.}}/nginx.log; tcp_nodelay on; keepalive_requests 1000000000; keepalive_timeout 300s;
	client_body_temp_path {{.}}/n1; proxy_temp_path {{.}}/n2; fastcgi_temp_path {{.}}/n3; uwsgi_temp_path {{.}}/n4; scgi_temp_path {{.}}/n5;
	upstream app { server ` + backend + `; keepalive 64; keepalive_requests 1000000000; }
	server {
		listen ` + address("nginx", false) + `;
		listen ` + address("nginx", true) + ` ssl http2;
		ssl_certificate {{.}}/certificates/bench.crt; ssl_certificate_key {{.}}/certificates/bench.key;
		location / {
			proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host;
			proxy_set_header X-Forwarded-For $remote_addr; proxy_set_header X-Forwarded-Proto $scheme;
		}
	}
}`,
	"haproxy.cfg": `global
	log stdout format raw local0
	maxconn 1024
defaults
	mode http
	log global
	option httplog
	option forwardfor
	timeout client 60s
	timeout server 60s
	timeout connect 5s
	http-reuse always
frontend plain
	bind ` + address("haproxy", false) + `
	default_backend app
frontend secure
	bind ` + address("haproxy", true) + ` ssl crt {{.}}/bench.pem alpn h2,http/1.1
	http-request set-header X-Forwarded-Proto https
	default_backend app
backend app
	server one ` + backend + `
`,
	"Caddyfile": `{
	auto_https off
	admin off
}
http://` + host + `:18200 {
	bind 127.0.0.1
	log {
		output file {{.}}/caddy.log
	}
	reverse_proxy ` + backend + `
}
https://` + host + `:18201 {
	bind 127.0.0.1
	tls {{.}}/certificates/bench.crt {{.}}/certificates/bench.key
	log {
		output file {{.}}/caddy.log
	}
	reverse_proxy ` + backend + `
}
`,
}

// packages of Debian that are unpacked: the programs, and libraries that a host may not have.
var packages = []string{
	"nginx", "haproxy", "caddy", "nghttp2-client", "liblua5.3-0", "libopentracing-c-wrapper0", "libopentracing1", "libev4",
	"libjemalloc2", "libc-ares2", "libnghttp2-14",
}

// bench is everything that runs.
type bench struct {
	settings
	run     string // folder of this run
	running map[string]*exec.Cmd
	results map[string]*figures // by combination and door
	memory  map[string][]int64  // of each door after its load, in bytes, by door
}

func prepare(ctx context.Context, s settings) (*bench, error) {
	unpacked, err := unpack.Packages(ctx, s.work, packages...)
	if err != nil {
		return nil, err
	}
	b := &bench{settings: s, run: filepath.Join(s.work, "run"), running: map[string]*exec.Cmd{}, results: map[string]*figures{}, memory: map[string][]int64{}}
	if err := errors.Join(os.RemoveAll(b.run), os.MkdirAll(filepath.Join(b.run, "www"), 0o755), os.MkdirAll(filepath.Join(b.run, "certificates"), 0o755)); err != nil {
		return nil, err
	}
	if err := errors.Join(b.write(), certificate(b.run)); err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	root := func(path string) string { return filepath.Join(unpacked, path) }
	for _, p := range []struct {
		name string
		args []string
		at   string
	}{
		{"backend", []string{root("usr/sbin/nginx"), "-c", filepath.Join(b.run, "backend.conf")}, backend},
		{"gitd", []string{self, "-door", b.run}, address("gitd", true)},
		{"caddy", []string{root("usr/bin/caddy"), "run", "--config", filepath.Join(b.run, "Caddyfile"), "--adapter", "caddyfile"}, address("caddy", true)},
		{"nginx", []string{root("usr/sbin/nginx"), "-c", filepath.Join(b.run, "nginx.conf")}, address("nginx", true)},
		{"haproxy", []string{root("usr/sbin/haproxy"), "-f", filepath.Join(b.run, "haproxy.cfg")}, address("haproxy", true)},
	} {
		if err := b.start(ctx, p.name, p.args, p.at); err != nil {
			b.stop()
			return nil, err
		}
	}
	return b, nil
}

// write makes the settings and the two files that are asked for.
func (b *bench) write() error {
	for name, text := range settingsOf {
		f, err := os.Create(filepath.Join(b.run, name))
		if err != nil {
			return err
		}
		if err := errors.Join(template.Must(template.New(name).Parse(text)).Execute(f, b.run), f.Close()); err != nil {
			return err
		}
	}
	return errors.Join(os.WriteFile(filepath.Join(b.run, "www/small"), []byte(strings.Repeat("hello\n", 20)), 0o644),
		os.WriteFile(filepath.Join(b.run, "www/large"), make([]byte, 1<<20), 0o644))
}

// start starts a program and waits until it listens.
func (b *bench) start(ctx context.Context, name string, args []string, at string) error {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Env = b.environment()
	log, err := os.Create(filepath.Join(b.run, name+".out"))
	if err != nil {
		return err
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	if err := cmd.Start(); err != nil {
		return err
	}
	b.running[name] = cmd
	for limit := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		conn, err := net.Dial("tcp", at)
		if err == nil {
			return conn.Close()
		}
		if time.Now().After(limit) {
			return fmt.Errorf("%s does not listen at %s: %s has what it said", name, at, log.Name())
		}
	}
}

// environment has the libraries that were unpacked, behind those of the host.
func (b *bench) environment() []string {
	libraries := []string{}
	for _, dir := range []string{"usr/lib/x86_64-linux-gnu", "usr/lib/aarch64-linux-gnu"} {
		libraries = append(libraries, filepath.Join(b.work, "root", dir))
	}
	return []string{"PATH=/usr/bin:/bin", "HOME=" + b.run, "LD_LIBRARY_PATH=" + strings.Join(libraries, ":")}
}

func (b *bench) stop() {
	for _, cmd := range b.running {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) //nolint:errcheck // its end is waited for
		cmd.Wait()                                      //nolint:errcheck // it was told to end
	}
}
