package debian

import (
	"context"
	"fmt"
	"os/exec"
	"strings"

	"github.com/nodeos-dev/gitd/internal/progress"
)

// Candidates are the versions that the archive has now of the packages of these names, by name. What it does not have
// is left out.
func (a Archive) Candidates(ctx context.Context, names []string, r *progress.Report) (map[string]string, error) {
	for _, name := range names {
		if err := CheckName(name); err != nil {
			return nil, err
		}
	}
	done, err := a.open(ctx, nil, r)
	if err != nil {
		return nil, err
	}
	defer done()
	if _, err := a.known(ctx); err != nil { // sources that do not answer
		return nil, err
	}
	out, err := a.apt(ctx, "apt-cache", append([]string{"policy", "--"}, names...)...)
	if err != nil {
		return nil, fmt.Errorf("ask apt for the versions of packages: %w", err)
	}
	return parsePolicy(out), nil
}

// parsePolicy reads what `apt-cache policy` prints: a line with the name and a colon, and below it, indented, one that
// begins with "Candidate:".
func parsePolicy(out string) map[string]string {
	versions, name := map[string]string{}, ""
	for line := range strings.Lines(out) {
		text := strings.TrimSpace(line)
		if !strings.HasPrefix(line, " ") {
			name = strings.TrimSuffix(text, ":")
			continue
		}
		v, ok := strings.CutPrefix(text, "Candidate: ")
		if ok && v != "(none)" && v != notInstalled && CheckName(name) == nil {
			versions[name] = v
		}
	}
	return versions
}

// Older reports whether version a comes before b, as dpkg orders them.
func Older(ctx context.Context, a, b string) (bool, error) {
	cmd := exec.CommandContext(ctx, "dpkg", "--compare-versions", a, "lt", b)
	cmd.Env = environment()
	err := cmd.Run()
	if cmd.ProcessState != nil && cmd.ProcessState.ExitCode() == 1 {
		return false, nil
	}
	return err == nil, err
}

// BasePackages are the packages of which the base has files.
func BasePackages() []string { return inBase() }
