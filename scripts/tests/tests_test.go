package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// runOn runs go test on a module of one file and returns the report and what it printed.
func runOn(t *testing.T, strict bool, source string) (*report, string) {
	t.Helper()
	t.Chdir(t.TempDir())
	for name, text := range map[string]string{"go.mod": "module example.org/a\n\ngo 1.26\n", "a_test.go": source} {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var out strings.Builder
	r := &report{out: &out, strict: strict, root: true}
	cmd := exec.Command("go", "test", "-json", "./...")
	cmd.Env = append(os.Environ(), "GOFLAGS=")
	events, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if err := r.read(events); err != nil {
		t.Fatal(err)
	}
	cmd.Wait() //nolint:errcheck // it fails where the tests do
	r.summary()
	return r, out.String()
}

const head = "package a\n\nimport \"testing\"\n\n"

func TestReport(t *testing.T) {
	for name, c := range map[string]struct {
		source    string
		want      []string
		wantNever string
	}{
		"pass": {
			"func TestA(t *testing.T) { t.Log(\"a detail\") }",
			[]string{"ok  \texample.org/a", "1 passed, 0 failed, 0 skipped"}, "a detail",
		},
		"fail": {
			"func TestA(t *testing.T) { t.Error(\"what is wrong\") }\nfunc TestB(t *testing.T) { t.Log(\"a detail\") }",
			[]string{"what is wrong", "FAIL\texample.org/a"}, "a detail",
		},
		"death": {
			"func TestA(t *testing.T) { panic(\"what is wrong\") }",
			[]string{"what is wrong", "FAIL\texample.org/a"}, "0 failed",
		},
		"broken": {
			"func TestA(t *testing.T) { nobody() }",
			[]string{"undefined: nobody", "[build failed]"}, "0 failed",
		},
		"end of the process": {
			"import \"os\"\nfunc TestA(t *testing.T) { println(\"what is wrong\"); os.Exit(3) }",
			[]string{"what is wrong", "FAIL\texample.org/a"}, "0 failed",
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, out := runOn(t, true, head+c.source)
			for _, want := range c.want {
				if !strings.Contains(out, want) {
					t.Errorf("%q is not in:\n%s", want, out)
				}
			}
			if strings.Contains(out, c.wantNever) {
				t.Errorf("%q is in:\n%s", c.wantNever, out)
			}
		})
	}
}

func TestSkips(t *testing.T) {
	const source = head + `
func TestProgram(t *testing.T) { t.Skip("no qemu here") }
func TestTarget(t *testing.T)  { t.Skip("takes minutes: make measure") }
func TestSilent(t *testing.T)  { t.SkipNow() }
`
	r, out := runOn(t, true, source)
	if wrong := r.unexplained(); len(wrong) != 2 || wrong[0].name != "TestProgram" || wrong[1].name != "TestSilent" {
		t.Errorf("unexplained: %+v, want TestProgram and TestSilent", wrong)
	}
	for _, want := range []string{`FAIL  example.org/a TestProgram was skipped: "no qemu here"`, "0 passed, 2 failed, 3 skipped"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in:\n%s", want, out)
		}
	}
	if r, out := runOn(t, false, source); len(r.unexplained()) != 0 || !strings.Contains(out, "   1  no qemu here\n") {
		t.Errorf("with -short a skip is only told:\n%s", out)
	}
}

// TestSkipsOfAnOrdinaryUser: who is not root cannot mend it.
func TestSkipsOfAnOrdinaryUser(t *testing.T) {
	r := report{strict: true, skipped: []skip{
		{test{"a", "TestA"}, "only root can mount"}, {test{"a", "TestB"}, "no qemu"}, {test{"a", "FuzzC/seed#1"}, ""},
	}}
	if wrong := r.unexplained(); len(wrong) != 1 || wrong[0].name != "TestB" {
		t.Errorf("unexplained: %+v, want TestB", wrong)
	}
	r.root = true
	if wrong := r.unexplained(); len(wrong) != 2 || wrong[0].name != "TestA" {
		t.Errorf("unexplained as root: %+v, want TestA and TestB", wrong)
	}
}
