package debian

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"unicode/utf8"

	"github.com/nodeos-dev/gitd/internal/image"
)

// Limits of what packages are unpacked to, together.
const (
	maxFiles = 200_000
	maxBytes = 4 << 30
	maxLink  = 4095 // bytes of a symlink's target
)

// Unpacked is a folder that packages are unpacked into.
type Unpacked struct {
	root  *os.Root
	files int
	bytes int64
}

// OpenUnpacked opens the folder dir, which is empty.
func OpenUnpacked(dir string) (*Unpacked, error) {
	root, err := os.OpenRoot(dir)
	return &Unpacked{root: root}, err
}

// Close closes the folder.
func (u *Unpacked) Close() error { return u.root.Close() }

// Add unpacks the files of one package: a tar, as `dpkg-deb --fsys-tarfile` prints it. Every name in it is hostile.
// Bits that give rights, owners and times are dropped; devices are refused.
func (u *Unpacked) Add(r io.Reader) error {
	t := tar.NewReader(r)
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			_, err = io.Copy(io.Discard, r) // what pads it
			return err
		}
		if err != nil {
			return fmt.Errorf("read the package: %w", err)
		}
		name, err := place(h.Name)
		if err != nil {
			return err
		}
		if name == "." || useless(name) || h.Typeflag == tar.TypeSymlink && isTop(h.Name) {
			continue
		}
		if err := u.add(name, h, t); err != nil {
			return fmt.Errorf("%.200q: %w", h.Name, err)
		}
	}
}

// place is where a file of a package goes. /bin and /sbin are links to their namesakes below /usr in every Debian, and
// packages name both.
func place(name string) (string, error) {
	clean := strings.TrimSuffix(strings.TrimPrefix(name, "./"), "/")
	if clean == "" || clean == "." {
		return ".", nil
	}
	if !fs.ValidPath(clean) || !utf8.ValidString(clean) || strings.ContainsRune(clean, 0) || len(path.Base(clean)) > image.MaxName {
		return "", fmt.Errorf("the package has a file of the name %.200q", name)
	}
	for _, dir := range []string{"bin", "sbin"} {
		if rest, ok := strings.CutPrefix(clean, dir+"/"); ok {
			return "usr/" + dir + "/" + rest, nil
		}
		if clean == dir {
			return "usr/" + dir, nil
		}
	}
	return clean, nil
}

// isTop reports whether a name is one of the root. Links of such names, as base-files has them since Debian 13, say
// that /lib is /usr/lib; in a machine both are folders, and the loader looks into both.
func isTop(name string) bool { return !strings.Contains(strings.TrimPrefix(name, "./"), "/") }

// useless are files that nothing reads in a machine. Copyrights stay: licences want them with the files.
func useless(name string) bool {
	for _, dir := range []string{"usr/share/man", "usr/share/info", "usr/share/lintian", "usr/share/bug", "var/cache", "var/lib/dpkg"} {
		if name == dir || strings.HasPrefix(name, dir+"/") {
			return true
		}
	}
	rest, ok := strings.CutPrefix(name, "usr/share/doc/")
	return ok && strings.Contains(rest, "/") && path.Base(rest) != "copyright"
}

func (u *Unpacked) add(name string, h *tar.Header, content io.Reader) error {
	if u.files++; u.files > maxFiles {
		return fmt.Errorf("the packages have more than %d files", maxFiles)
	}
	if h.Typeflag == tar.TypeDir {
		return u.folder(name)
	}
	if err := u.folder(path.Dir(name)); err != nil {
		return err
	}
	// Two packages may have one file; a later one replaces the earlier one, and never writes through a link.
	if err := u.root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	switch h.Typeflag {
	case tar.TypeReg:
		return u.file(name, h, content)
	case tar.TypeSymlink:
		if len(h.Linkname) > maxLink || h.Linkname == "" || strings.ContainsRune(h.Linkname, 0) {
			return errors.New("it is a symlink with a target that no symlink has")
		}
		return u.root.Symlink(h.Linkname, name)
	case tar.TypeLink:
		target, err := place(h.Linkname)
		if err != nil {
			return err
		}
		if info, err := u.root.Lstat(target); err != nil || !info.Mode().IsRegular() {
			return fmt.Errorf("it is a hard link to %.200q, which is no file of the packages", h.Linkname)
		}
		return u.root.Link(target, name)
	}
	return errors.New("it is neither file, folder nor link")
}

// folder makes a folder. A package's folder may be another one's link to a folder: it stays a link.
func (u *Unpacked) folder(name string) error {
	if info, err := u.root.Stat(name); err == nil && info.IsDir() {
		return nil
	}
	return u.root.MkdirAll(name, 0o755)
}

func (u *Unpacked) file(name string, h *tar.Header, content io.Reader) error {
	if u.bytes += h.Size; h.Size < 0 || u.bytes > maxBytes {
		return fmt.Errorf("the packages are larger than %d bytes", int64(maxBytes))
	}
	mode := fs.FileMode(0o644)
	if h.Mode&0o100 != 0 {
		mode = 0o755
	}
	f, err := u.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = io.CopyN(f, content, h.Size)
	return errors.Join(err, f.Close())
}
