package base

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pierrec/lz4/v4"
)

func TestStockKernelBecomesELF(t *testing.T) {
	image, err := os.ReadFile(filepath.Join(setupKernel, "vmlinuz"))
	if err != nil {
		t.Skipf("no stock kernel here: %v", err)
	}
	vmlinux := bootable(image)
	if !bytes.HasPrefix(vmlinux, []byte("\x7fELF")) || !bytes.Contains(vmlinux, []byte("Linux version 6.")) {
		t.Errorf("%d bytes became %d, which are no ELF kernel", len(image), len(vmlinux))
	}
}

func TestMissingStockKernelSaysWhatToDo(t *testing.T) {
	_, err := openStockKernel(t.TempDir())
	if err == nil || !strings.Contains(err.Error(), "run scripts/setup") {
		t.Errorf("got %v", err)
	}
}

// bzImage wraps payload as the kernel's build does.
func bzImage(payload []byte) []byte {
	b := make([]byte, 1024+16, 1024+16+len(payload)+4)
	b[0x1f1] = 1
	copy(b[0x202:], "HdrS")
	binary.LittleEndian.PutUint16(b[0x206:], 0x20f)
	binary.LittleEndian.PutUint32(b[0x248:], 16)
	binary.LittleEndian.PutUint32(b[0x24c:], uint32(len(payload)+4))
	return append(append(b, payload...), 0, 0, 0, 0)
}

func legacyLZ4(t testing.TB, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := lz4.NewWriter(&b)
	if err := w.Apply(lz4.LegacyOption(true)); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestKernelPayload(t *testing.T) {
	data := bytes.Repeat([]byte("a kernel without a PVH note "), 1000)
	payload, err := bzImagePayload(bzImage(legacyLZ4(t, data)))
	check(t, err)
	got, err := decompress(payload)
	check(t, err)
	if !bytes.Equal(got, data) {
		t.Errorf("%d bytes came back as %d", len(data), len(got))
	}
}

// What is not understood boots as it is.
func TestBootableKeepsWhatItCannotRead(t *testing.T) {
	good := bzImage(legacyLZ4(t, []byte("no ELF")))
	far := bytes.Clone(good)
	binary.LittleEndian.PutUint32(far[0x24c:], 0xffffffff)
	for name, image := range map[string][]byte{
		"empty": {}, "arm64 Image": bytes.Repeat([]byte{0}, 4096), "no ELF inside": good, "payload beyond the end": far,
		"gzip": bzImage([]byte("\x1f\x8b\x08 not LZ4")), "cut": good[:0x24f],
	} {
		if got := bootable(image); !bytes.Equal(got, image) {
			t.Errorf("%s: was changed", name)
		}
	}
}

func FuzzBootable(f *testing.F) {
	f.Add(bzImage(legacyLZ4(f, []byte("\x7fELF\x02\x01\x01"))))
	f.Add([]byte("HdrS"))
	f.Fuzz(func(t *testing.T, image []byte) {
		bootable(image)
		if len(image) > 64 {
			findNote(image, binary.LittleEndian, "Xen\x00", 18)
		}
	})
}
