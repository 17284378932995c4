package system

import (
	"context"
	"errors"
	"io"
	"os/exec"
	"path/filepath"

	"github.com/nodeos-dev/gitd/internal/builder/debian"
	"github.com/nodeos-dev/gitd/internal/builder/sandbox"
)

// unpack has dpkg-deb take the archive of files out of a package, in a sandbox without a network, because that is the
// program which has to read compressed data. What comes out is read by this process. Where the host has no sandbox,
// dpkg-deb runs as it is, on what apt has verified.
func (s *System) unpack(ctx context.Context, deb string, folder *debian.Unpacked) error {
	r, w := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := s.fsysTar(ctx, deb, w)
		done <- err
		w.CloseWithError(err)
	}()
	err := folder.Add(r)
	r.CloseWithError(err)
	return errors.Join(err, <-done)
}

func (s *System) fsysTar(ctx context.Context, deb string, out io.Writer) error {
	const program, inside = "/usr/bin/dpkg-deb", "/debs"
	if s.Box == nil {
		cmd := exec.CommandContext(ctx, program, "--fsys-tarfile", deb)
		cmd.Env, cmd.Stdout = []string{"LC_ALL=C", "PATH=/usr/bin:/bin"}, out
		return cmd.Run()
	}
	return s.Box.Run(ctx, sandbox.Spec{
		Args: []string{program, "--fsys-tarfile", inside + "/" + filepath.Base(deb)},
		Env:  []string{"LC_ALL=C", "PATH=/usr/bin:/bin"}, Dir: "/",
		Mounts: []sandbox.Mount{{Host: filepath.Dir(deb), Inside: inside}}, Output: out,
	})
}
