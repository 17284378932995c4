package gitd_test

import (
	"bytes"
	"context"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// step is one RUN or COPY of the Dockerfile's last stage.
type step struct{ verb, args string }

// lastStage reads the Dockerfile's last stage and its ENTRYPOINT. It knows
// the few forms that ours uses, and refuses others.
func lastStage(t *testing.T) (steps []step) {
	t.Helper()
	file, err := os.ReadFile("Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(file)) {
		verb, args, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch {
		case verb == "" || strings.HasPrefix(verb, "#"):
		case verb == "FROM":
			steps = nil
		case strings.HasSuffix(args, "\\") || strings.HasPrefix(args, "<<"):
			t.Fatalf("Dockerfile: %q goes over several lines, which this test cannot read", line)
		default:
			steps = append(steps, step{verb, args})
		}
	}
	return steps
}

// TestDockerInstallSteps runs the Dockerfile's last stage in a fresh Debian,
// where no Docker engine is needed: the very RUN lines, in a root that
// debootstrap made.
func TestDockerInstallSteps(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a minute or two")
	}
	if os.Geteuid() != 0 {
		t.Skip("a Debian root can be made by root only")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	root := debianRoot(ctx, t)
	built := buildPrograms(ctx, t)
	for _, s := range lastStage(t) {
		t.Logf("%s %s", s.verb, s.args)
		switch s.verb {
		case "RUN":
			inRoot(ctx, t, root, "sh", "-c", s.args)
		case "COPY":
			copyInto(t, root, built, strings.Fields(s.args))
		case "VOLUME", "EXPOSE", "ENV":
		case "ENTRYPOINT":
			if s.args != `["docker-entrypoint", "gitd", "serve"]` {
				t.Errorf("ENTRYPOINT %s", s.args)
			}
		default:
			t.Errorf("this test does not know %s", s.verb)
		}
	}
	checkInstalled(ctx, t, root)
}

func checkInstalled(ctx context.Context, t *testing.T, root string) {
	t.Helper()
	if out := inRoot(ctx, t, root, "docker-entrypoint", "gitd", "version"); len(bytes.TrimSpace(out)) == 0 {
		t.Error("gitd version says nothing")
	}
	for _, program := range []string{"qemu-system-x86_64", "bwrap", "mkfs.erofs", "git"} {
		inRoot(ctx, t, root, program, "--help")
	}
	inRoot(ctx, t, root, "id", "libvirt-qemu")
	inRoot(ctx, t, root, "setcap", "-v", "cap_setuid=ep", "/usr/bin/newuidmap", "cap_setgid=ep", "/usr/bin/newgidmap")
	for _, file := range []string{"vmlinuz", "version", "modules/kernel/fs/erofs/erofs.ko"} {
		inRoot(ctx, t, root, "test", "-s", "/usr/lib/gitd/kernel/"+file)
	}
	inRoot(ctx, t, root, "test", "!", "-e", "/usr/sbin/libvirtd") // embedded: no daemon is wanted
	inRoot(ctx, t, root, "test", "!", "-e", "/boot/vmlinuz")
	start := time.Now()
	inRoot(ctx, t, root, "/usr/local/lib/gitd/setup", "container")
	t.Logf("setup again: %v", time.Since(start).Round(time.Millisecond))
}

// The build context must hold what the first stage copies, and no secrets or
// states of the checkout.
func TestDockerIgnoreKeepsTheSources(t *testing.T) {
	ignore, err := os.ReadFile(".dockerignore")
	if err != nil {
		t.Fatal(err)
	}
	kept := strings.Fields(string(ignore))
	for _, name := range []string{"!go.mod", "!go.sum", "!Makefile", "!cmd", "!internal", "!templates", "!scripts"} {
		if !slices.Contains(kept, name) {
			t.Errorf(".dockerignore must say %s", name)
		}
	}
	if !slices.Contains(kept, "*") {
		t.Error(".dockerignore must begin by leaving everything out")
	}
}
