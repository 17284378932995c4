// Command seccomp writes the system call filter of gitd's container: Docker's default with the changes below. It is a
// module of its own, because nothing of gitd needs Docker's.
//
// A newer default comes with a newer github.com/moby/profiles/seccomp; the difference of templates/docker/seccomp.json
// then shows what Docker has changed:
//
//	go get github.com/moby/profiles/seccomp@latest && go run . >../../templates/docker/seccomp.json
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"

	"github.com/moby/profiles/seccomp"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// opened are the calls that Docker leaves to containers with CAP_SYS_ADMIN, or to none (pivot_root). gitd's container
// has no such capability: the kernel grants each of them only inside a user namespace that its caller has made. Which
// they are was found by running gitd, not by reading.
var opened = []rule{
	{[]string{"clone", "unshare"}, "builds, git and machines have namespaces; clone3 stays closed, and libraries do without it"},
	{[]string{"mount", "umount2", "pivot_root"}, "what a build or a machine sees is put together in its mount namespace"},
	{[]string{"mount_setattr"}, "what a machine may only read is made read-only, with all that is mounted below it"},
	{[]string{"sethostname"}, "a build or a machine does not see the container's name"},
}

// closed are calls that Docker's default has, and that nothing in the container makes. With them, a process reads and
// changes others of its user. Docker gives them back to a container with CAP_SYS_PTRACE.
var closed = []string{"ptrace", "process_vm_readv", "process_vm_writev"}

type rule struct {
	names  []string
	reason string
}

func main() {
	text, err := encode(profile())
	if err == nil {
		_, err = os.Stdout.Write(text)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "seccomp:", err)
		os.Exit(1)
	}
}

func encode(p *seccomp.Seccomp) ([]byte, error) {
	text, err := json.MarshalIndent(p, "", "\t")
	return append(text, '\n'), err
}

// profile is Docker's default with our changes.
func profile() *seccomp.Seccomp {
	p := seccomp.DefaultProfile()
	p.Syscalls = slices.DeleteFunc(p.Syscalls, func(s *seccomp.Syscall) bool { return replaced(s.Names) })
	for _, r := range opened {
		p.Syscalls = append(p.Syscalls, &seccomp.Syscall{
			LinuxSyscall: specs.LinuxSyscall{Names: r.names, Action: specs.ActAllow},
			Comment:      r.reason,
		})
	}
	return p
}

// replaced reports whether a rule of Docker's has only calls that we close, or is one of those about the flags of
// clone, in place of which stands ours.
func replaced(names []string) bool {
	for _, name := range names {
		if name != "clone" && !slices.Contains(closed, name) {
			return false
		}
	}
	return true
}
