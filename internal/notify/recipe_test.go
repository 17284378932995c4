package notify

import (
	"bufio"
	"bytes"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestRecipe: what docs/drains.md says of Node verifies what gitd sends, and refuses what others send.
func TestRecipe(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("node is not installed")
	}
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "drains.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, recipe, _ := strings.Cut(string(text), "```js\n")
	recipe, _, found := strings.Cut(recipe, "```\n")
	if !found {
		t.Fatal("docs/drains.md has no recipe")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	_, port, _ := net.SplitHostPort(addr)
	l.Close()

	r := newRig(t)
	row, key := r.add("shop", "http://"+addr+"/")
	cmd := exec.Command(node, "-e", recipe)
	cmd.Env = []string{"PORT=" + port, "WEBHOOK_KEY=" + key}
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	r.must(err)
	r.must(cmd.Start())
	t.Cleanup(func() {
		cmd.Process.Kill() //nolint:errcheck // it may have ended
		cmd.Wait()         //nolint:errcheck // as above
	})
	r.happens("shop", "release.live", "v3 1a2b3c4", time.Now())
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || line != "deployed shop v3 is live at http://shop.example/ (1a2b3c4, by ada)\n" {
		t.Errorf("%q, %v", line, err)
	}
	secret := r.hooks.all[0].Key
	body := []byte(`{"type":"deployed"}`)
	for name, at := range map[string]time.Time{"old": time.Now().Add(-time.Hour), "now": time.Now()} {
		timestamp, signature := sign(secret, row.ID, at, body)
		for other, body := range map[string][]byte{"same": body, "changed": []byte(`{"type":"crashed!"}`)} {
			want := http.StatusUnauthorized
			if name == "now" && other == "same" {
				want = http.StatusNoContent
			}
			if got := post(t, addr, row.ID, timestamp, signature, body); got != want {
				t.Errorf("%s, %s: %d, want %d", name, other, got, want)
			}
		}
	}
	now := strconv.FormatInt(time.Now().Unix(), 10)
	for _, signature := range []string{"", "v1,", "v1,AAAA", "v2,AAAA", "x"} {
		if got := post(t, addr, row.ID, now, signature, body); got != http.StatusUnauthorized {
			t.Errorf("%q: %d", signature, got)
		}
	}
}

func post(t *testing.T, addr, id, timestamp, signature string, body []byte) int {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, "http://"+addr+"/", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Webhook-Id", id)
	req.Header.Set("Webhook-Timestamp", timestamp)
	req.Header.Set("Webhook-Signature", signature)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}
