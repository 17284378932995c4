package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestPrometheus has Debian's Prometheus scrape a gitd, with the alerts of docs/prometheus, and asks it for everything
// that the dashboard shows: make test-metrics.
func TestPrometheus(t *testing.T) {
	if os.Getenv("PROMETHEUS") == "" {
		t.Skip("needs Debian's prometheus: make test-metrics")
	}
	address := freeAddress(t)
	r := newRig(t, filepath.Join(bin, "gitd"), "", "--metrics", address)
	r.serve()
	web := startPrometheus(t, address)
	ask := func(expr string) (n int, err error) {
		res, err := http.Get("http://" + web + "/api/v1/query?query=" + url.QueryEscape(expr))
		if err != nil {
			return 0, err
		}
		defer res.Body.Close()
		var answer struct {
			Status, Error string
			Data          struct{ Result []json.RawMessage }
		}
		text, err := io.ReadAll(res.Body)
		if err == nil {
			err = json.Unmarshal(text, &answer)
		}
		if err == nil && answer.Status != "success" {
			err = fmt.Errorf("%s", answer.Error)
		}
		return len(answer.Data.Result), err
	}
	if err := r.eventually(func() error {
		if n, err := ask(`gitd_build_info and on (instance) up == 1`); err != nil || n != 1 {
			return fmt.Errorf("%d series: %w", n, err)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for _, expr := range dashboardExprs(t) {
		if _, err := ask(expr); err != nil {
			t.Errorf("%s: %v", expr, err)
		}
	}
	for _, expr := range []string{"gitd_libvirt_up == 1", "gitd_state_filesystem_free_bytes > 0", "gitd_builds_max > 0", `gitd_boots_total{kind="web"}`} {
		if n, err := ask(expr); err != nil || n == 0 {
			t.Errorf("%s: %d series, %v", expr, n, err)
		}
	}
}

// startPrometheus runs Prometheus until the test ends, and returns its address.
func startPrometheus(t *testing.T, target string) string {
	t.Helper()
	dir, web := t.TempDir(), freeAddress(t)
	alerts, err := filepath.Abs("../../docs/prometheus/alerts.yml")
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("promtool", "check", "rules", alerts).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	config := fmt.Sprintf("global: {scrape_interval: 1s}\nrule_files: [%s]\nscrape_configs:\n- job_name: gitd\n  static_configs: [{targets: [%q]}]\n", alerts, target)
	if err := os.WriteFile(filepath.Join(dir, "prometheus.yml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("prometheus", "--config.file", filepath.Join(dir, "prometheus.yml"), "--storage.tsdb.path", filepath.Join(dir, "data"), "--web.listen-address", web)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill() //nolint:errcheck // it may have ended
		cmd.Wait()         //nolint:errcheck // it was killed
	})
	return web
}

// dashboardExprs are the expressions of the dashboard, for all gitds and all apps, and over a minute.
func dashboardExprs(t *testing.T) (all []string) {
	t.Helper()
	var board struct {
		Panels []struct{ Targets []struct{ Expr string } }
	}
	if err := json.Unmarshal([]byte(readFile(t, "../../docs/grafana/gitd.json")), &board); err != nil {
		t.Fatal(err)
	}
	for _, p := range board.Panels {
		for _, x := range p.Targets {
			all = append(all, strings.NewReplacer("$instance", ".*", "$app", ".*").Replace(x.Expr))
		}
	}
	return all
}
