package remote

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/nodeos-dev/gitd/internal/core"
)

// TestEnvironment: what gitd is given by variables does not reach ssh, nor what its configuration starts.
func TestEnvironment(t *testing.T) {
	t.Setenv("GITD_SECRET", "x")
	t.Setenv("LD_PRELOAD", "")
	t.Setenv("HOME", "/home/ada")
	env := environment()
	if !slices.Contains(env, "HOME=/home/ada") || slices.ContainsFunc(env, func(v string) bool {
		return strings.HasPrefix(v, "GITD_") || strings.HasPrefix(v, "LD_")
	}) {
		t.Errorf("%q", env)
	}
}

// TestNoWay: what ssh says becomes a reason and what to do about it.
func TestNoWay(t *testing.T) {
	for said, want := range map[string][2]string{
		"@@@@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @@@@\nHost key verification failed.": {"its host key is not the one that is known", "ssh-keygen -R other"},
		"No ED25519 host key is known for other.\nHost key verification failed.":                    {"its host key is not known", "compare the key"},
		"root@other: Permission denied (publickey).":                                                {"Permission denied", "without a question"},
		"subsystem request failed on channel 0":                                                     {"subsystem request failed", "apt install openssh-sftp-server"},
		"":                                                                                          {"EOF", "without a question"},
	} {
		c := &conn{target: &Target{Host: "other"}, stderr: &tail{text: []byte(said)}}
		var no *core.Rejection
		if err := c.refused(errors.New("EOF")); !errors.As(err, &no) || !errors.Is(err, ErrAway) ||
			!strings.Contains(no.Reason, want[0]) || !strings.Contains(no.Hint, want[1]) {
			t.Errorf("%q: %v", said, err)
		}
	}
}

// TestTail: an endless banner is not kept.
func TestTail(t *testing.T) {
	var said tail
	for range 100 {
		fmt.Fprintln(&said, strings.Repeat("x", 1000))
	}
	fmt.Fprint(&said, "at\n last\n")
	if got := said.String(); len(got) > mostSaid || !strings.HasSuffix(got, " at last") {
		t.Errorf("%d bytes: %q", len(got), got)
	}
}
