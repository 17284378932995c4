package archive

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func write(t testing.TB, files ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := NewWriter(&b, Head{Gitd: "v1", Created: time.Unix(1, 0)})
	for _, f := range files {
		if err == nil {
			err = w.Bytes(f, []byte("of "+f))
		}
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func read(b []byte) (names []string, err error) {
	err = Read(bytes.NewReader(b), func(Head) error { return nil }, func(f File) error {
		names = append(names, f.Name)
		text, err := io.ReadAll(f)
		if err == nil && len(text) != int(f.Size) {
			err = fmt.Errorf("%d bytes", len(text))
		}
		return err
	})
	return names, err
}

// TestArchive: what was written is read, and by tar and sha256sum too; what was cut off or changed is not.
func TestArchive(t *testing.T) {
	b := write(t, "ledger.db", "volumes/"+strings.Repeat("x", 120)+"/0000", "repos/shop.bundle")
	names, err := read(b)
	if err != nil || len(names) != 3 {
		t.Fatalf("%q, %v", names, err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "b.tar"), b, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("sh", "-c", "cd "+dir+" && tar xf b.tar && sha256sum -c SHA256SUMS").CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	for n := 0; n < len(b)-1536; n += 100 { // a tar ends with zeros, which say nothing
		if _, err := read(b[:n]); err == nil {
			t.Fatalf("the first %d of %d bytes are a backup", n, len(b))
		}
		changed := bytes.Clone(b)
		changed[n] ^= 0x10
		// Of the fields of a header, only names and sizes say something.
		if names, err := read(changed); err == nil && fmt.Sprint(names) != "[ledger.db volumes/"+strings.Repeat("x", 120)+"/0000 repos/shop.bundle]" {
			t.Fatalf("with another byte at %d: %q", n, names)
		}
	}
	for _, part := range []string{"of ledger.db", "of repos/shop"} {
		if _, err := read(bytes.Replace(b, []byte(part), []byte(strings.ToUpper(part)), 1)); !errors.Is(err, ErrChanged) {
			t.Errorf("with another %q: %v", part, err)
		}
	}
	if _, err := read([]byte("PACK")); !errors.Is(err, ErrNone) {
		t.Errorf("what is no backup: %v", err)
	}
	newer := bytes.Replace(b, []byte(`"format": 1`), []byte(`"format": 9`), 1)
	if _, err := read(newer); err == nil || !strings.Contains(err.Error(), "restore it with that one") {
		t.Errorf("a newer one: %v", err)
	}
}

// TestHostileArchive: nothing but a plain file with a plain name is handed on.
func TestHostileArchive(t *testing.T) {
	head := tar.Header{Name: headName, Size: 13, Mode: 0o600}
	for name, h := range map[string]tar.Header{
		"up":        {Name: "../../etc/passwd"},
		"absolute":  {Name: "/etc/passwd"},
		"in it":     {Name: "repos/../../x"},
		"dots":      {Name: ".."},
		"folder":    {Name: "repos/", Typeflag: tar.TypeDir},
		"link":      {Name: "x", Typeflag: tar.TypeSymlink, Linkname: "/etc/passwd"},
		"hard link": {Name: "x", Typeflag: tar.TypeLink, Linkname: "/etc/passwd"},
		"device":    {Name: "x", Typeflag: tar.TypeBlock},
		"fifo":      {Name: "x", Typeflag: tar.TypeFifo},
		"blank":     {Name: "a b"},
		"newline":   {Name: "a\nb"},
		"long":      {Name: strings.Repeat("x", 300)},
		"records":   {Name: "x", PAXRecords: map[string]string{"GITD.x": "1"}},
	} {
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		err := w.WriteHeader(&head)
		if err == nil {
			_, err = io.WriteString(w, `{"format": 1}`)
		}
		if err == nil {
			err = w.WriteHeader(&h)
		}
		if err == nil {
			err = w.Close()
		}
		if err != nil {
			t.Fatal(name, err)
		}
		if names, err := read(b.Bytes()); err == nil || len(names) > 0 {
			t.Errorf("%s: %q, %v", name, names, err)
		}
	}
	huge := tar.Header{Name: "x", Size: 1 << 50, Format: tar.FormatGNU}
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	w.WriteHeader(&head)               //nolint:errcheck // to memory
	io.WriteString(w, `{"format": 1}`) //nolint:errcheck // to memory
	w.WriteHeader(&huge)               //nolint:errcheck // to memory
	if names, err := read(b.Bytes()); err == nil || len(names) > 0 {
		t.Errorf("huge: %q, %v", names, err)
	}
}

// FuzzArchive: whatever bytes come, a name that is handed on stays below the folder that it is put in.
func FuzzArchive(f *testing.F) {
	f.Add(write(f, "ledger.db"))
	f.Add(write(f))
	f.Fuzz(func(t *testing.T, b []byte) {
		names, _ := read(b)
		for _, n := range names {
			if !filepath.IsLocal(n) || strings.ContainsAny(n, "\n\\ ") {
				t.Fatalf("%q", n)
			}
		}
	})
}
