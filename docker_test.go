package gitd_test

import (
	"os"
	"strings"
	"testing"
	"time"
)

// TestDocker is the life of a gitd in Docker, by docker-compose.yml as it stands, on a real engine: the image is built,
// somebody pushes, many ask at once, the container is stopped, restarted and upgraded. What the app writes when it is
// told to end must be there afterwards.
func TestDocker(t *testing.T) {
	release := os.Getenv("DEBIAN")
	switch {
	case os.Getenv(roomVar) != "":
		lifeInDocker(t)
		return
	case release == "":
		t.Skip("builds an image: make test-docker runs it")
	case os.Geteuid() != 0:
		t.Fatal("only root can start a Docker engine")
	}
	deadline, _ := t.Deadline()
	ctx, cancel := contextUntil(t, deadline.Add(-time.Minute))
	defer cancel()
	newRoom(ctx, t, release).run(ctx, t, t.Name())
}

func lifeInDocker(t *testing.T) {
	e := startEngine(t)
	e.makeBases()
	ada, bob := newPerson(t, "ada"), newPerson(t, "bob")

	// The top of docker-compose.yml says how it begins.
	t.Setenv("GITD_ADMIN_KEYS", ada.publicKey())
	t.Setenv("VERSION", "v0.0.1-test")
	e.step("the image is built, and the container gets healthy")
	e.compose("build")
	e.compose("up", "--detach")
	e.waitHealthy()
	e.wantVersion("v0.0.1-test")

	e.step("ada pushes an app that is built, and writes to a volume at its end")
	ada.nodeos("apps:create", "shop")
	ada.nodeos("volumes:create", "shop", "data", "--size", "100M", "--mount", "/data")
	ada.push("testdata/docker", "shop")
	e.wantAnswer("built, ends 0")

	e.step("root in the container tries system calls that nothing there needs, and gitd's user makes a machine's walls")
	e.refusesCalls()
	e.allowsWalls()
	e.hasNoRoot()

	e.step("bob's key is added as docs/docker.md says")
	e.composeInput(bob.publicKey(), "exec", "-T", "gitd", "gitd", "keys:add", "bob")
	ada.nodeos("users:grant", "bob", "shop", "view")
	if apps := bob.nodeos("apps"); !strings.Contains(apps, "shop") {
		t.Errorf("bob sees no app:\n%s", apps)
	}

	// QEMU accepts one connection at a time, and in a container gitd may not lengthen its queue (borrow QEMU's socket:
	// operation not permitted). When it relied on that, in every second round up to 59 of 300 requests took over 10 s.
	e.step("300 requests, 100 at a time, each on a connection of its own, in four rounds")
	for range 4 {
		e.burst(300, 100)
	}

	// The fault "the container is stopped" of docs/faults.md.
	e.step("the container is stopped, and started")
	e.compose("stop")
	e.wantCleanEnd()
	since := time.Now()
	e.compose("start")
	e.waitStarted("shop", since)
	e.wantAnswer("built, ends 1")

	e.step("the container is restarted while somebody asks all the time")
	since = time.Now()
	asked := e.ask()
	e.compose("restart")
	e.waitStarted("shop", since)
	asked.mustAnswerFromNowOn(50)
	e.wantAnswer("built, ends 2")

	e.step("the image is upgraded, and the volume kept")
	t.Setenv("VERSION", "v0.0.2-test")
	e.compose("build")
	since = time.Now()
	e.compose("up", "--detach")
	e.waitStarted("shop", since)
	e.waitHealthy()
	e.wantVersion("v0.0.2-test")
	e.wantAnswer("built, ends 3")
	if releases := ada.nodeos("releases", "shop"); !strings.Contains(releases, "live") {
		t.Errorf("no release is live:\n%s", releases)
	}
	ada.push("testdata/docker", "another")

	e.step("it ends")
	e.compose("down", "--volumes")
}
