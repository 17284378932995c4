package doors

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Var is the environment variable with the doors that root or the gitd before has opened: a JSON list of Handed.
const Var = "GITD_DOORS"

// firstFD is that of the first socket of systemd's (SD_LISTEN_FDS_START).
const firstFD = 3

// Handed is a door that this process was started with.
type Handed struct {
	Name    string `json:"name"`
	FD      int    `json:"fd"`
	Address string `json:"address"` // for which it was opened
	systemd bool
}

// Inherit takes the doors that this process was started with, and their variables out of the environment: they are this
// process's alone. systemd's are those of LISTEN_FDS, by the names of LISTEN_FDNAMES (FileDescriptorName= of the unit).
func Inherit() (*Set, error) {
	all, err := given(os.Getpid())
	for _, name := range []string{Var, "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"} {
		os.Unsetenv(name) //nolint:errcheck // it cannot fail for a good name
	}
	if err != nil {
		return nil, err
	}
	for _, h := range all {
		unix.CloseOnExec(h.FD)
	}
	return &Set{inherited: all}, nil
}

// given are the doors that the environment tells of.
func given(pid int) (all []Handed, err error) {
	if text := os.Getenv(Var); text != "" {
		if err := json.Unmarshal([]byte(text), &all); err != nil {
			return nil, fmt.Errorf("%s: %w", Var, err)
		}
	}
	// Who becomes another user keeps its number, and a child of this process does not.
	if of, _ := strconv.Atoi(os.Getenv("LISTEN_PID")); of != pid {
		return all, nil
	}
	n, err := strconv.Atoi(os.Getenv("LISTEN_FDS"))
	if err != nil || n < 0 {
		return nil, fmt.Errorf("LISTEN_FDS=%q is no number of sockets", os.Getenv("LISTEN_FDS"))
	}
	names := strings.Split(os.Getenv("LISTEN_FDNAMES"), ":")
	for i := range n {
		h := Handed{FD: firstFD + i, systemd: true}
		if i < len(names) {
			h.Name = names[i]
		}
		all = append(all, h)
	}
	return all, nil
}

// IsGiven reports whether this process was started with a door of this name, before Inherit is called.
func IsGiven(name string) bool {
	all, err := given(os.Getpid())
	return err == nil && slices.ContainsFunc(all, func(h Handed) bool { return h.Name == name })
}

// Environment is the variable that tells a process of the doors that it is started with.
func Environment(opened []Handed) string {
	text, err := json.Marshal(opened)
	if err != nil {
		panic(err) // strings and numbers
	}
	return Var + "=" + string(text)
}

// Files are the open doors as a child of this process gets them, the first as its descriptor first, and the variable
// that tells the child of them. They are closed by the caller. The sockets stay those of this process too: a connection
// goes to whoever accepts it first.
func (s *Set) Files(first int) (files []*os.File, env string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []Handed
	for i, e := range s.open {
		f, err := duplicate(e)
		if err != nil {
			for _, f := range files {
				f.Close()
			}
			return nil, "", fmt.Errorf("pass the door %s on: %w", e.name, err)
		}
		files = append(files, f)
		all = append(all, Handed{Name: e.name, FD: first + i, Address: e.address})
	}
	return files, Environment(all), nil
}

// duplicate returns another descriptor of a door. (*net.TCPListener).File returns one that, when a child is started
// with it, becomes blocking, for this process too.
func duplicate(e *entry) (f *os.File, err error) {
	raw, err := e.fd.SyscallConn()
	if err != nil {
		return nil, err
	}
	var fd int
	var failed error
	if err := raw.Control(func(of uintptr) { fd, failed = unix.FcntlInt(of, syscall.F_DUPFD_CLOEXEC, 0) }); err != nil {
		return nil, err
	}
	if failed != nil {
		return nil, failed
	}
	return os.NewFile(uintptr(fd), e.name), nil
}
