package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// packages are tests that end in each way.
var packages = map[string]string{
	"pass":   `func TestA(t *testing.T) { t.Log("a detail") }`,
	"fail":   `func TestA(t *testing.T) { t.Error("what is wrong") }; func TestB(t *testing.T) { t.Log("a detail") }`,
	"death":  `func TestA(t *testing.T) { panic("a panic") }`,
	"broken": `func TestA(t *testing.T) { nobody() }`,
	"exit":   `func TestA(t *testing.T) { println("last words"); os.Exit(3) }`,
	"skip": `
		func TestProgram(t *testing.T) { t.Skip("no qemu here") }
		func TestTarget(t *testing.T)  { t.Skip("takes minutes: make measure") }
		func TestSilent(t *testing.T)  { t.SkipNow() }`,
}

// events is what go test -json says of these packages.
func events(t *testing.T) string {
	t.Helper()
	t.Chdir(t.TempDir())
	write := func(name, text string) {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("go.mod", "module example.org\n\ngo 1.26\n")
	for name, source := range packages {
		write(name+"/a_test.go", "package a\n\nimport (\n\"os\"\n\"testing\"\n)\n\nvar _ = os.Args\n\n"+source)
	}
	cmd := exec.Command("go", "test", "-json", "./...")
	cmd.Env = append(os.Environ(), "GOFLAGS=")
	out, err := cmd.Output()
	if len(out) == 0 {
		t.Fatalf("go test said nothing: %v", err)
	}
	return string(out)
}

// read gives the events to a report and returns it, and what it printed.
func read(t *testing.T, events string, r report) (*report, string) {
	t.Helper()
	var out strings.Builder
	r.out = &out
	if err := r.read(strings.NewReader(events)); err != nil {
		t.Fatal(err)
	}
	r.summary()
	return &r, out.String()
}

func TestReport(t *testing.T) {
	events := events(t)
	t.Run("all", func(t *testing.T) {
		_, out := read(t, events, report{strict: true, root: true})
		for _, want := range []string{
			"ok  \texample.org/pass", "what is wrong", "FAIL\texample.org/fail", "panic: a panic", "FAIL\texample.org/death",
			"undefined: nobody", "FAIL\texample.org/broken [build failed]", "last words", "FAIL\texample.org/exit",
			`FAIL  example.org/skip TestProgram was skipped: "no qemu here"`, "   1  no qemu here\n",
		} {
			if !strings.Contains(out, want) {
				t.Errorf("%q is not in:\n%s", want, out)
			}
		}
		if strings.Contains(out, "a detail") {
			t.Errorf("what a good test said is in:\n%s", out)
		}
		if !strings.HasSuffix(out, " 3 skipped\n") || strings.Contains(out, " 0 failed") {
			t.Errorf("the last line is wrong:\n%s", out)
		}
	})
	t.Run("short", func(t *testing.T) {
		if r, out := read(t, events, report{root: true}); len(r.unexplained()) != 0 || !strings.Contains(out, "no qemu here\n") {
			t.Errorf("with -short a skip is only told:\n%s", out)
		}
	})
	t.Run("skips", func(t *testing.T) {
		r, _ := read(t, events, report{strict: true, root: true})
		if wrong := r.unexplained(); len(wrong) != 2 || wrong[0].name != "TestProgram" || wrong[1].name != "TestSilent" {
			t.Errorf("unexplained: %+v, want TestProgram and TestSilent", wrong)
		}
	})
}

// TestOnlyGood: nothing failed, and the figures say so.
func TestOnlyGood(t *testing.T) {
	_, out := read(t, `{"Action":"output","Package":"a","Test":"TestA","Output":"    a_test.go:1: a detail\n"}
{"Action":"pass","Package":"a","Test":"TestA","Elapsed":12.5}
{"Action":"output","Package":"a","Output":"PASS\n"}
{"Action":"output","Package":"a","Output":"ok  \ta\t12.6s\n"}
{"Action":"pass","Package":"a","Elapsed":12.6}
`, report{strict: true})
	const want = `      a TestA 12.5s
ok  	a	12.6s

The slowest packages:
    12.6s  a

The slowest tests:
    12.5s  a TestA
1 passed, 0 failed, 0 skipped
`
	if out != want {
		t.Errorf("got\n%s\nwant\n%s", out, want)
	}
}

// TestSkipsOfAnOrdinaryUser: who is not root cannot mend it.
func TestSkipsOfAnOrdinaryUser(t *testing.T) {
	r := report{strict: true, skipped: []skip{
		{test{"a", "TestA"}, "only root can mount"}, {test{"a", "TestB"}, "no qemu"}, {test{"a", "FuzzC/seed#1"}, ""},
		{test{"a", "TestD"}, "all other tests run as an ordinary user already"},
	}}
	if wrong := r.unexplained(); len(wrong) != 1 || wrong[0].name != "TestB" {
		t.Errorf("unexplained: %+v, want TestB", wrong)
	}
	r.root = true
	if wrong := r.unexplained(); len(wrong) != 3 || wrong[0].name != "TestA" {
		t.Errorf("unexplained as root: %+v, want TestA, TestB and TestD", wrong)
	}
}

// TestAgain: a test that fails beside others and passes by itself is named, and fails nothing. One that fails twice
// fails the run, and so does a package that died: nobody knows which of its tests did that.
func TestAgain(t *testing.T) {
	t.Chdir(t.TempDir())
	for name, text := range map[string]string{
		"go.mod": "module example.org\n\ngo 1.26\n",
		"a/a_test.go": `package a
import ("os"; "testing")
func TestOther(t *testing.T) {}
func TestParts(t *testing.T) {
	for _, part := range []string{"good", "once"} {
		t.Run(part, func(t *testing.T) {
			if _, err := os.Stat("../seen"); part == "once" && err != nil {
				os.WriteFile("../seen", nil, 0o644)
				t.Error("the first time")
			}
		})
	}
}`,
		"b/b_test.go": "package b\nimport \"testing\"\nfunc TestBad(t *testing.T) { t.Error(\"each time\") }",
		"c/c_test.go": "package c\nimport \"testing\"\nfunc TestDeath(t *testing.T) { panic(1) }",
	} {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("GOFLAGS", "")
	for _, c := range []struct {
		args   []string
		failed bool
		says   string
	}{
		{[]string{"-p", "1", "./a"}, false, "UNSTABLE  example.org/a TestParts/once failed, and passed by itself"},
		{[]string{"-p", "1", "./a", "./b"}, true, "TestBad failed: once more, by itself\n"},
		{[]string{"./a", "./c"}, true, "panic: 1"},
	} {
		os.Remove("seen") //nolint:errcheck // the first time, there is none
		var out strings.Builder
		r := report{out: &out, strict: true, root: true}
		if err := goTest(c.args, &r); err == nil {
			t.Fatalf("%q passed the first time", c.args)
		}
		r.retry(c.args)
		r.summary()
		if (r.failed > 0) != c.failed || !strings.Contains(out.String(), c.says) {
			t.Errorf("%q: %d failed, want %t and %q:\n%s", c.args, r.failed, c.failed, c.says, out.String())
		}
	}
}
