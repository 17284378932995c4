package ledger

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/ledger/ledgertest"
)

// crashVar tells a child process which ledger to write to until it is killed.
const crashVar = "GITD_TEST_CRASH_LEDGER"

func TestMain(m *testing.M) {
	if path := os.Getenv(crashVar); path != "" {
		fmt.Fprintln(os.Stderr, deployForever(path))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// deployForever promotes one release after the other and says so only when
// each is done.
func deployForever(path string) error {
	ctx := context.Background()
	l, err := Open(ctx, path)
	if err != nil {
		return err
	}
	if _, err := l.CreateApp(ctx, "shop"); err != nil {
		return err
	}
	for {
		r, err := l.AddRelease(ctx, ledgertest.Draft("shop", ledgertest.Commit("a")))
		if err != nil {
			return err
		}
		r.Finished = time.Now()
		if err := promote(ctx, l, r); err != nil {
			return err
		}
		fmt.Println(r.Version)
	}
}

// TestCrash kills a writer at moments it does not choose. After each kill
// exactly one release is live, and nothing that the writer was told is done
// has been lost.
func TestCrash(t *testing.T) {
	path := newPath(t)
	for round := range 5 {
		promised := crash(t, path, 3+round)
		checkCrashed(t, path, promised)
	}
}

// crash runs a writer on path, kills it after n promises, and returns the
// last version that it promised.
func crash(t *testing.T, path string, n int) int {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), crashVar+"="+path)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	last := 0
	for lines := bufio.NewScanner(out); lines.Scan(); n-- {
		if last, err = strconv.Atoi(lines.Text()); err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := cmd.Wait(); err == nil || n > 0 {
		t.Fatalf("the writer was not killed: %v\n%s", err, stderr.String())
	}
	return last
}

func checkCrashed(t *testing.T, path string, promised int) {
	t.Helper()
	l, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	app, err := l.App(t.Context(), "shop")
	if err != nil {
		t.Fatal(err)
	}
	if app.Live < promised {
		t.Errorf("live is v%d, although v%d was promised", app.Live, promised)
	}
	list, err := l.Releases(t.Context(), "shop", 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range list {
		if (r.State == core.Live) != (r.Version == app.Live) {
			t.Errorf("v%d is %s, live is v%d", r.Version, r.State, app.Live)
		}
	}
}
