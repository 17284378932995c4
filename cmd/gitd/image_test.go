package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// bootLimit is for one boot of a disk, emulated on a busy host.
const bootLimit = 4 * time.Minute

// cmdBoots boots a disk in plain QEMU, with no gitd and no libvirt around it, waits for an answer that matches, and
// presses the power button: `boots FILE FORMAT PATTERN`. The file console is what came from the serial port.
func cmdBoots(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: boots FILE FORMAT PATTERN")
	}
	port, err := freePort()
	ts.Check(err)
	var console bytes.Buffer
	cmd := exec.Command("qemu-system-x86_64", "-m", "256", "-display", "none", "-no-reboot", "-monitor", "stdio",
		"-serial", "file:"+ts.MkAbs("console"), "-drive", fmt.Sprintf("file=%s,format=%s,if=virtio", ts.MkAbs(args[0]), args[1]),
		"-nic", fmt.Sprintf("user,model=virtio-net-pci,hostfwd=tcp:127.0.0.1:%d-:8080", port))
	cmd.Args = append(cmd.Args, strings.Fields(accelerated())...)
	cmd.Stderr = &console
	monitor, err := cmd.StdinPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	over := make(chan error, 1)
	go func() { over <- cmd.Wait() }()
	defer cmd.Process.Kill() //nolint:errcheck // it has ended, if all went well
	answer, err := awaitAnswer(fmt.Sprintf("http://127.0.0.1:%d/", port), over)
	if err == nil {
		_, err = io.WriteString(monitor, "system_powerdown\n")
	}
	if err == nil {
		select {
		case err = <-over:
		case <-time.After(bootLimit):
			err = fmt.Errorf("the machine does not power off")
		}
	}
	said, readErr := os.ReadFile(ts.MkAbs("console"))
	if err != nil || readErr != nil {
		ts.Fatalf("%v, %v\n%s\n%s", err, readErr, console.String(), said)
	}
	if !regexp.MustCompile(args[2]).MatchString(answer) {
		ts.Fatalf("it answers %q", answer)
	}
	ts.Logf("%s", said)
}

// awaitAnswer asks until there is an answer, or the machine is over.
func awaitAnswer(url string, over <-chan error) (string, error) {
	client := &http.Client{Timeout: 10 * time.Second}
	late := time.After(bootLimit)
	for {
		if resp, err := client.Get(url); err == nil {
			text, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if err == nil {
				return string(text), nil
			}
		}
		select {
		case err := <-over:
			return "", errors.Join(errors.New("the machine has ended"), err)
		case <-late:
			return "", fmt.Errorf("no answer within %s", bootLimit)
		case <-time.After(100 * time.Millisecond): // QEMU takes connections before the machine does: there is no event
		}
	}
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// TestImageSettles: the file's name and its form follow from each other. The app is called what its package.json says,
// else as its folder, and never what no app may be called.
func TestImageSettles(t *testing.T) {
	for _, tt := range []struct {
		out, format     string
		wantOut, wantAs string
		wrong           string
	}{
		{"", "", "shop.img", "raw", ""},
		{"", "qcow2", "shop.qcow2", "qcow2", ""},
		{"x.qcow2", "", "x.qcow2", "qcow2", ""},
		{"x.QCOW2", "", "x.QCOW2", "qcow2", ""},
		{"x.img", "qcow2", "x.img", "qcow2", ""},
		{"x.vmdk", "vmdk", "", "", "use raw or qcow2"},
	} {
		o := imageOptions{out: tt.out, format: tt.format, name: "shop"}
		err := o.settleForm()
		if tt.wrong != "" {
			if err == nil || !strings.Contains(err.Error(), tt.wrong) {
				t.Errorf("%+v: %v", tt, err)
			}
			continue
		}
		if err != nil || o.out != tt.wantOut || o.format != tt.wantAs {
			t.Errorf("%+v: %q, %q, %v", tt, o.out, o.format, err)
		}
	}
	for _, tt := range []struct{ pkg, folder, want string }{
		{"shop", "x", "shop"}, {"@my/Shop_App", "x", "shop-app"}, {"", "My Shop", "my-shop"}, {"1", "2", "app"}, {"../..", "/", "app"},
	} {
		if got := appNameOf(tt.pkg, tt.folder); got != tt.want {
			t.Errorf("%+v: %q", tt, got)
		}
	}
}
