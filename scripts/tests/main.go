// Command tests runs `go test` and says what people and CI want to know of it: `go run ./scripts/tests ARGS`, with
// the arguments of go test.
//
// It prints the output of what fails, where the time went, and why tests were skipped. It owns the rule of skips:
// without -short, a test may be skipped only if another target of the Makefile runs it, and its reason names that
// target. A test that is skipped because a program is missing would otherwise look like one that passed.
//
// With -again, a test that fails is run once more by itself. One that passes then is named in the summary as unstable,
// and the run has not failed for it.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
)

func main() {
	os.Exit(run(os.Args[1:]))
}

func run(args []string) (code int) {
	chance := slices.Contains(args, again)
	args = slices.DeleteFunc(args, func(a string) bool { return a == again })
	r := report{out: os.Stdout, strict: !short(args), root: os.Geteuid() == 0}
	err := goTest(args, &r)
	if chance && r.failed > 0 {
		r.retry(args)
		if r.failed == 0 {
			err = nil
		}
	}
	r.summary()
	switch {
	case err != nil && r.failed == 0: // a failed test has been printed already
		fmt.Fprintln(os.Stderr, "tests:", err)
		return 1
	case err != nil || r.failed > 0 || len(r.unexplained()) > 0:
		return 1
	}
	return 0
}

// goTest runs go test and has r take what it says.
func goTest(args []string, r *report) error {
	cmd := exec.Command("go", append([]string{"test", "-json"}, args...)...)
	cmd.Stderr = os.Stderr
	events, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return err
	}
	err = r.read(events)
	if end := cmd.Wait(); err == nil {
		err = end
	}
	return err
}

func short(args []string) bool {
	return slices.ContainsFunc(args, func(a string) bool { return a == "-short" || a == "-short=true" })
}
