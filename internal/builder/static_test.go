package builder

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/nodeos-dev/gitd/internal/nodeapp"
	"github.com/nodeos-dev/gitd/internal/progress"
	"github.com/nodeos-dev/gitd/templates"
)

// staticSite is a folder with what sites have, and with what an attacker looks for.
func staticSite(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"index.html": "<h1>home</h1>", "about.html": "<h1>about</h1>", "docs/index.html": "<h1>docs</h1>",
		"404.html": "<h1>lost</h1>", "assets/index-DiwrgTda.js": strings.Repeat("x();\n", 1000), "ten.txt": "0123456789",
		".git/config": "secret", ".well-known/security.txt": "Contact: ada", "größe.txt": "umlaut",
	} {
		check(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755))
		check(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
	}
	check(t, os.Symlink("/etc/passwd", filepath.Join(dir, "leak")))
	return dir
}

// serveStatic starts the static server with the Node that apps get, and returns its address.
func serveStatic(t *testing.T, args ...string) string {
	t.Helper()
	kit, err := realBuilder(t).tools.Ensure(t.Context(), nodeapp.NodeWish{}, nodeapp.Manager{Tool: nodeapp.NPM}, progress.NewReport(io.Discard))
	check(t, err)
	program, err := templates.FS.ReadFile("static/server.mjs")
	check(t, err)
	path := filepath.Join(t.TempDir(), "server.mjs")
	check(t, os.WriteFile(path, program, 0o644))
	cmd := exec.CommandContext(t.Context(), filepath.Join(kit.NodeDir, "bin/node"), append([]string{path}, args...)...)
	cmd.Env = []string{"PORT=0"}
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	check(t, err)
	check(t, cmd.Start())
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() }) //nolint:errcheck // it is killed
	line, err := bufio.NewReader(out).ReadString('\n')
	check(t, err)
	port := regexp.MustCompile(`port (\d+)`).FindStringSubmatch(line)
	if port == nil {
		t.Fatalf("the server says %q", line)
	}
	return "127.0.0.1:" + port[1]
}

// ask sends a request as it is written, and returns the answer with its body.
func ask(t *testing.T, addr, request string) (*http.Response, string) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	check(t, err)
	defer conn.Close()
	line, headers, _ := strings.Cut(request, "\n")
	_, err = fmt.Fprintf(conn, "%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s\r\n", line, strings.ReplaceAll(headers, "\n", "\r\n"))
	check(t, err)
	method, _, _ := strings.Cut(line, " ")
	res, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	check(t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	check(t, err)
	return res, string(body)
}

// TestSiteWithDependencies: pages beside a package.json that names dependencies, and nothing that would start or build,
// ended gitd: the start command was looked for where there is none. Nothing is installed for them.
func TestSiteWithDependencies(t *testing.T) {
	b := realBuilder(t)
	repo := newRepository(t)
	m, said, _, err := repo.build(b, "pages", repo.commit(map[string]string{
		"package.json": `{"dependencies": {"ms": "2.1.3"}}`, "index.html": "<h1>pages</h1>",
	}))
	check(t, err)
	if len(m.Run) != 1 || m.Run[0].Name != "node .nodeos/static.mjs ." || m.Deps.Digest != "" {
		t.Errorf("%+v\n%s", m, said)
	}
	dir := filepath.Join(t.TempDir(), "app")
	extract(t, b.cfg.State.Layer(m.App.Digest), dir)
	if _, err := os.Stat(filepath.Join(dir, ".nodeos/static.mjs")); err != nil {
		t.Error(err)
	}
}

