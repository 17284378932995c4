package promql

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"go.yaml.in/yaml/v3"
)

// metric is a row of the table in docs/watching.md.
type metric struct {
	kind   string
	labels []string
}

var (
	row    = regexp.MustCompile("(?m)^\\| `(gitd_[a-z_]+)` \\| ([a-z]+) \\| ([^|]*) \\|")
	quoted = regexp.MustCompile("`([a-z]+)`")
)

func documented(t *testing.T) map[string]metric {
	t.Helper()
	text := read(t, "../../docs/watching.md")
	known := map[string]metric{}
	for _, m := range row.FindAllStringSubmatch(text, -1) {
		one := metric{kind: m[2], labels: []string{"instance", "job"}}
		for _, l := range quoted.FindAllStringSubmatch(m[3], -1) {
			one.labels = append(one.labels, l[1])
		}
		known[m[1]] = one
	}
	if len(known) < 40 {
		t.Fatalf("docs/watching.md has %d metrics", len(known))
	}
	return known
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// others are metrics that are not gitd's own.
var others = []string{"up", "process_cpu_seconds_total", "process_resident_memory_bytes", "go_goroutines"}

// find returns the metric that a series belongs to.
func find(known map[string]metric, series string) (m metric, ok bool) {
	for _, part := range []string{"_bucket", "_sum", "_count"} {
		if name, is := strings.CutSuffix(series, part); is && known[name].kind == "histogram" {
			m = known[name]
			m.labels = append(slices.Clone(m.labels), "le")
			return m, true
		}
	}
	m, ok = known[series]
	return m, ok && m.kind != "histogram"
}

// check parses an expression, and checks its series and their labels.
func check(t *testing.T, known map[string]metric, where, expr string) (names []string) {
	t.Helper()
	tree, err := parser.NewParser(parser.Options{}).ParseExpr(expr)
	if err != nil {
		t.Errorf("%s: %s: %v", where, expr, err)
		return nil
	}
	parser.Inspect(tree, func(n parser.Node, _ []parser.Node) error {
		v, ok := n.(*parser.VectorSelector)
		if !ok || slices.Contains(others, v.Name) {
			return nil
		}
		names = append(names, v.Name)
		m, ok := find(known, v.Name)
		if !ok {
			t.Errorf("%s: gitd has no series %s: %s", where, v.Name, expr)
		}
		for _, l := range v.LabelMatchers {
			if ok && l.Name != labels.MetricName && !slices.Contains(m.labels, l.Name) {
				t.Errorf("%s: %s has no label %s", where, v.Name, l.Name)
			}
		}
		return nil
	})
	return names
}

// TestAlerts: each alert asks for series that there are.
func TestAlerts(t *testing.T) {
	var file struct {
		Groups []struct {
			Rules []struct{ Alert, Expr string }
		}
	}
	if err := yaml.Unmarshal([]byte(read(t, "../../docs/prometheus/alerts.yml")), &file); err != nil {
		t.Fatal(err)
	}
	known, n := documented(t), 0
	for _, g := range file.Groups {
		for _, r := range g.Rules {
			n++
			check(t, known, r.Alert, r.Expr)
		}
	}
	if n < 10 {
		t.Errorf("%d alerts", n)
	}
}

// TestDashboard: each panel shows series that there are, and each metric of gitd is on a panel or named here.
func TestDashboard(t *testing.T) {
	var board struct {
		Panels []struct {
			ID      int
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal([]byte(read(t, "../../docs/grafana/gitd.json")), &board); err != nil {
		t.Fatal(err)
	}
	known, shown, ids := documented(t), map[string]bool{}, map[int]bool{}
	for _, p := range board.Panels {
		if ids[p.ID] {
			t.Errorf("two panels have the id %d", p.ID)
		}
		ids[p.ID] = true
		for _, target := range p.Targets {
			for _, series := range check(t, known, p.Title, target.Expr) {
				for _, part := range []string{"", "_bucket", "_sum", "_count"} {
					shown[strings.TrimSuffix(series, part)] = true
				}
			}
		}
	}
	notShown := []string{
		"gitd_app_images", "gitd_app_release", "gitd_disk_walk_duration_seconds", "gitd_disk_walk_timestamp_seconds", "gitd_drain_lines_sent_total",
		"gitd_drain_up", "gitd_libvirt_up", "gitd_machine_lines_dropped_total", "gitd_machine_start_time_seconds", "gitd_machines_cpus_max",
		"gitd_machines_cpus_promised", "gitd_state_filesystem_files_free",
	}
	for name := range known {
		if shown[name] == slices.Contains(notShown, name) {
			t.Errorf("%s: on the dashboard: %v", name, shown[name])
		}
	}
}
