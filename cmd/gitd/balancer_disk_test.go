package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// bootsAlone is `npm run build` in the balancer's folder: a disk, which plain QEMU boots, with no gitd around it.
func (s *story) bootsAlone() {
	s.t.Helper()
	warm := (&host{state: s.state}).imageState() // where gitd image keeps what it builds with
	if err := os.MkdirAll(warm, 0o755); err != nil {
		s.t.Fatal(err)
	}
	s.must(exec.Command("cp", "-al", filepath.Join(s.state, "bases"), filepath.Join(s.state, "cache"), warm))
	said := s.npm()("run", "build")
	if !strings.Contains(said, "disk.img boots load-balancer") {
		s.t.Fatalf("npm run build: %s", said)
	}
	if status := s.git("lb", "status", "--porcelain"); status != "" {
		s.t.Errorf("the disk is not ignored: %s", status)
	}
	taken, err := net.Listen("tcp4", "127.0.0.1:0") // a port that is free
	if err != nil {
		s.t.Fatal(err)
	}
	address := taken.Addr().String()
	taken.Close()
	cmd := exec.Command("qemu-system-x86_64", append(strings.Fields(accelerated()), "-m", "256", "-nographic", "-no-reboot",
		"-drive", "file="+filepath.Join(s.work, "lb", "disk.img")+",format=raw,if=virtio",
		"-nic", "user,model=virtio-net-pci,hostfwd=tcp:"+address+"-:8080")...)
	var console lines
	cmd.Stdout, cmd.Stderr = &console, &console
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	defer cmd.Wait()         //nolint:errcheck // it is killed
	defer cmd.Process.Kill() //nolint:errcheck // it may have ended
	client := &http.Client{Timeout: 10 * time.Second}
	err = s.eventually(func() error {
		res, err := client.Get("http://" + address + "/-/health")
		if err != nil {
			return err
		}
		defer res.Body.Close()
		if text, err := io.ReadAll(res.Body); err != nil || string(text) != `{"ok":true}` {
			return fmt.Errorf("%q, %w", text, err)
		}
		return nil
	})
	if err != nil {
		s.t.Errorf("%v\n%s", err, console.String())
	}
}