// TestStaticServer: what a static site answers, by the Node of its machine.
func TestStaticServer(t *testing.T) {
	addr := serveStatic(t, staticSite(t))
	for request, want := range map[string]struct {
		status       int
		body, header string // parts
	}{
		"GET /":                              {200, "home", "Cache-Control: no-cache"},
		"GET /about":                         {200, "about", "Content-Type: text/html; charset=utf-8"},
		"GET /docs/":                         {200, "docs", ""},
		"GET /docs?a=1":                      {308, "", "Location: /docs/?a=1"},
		"GET //docs":                         {308, "", "Location: /docs/"},
		"GET /assets/index-DiwrgTda.js":      {200, "x();", "Cache-Control: public, max-age=31536000, immutable"},
		"GET /ten.txt\nRange: bytes=2-4\n":   {206, "234", "Content-Range: bytes 2-4/10"},
		"GET /ten.txt\nRange: bytes=-3\n":    {206, "789", "Content-Range: bytes 7-9/10"},
		"GET /ten.txt\nRange: bytes=10-\n":   {416, "", "Content-Range: bytes */10"},
		"GET /ten.txt\nRange: bytes=1-0,5\n": {200, "0123456789", ""},
		"GET /ten.txt\nRange: bytes=2-4\nIf-Range: \"other\"\n": {200, "0123456789", ""},
		"HEAD /ten.txt":                    {200, "", "Content-Length: 10"},
		"POST /":                           {405, "", "Allow: GET, HEAD"},
		"GET /gr%C3%B6%C3%9Fe.txt":         {200, "umlaut", ""},
		"GET /.well-known/security.txt":    {200, "Contact", ""},
		"GET /.git/config":                 {404, "no such page", ""},
		"GET /leak":                        {404, "lost", ""},
		"GET /../../etc/passwd":            {404, "no such page", ""},
		"GET /%2e%2e/%2e%2e/etc/passwd":    {404, "no such page", ""},
		"GET /..%2f..%2fetc%2fpasswd":      {404, "no such page", ""},
		"GET /a%00b":                       {404, "no such page", ""},
		"GET /%zz":                         {400, "no path", ""},
		"GET /missing":                     {404, "lost", "Cache-Control: no-cache"},
		"GET /assets/index-DiwrgTda.js/..": {404, "", ""},
	} {
		res, body := ask(t, addr, request)
		name, value, _ := strings.Cut(want.header, ": ")
		if res.StatusCode != want.status || !strings.Contains(body, want.body) || (name != "" && res.Header.Get(name) != value) {
			t.Errorf("%q: %d %q %v, want %+v", request, res.StatusCode, body, res.Header, want)
		}
	}

	res, body := ask(t, addr, "GET /assets/index-DiwrgTda.js\nAccept-Encoding: gzip\n")
	if res.Header.Get("Content-Encoding") != "gzip" || len(body) > 500 {
		t.Errorf("not compressed: %d bytes, %v", len(body), res.Header)
	}
	again, body := ask(t, addr, "GET /assets/index-DiwrgTda.js\nAccept-Encoding: gzip\nIf-None-Match: "+res.Header.Get("Etag")+"\n")
	if again.StatusCode != http.StatusNotModified || body != "" {
		t.Errorf("asked again: %d, %d bytes", again.StatusCode, len(body))
	}
}

// TestStaticServerOfAnApp: with --spa, the app's own router gets every page, and files that are missing stay missing.
func TestStaticServerOfAnApp(t *testing.T) {
	addr := serveStatic(t, staticSite(t), "--spa")
	for request, want := range map[string]struct {
		status int
		body   string
	}{
		"GET /orders/7":                        {200, "home"},
		"GET /orders/7\nAccept: text/html\n":   {200, "home"},
		"GET /orders/7\nAccept: image/png\n":   {404, "lost"},
		"GET /assets/old-1234abcd.js":          {404, "lost"},
		"GET /.env":                            {404, "no such page"},
		"GET /ten.txt":                         {200, "0123456789"},
		"GET /orders%2F..%2F..%2Fetc%2Fpasswd": {404, "no such page"},
	} {
		if res, body := ask(t, addr, request); res.StatusCode != want.status || !strings.Contains(body, want.body) {
			t.Errorf("%q: %d %q, want %+v", request, res.StatusCode, body, want)
		}
	}
}
