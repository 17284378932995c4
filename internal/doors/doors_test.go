package doors

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// childVar makes this test program the next process, which takes the doors over and says which.
const childVar = "DOORS_TEST_CHILD"

func TestMain(m *testing.M) {
	if want := os.Getenv(childVar); want != "" {
		time.AfterFunc(5*time.Second, func() { panic("nobody came") })
		if err := child(want); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// child serves one connection at each door of want: "name=address …".
func child(want string) error {
	s, err := Inherit()
	if err != nil {
		return err
	}
	for word := range strings.FieldsSeq(want) {
		name, address, _ := strings.Cut(word, "=")
		l, err := s.TCP(name, address)
		if err != nil {
			return err
		}
		fmt.Println("has", name, l.Addr())
		conn, err := l.Accept()
		if err != nil {
			return err
		}
		io.WriteString(conn, "child\n") //nolint:errcheck // the test reads it
		conn.Close()
	}
	fmt.Println("rest", s.CloseRest(), len(os.Getenv(Var)+os.Getenv("LISTEN_FDS")))
	return nil
}

// start starts a child with files from descriptor 3 on.
func start(t *testing.T, want string, files []*os.File, env ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(env, childVar+"="+want)
	cmd.ExtraFiles = files
	return cmd
}

// TestPassedOn: a connection that comes while the door is paused is answered by the next process, the door of which
// nobody has asked is closed there, and this process still accepts: nothing of it became blocking.
func TestPassedOn(t *testing.T) {
	s := New()
	l, err := s.TCP("ssh", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Pausing()
	if _, err := s.TCP("http", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	accepted := make(chan error, 1)
	go func() {
		_, err := l.Accept()
		accepted <- err
	}()
	s.Pause()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	files, env, err := s.Files(3)
	if err != nil {
		t.Fatal(err)
	}
	out, err := start(t, "ssh=127.0.0.1:0", files, env).CombinedOutput()
	if want := fmt.Sprintf("has ssh %s\nrest [http] 0\n", l.Addr()); err != nil || string(out) != want {
		t.Fatalf("%v %q, want %q", err, out, want)
	}
	if said, _ := io.ReadAll(conn); string(said) != "child\n" {
		t.Errorf("the connection that waited got %q", said)
	}
	s.Resume()
	again, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if err := <-accepted; err != nil {
		t.Error(err)
	}
	go l.Accept() //nolint:errcheck // it is closed
	l.Close()
	if got := s.String(); got != "http" {
		t.Errorf("open: %s", got)
	}
}

// TestClosedWhilePaused: whoever accepts at a door that is closed while it is paused learns of it.
func TestClosedWhilePaused(t *testing.T) {
	s := New()
	l, err := s.TCP("ssh", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Pausing()
	s.Pause()
	accepted := make(chan error, 1)
	go func() {
		_, err := l.Accept()
		accepted <- err
	}()
	l.Close()
	if err := <-accepted; err == nil {
		t.Error("a closed door let somebody in")
	}
}

// TestOtherAddress: a door that was opened for another address is not taken; its own is opened.
func TestOtherAddress(t *testing.T) {
	s := New()
	l, err := s.TCP("http", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	files, env, err := s.Files(3)
	if err != nil {
		t.Fatal(err)
	}
	cmd := start(t, "http=127.0.0.2:0", files, env)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var address string
	if _, err := fmt.Fscanf(stdout, "has http %s\n", &address); err != nil || !strings.HasPrefix(address, "127.0.0.2:") {
		t.Errorf("%v: %s, and the door before is %s", err, address, l.Addr())
	}
	if conn, err := net.Dial("tcp", address); err == nil {
		io.Copy(io.Discard, conn) //nolint:errcheck // it ends
		conn.Close()
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

// TestActivation: the sockets of systemd are taken by their names, whatever their addresses are, and those of another
// process's number are not.
func TestActivation(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	f, err := l.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 100)
	if err != nil {
		t.Fatal(err)
	}
	s := &Set{inherited: []Handed{{Name: "https", FD: fd, systemd: true}}}
	got, err := s.TCP("https", ":443")
	if err != nil || got.Addr().String() != l.Addr().String() {
		t.Fatalf("%v, %v", got, err)
	}
	got.Close()

	t.Setenv("LISTEN_FDS", "2")
	t.Setenv("LISTEN_FDNAMES", "http:ssh")
	t.Setenv("LISTEN_PID", "1")
	if all, err := given(os.Getpid()); err != nil || len(all) != 0 {
		t.Errorf("those of process 1: %v, %v", all, err)
	}
	t.Setenv("LISTEN_PID", fmt.Sprint(os.Getpid()))
	all, err := given(os.Getpid())
	if err != nil || fmt.Sprint(all) != "[{http 3  true} {ssh 4  true}]" {
		t.Errorf("%v, %v", all, err)
	}
	if !IsGiven("ssh") || IsGiven("https") {
		t.Error("which are given is not known")
	}
}

// TestNameOfASocket: a unix socket that was passed on keeps its name when this process closes it.
func TestNameOfASocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	s := New()
	l, err := s.Unix("control", path, func(path string) (net.Listener, error) { return net.Listen("unix", path) })
	if err != nil {
		t.Fatal(err)
	}
	files, _, err := s.Files(3)
	if err != nil {
		t.Fatal(err)
	}
	fd, err := unix.FcntlInt(files[0].Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	files[0].Close()
	next := &Set{inherited: []Handed{{Name: "control", FD: fd, Address: path}}}
	s.Own(false)
	l.Close()
	taken, err := next.Unix("control", path, nil)
	if err != nil {
		t.Fatal(err)
	}
	next.Own(true)
	if _, err := net.Dial("unix", path); err != nil {
		t.Fatal(err)
	}
	taken.Close()
	if _, err := os.Stat(path); err == nil {
		t.Error("the name is left")
	}
}
