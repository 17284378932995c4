// Package compose_test reads the repository's docker-compose.yml as `docker
// compose` does. It is a module of its own: the parser of compose files has
// some twenty dependencies, and none of them belongs to gitd.
package compose_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
)

const repository = "../.."

// loadCompose reads docker-compose.yml as `docker compose` does, its schema
// included.
func loadCompose(t *testing.T, env ...string) types.ServiceConfig {
	t.Helper()
	opts, err := cli.NewProjectOptions([]string{filepath.Join(repository, "docker-compose.yml")},
		cli.WithEnv(append(env, "GITD_ADMIN_KEYS=ssh-ed25519 AAAA ada")), cli.WithResolvedPaths(true))
	if err != nil {
		t.Fatal(err)
	}
	project, err := opts.LoadProject(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := project.Volumes["state"]; !ok || len(project.Services) != 1 {
		t.Errorf("want the one service and a named volume, got services %v and volumes %v", project.ServiceNames(), project.VolumeNames())
	}
	s, err := project.GetService("gitd")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestComposeFile(t *testing.T) {
	s := loadCompose(t)
	if s.Privileged || len(s.CapAdd) != 0 || len(s.Devices) != 0 || s.NetworkMode == "host" || s.Pid == "host" {
		t.Error("the container gets more than it needs: privileged, capabilities, devices or the host's namespaces")
	}
	if s.Build == nil || s.Build.Context != mustAbs(t, repository) {
		t.Errorf("build: %+v, want the repository", s.Build)
	}
	if len(s.Volumes) != 1 || s.Volumes[0].Type != "volume" || s.Volumes[0].Source != "state" || s.Volumes[0].Target != "/var/lib/gitd" {
		t.Errorf("volumes: %+v, want the state alone", s.Volumes)
	}
	var ports []string
	for _, p := range s.Ports {
		ports = append(ports, p.Published)
	}
	if slices.Sort(ports); !slices.Equal(ports, []string{"2222", "8080"}) {
		t.Errorf("published ports: %v", ports)
	}
	if key := s.Environment["GITD_ADMIN_KEYS"]; key == nil || *key != "ssh-ed25519 AAAA ada" {
		t.Error("GITD_ADMIN_KEYS does not reach the container")
	}
	if s.StopGracePeriod == nil || time.Duration(*s.StopGracePeriod) < 45*time.Second {
		t.Error("stop_grace_period is shorter than a drain and a stop")
	}
	if s.Init == nil || !*s.Init || s.Restart != "unless-stopped" || s.HealthCheck == nil {
		t.Error("want an init, a restart policy and a health check")
	}
}

// TestConfinement: the filter is a file of the repository, named from the folder of docker-compose.yml; docker-compose
// 1.29 reads it from there too, and gives the engine what is in it. The AppArmor profile is the host's choice.
func TestConfinement(t *testing.T) {
	want := []string{"seccomp=templates/docker/seccomp.json", "apparmor=unconfined"}
	if got := loadCompose(t).SecurityOpt; !slices.Equal(got, want) {
		t.Errorf("security_opt %q, want %q", got, want)
	}
	if got := loadCompose(t, "GITD_APPARMOR=gitd-container").SecurityOpt; !slices.Contains(got, "apparmor=gitd-container") {
		t.Errorf("security_opt %q with GITD_APPARMOR=gitd-container", got)
	}
	if _, err := os.Stat(filepath.Join(repository, "templates/docker/seccomp.json")); err != nil {
		t.Error(err)
	}
}

// TestOldVersionsReadIt: the compose file had a start_interval, which Docker refuses before version 25, and a name and
// an option systempaths, which docker-compose refuses before version 2. make test-docker runs such versions.
func TestOldVersionsReadIt(t *testing.T) {
	s := loadCompose(t)
	if s.HealthCheck.StartInterval != nil {
		t.Error("healthcheck.start_interval: Docker 20.10 refuses it")
	}
	for _, opt := range s.SecurityOpt {
		if strings.HasPrefix(opt, "systempaths") {
			t.Errorf("security_opt %s: docker-compose 1.29 refuses it", opt)
		}
	}
	file, err := os.ReadFile(filepath.Join(repository, "docker-compose.yml"))
	if err != nil {
		t.Fatal(err)
	}
	if regexp.MustCompile(`(?m)^name:`).Match(file) {
		t.Error("name: docker-compose 1.29 refuses it")
	}
}

func mustAbs(t *testing.T, path string) string {
	t.Helper()
	abs, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return abs
}
