package bootdisk

import (
	"bytes"
	"context"
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/guest"
)

const baseID = "0011223344556677"

func layerOf(text string) core.Layer {
	sum := sha256.Sum256([]byte(text))
	return core.Layer{Digest: hex.EncodeToString(sum[:]), Size: int64(len(text))}
}

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
		t.Fatal(err)
	}
}

// state is a state folder with one base, and the manifest of an image on it. An empty initrd is none.
func state(t *testing.T, kernelText, initrd string) (core.StateDir, core.Manifest) {
	t.Helper()
	s := core.StateDir(t.TempDir())
	images := map[string]core.Layer{"kernel": layerOf(kernelText), "root.erofs": layerOf("the root")}
	put(t, s.Kernel(baseID), kernelText)
	put(t, s.Root(baseID), "the root")
	if initrd != "" {
		put(t, s.Initrd(baseID), initrd)
		images["initrd"] = layerOf(initrd)
	}
	list, err := json.Marshal(map[string]any{"images": images})
	if err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(s.Base(baseID), "base.json"), string(list))
	m := core.Manifest{
		Base: baseID, App: layerOf("the app"), Deps: layerOf("its dependencies"),
		Run: []core.StartStep{{Words: []core.Word{core.Plain("node"), core.Plain("server.js")}}},
	}
	put(t, s.Layer(m.App.Digest), "the app")
	put(t, s.Layer(m.Deps.Digest), "its dependencies")
	return s, m
}

// goodKernel is one that knows partitions, and can be entered.
func goodKernel() string {
	k := kernel(note("Xen\x00", 18, 0x1000500), segment{elf.PT_LOAD, 0x1000, 0x1000000, 0x801, 0x801})
	copy(k[0x1800:], tableMagic)
	return string(k)
}

func write(t *testing.T, s core.StateDir, m core.Manifest, start guest.Start) ([]byte, []Part) {
	t.Helper()
	d, err := Make(s, m, start)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	var b bytes.Buffer
	parts, err := d.Write(t.Context(), &b)
	if err != nil || int64(b.Len()) != d.Size() {
		t.Fatalf("%d bytes of %d, %v", b.Len(), d.Size(), err)
	}
	return b.Bytes(), parts
}

// TestDisk: every part is where the list says, with the digest that it says, and the disk depends on its parts alone.
func TestDisk(t *testing.T) {
	s, m := state(t, goodKernel(), "")
	start, err := Start(core.Release{App: "shop", Version: 3, Commit: "c0", Manifest: m}, map[string]string{"A": "1"})
	if err != nil {
		t.Fatal(err)
	}
	disk, parts := write(t, s, m, start)
	var names []string
	for _, p := range parts {
		names = append(names, p.Name)
		if got := layerOf(string(disk[p.Offset:][:p.Size])); got.Digest != p.Digest || p.Offset%(1<<20) != 0 {
			t.Errorf("%+v: %s is there", p, got.Digest)
		}
	}
	if want := []string{"loader", "kernel", "start", "base", "deps", "app"}; !slices.Equal(names, want) {
		t.Errorf("the parts are %q", names)
	}
	m2, err := guest.NewReader(bytes.NewReader(disk[parts[2].Offset:])).Read()
	if err != nil || !slices.Contains(m2.Start.Env, "A=1") || !slices.Contains(m2.Start.Env, "NODEOS_RELEASE=v3") ||
		!m2.Start.Alone || !m2.Start.Network.DHCP || m2.Start.UnixNano != 0 {
		t.Errorf("the start is %+v, %v", m2.Start, err)
	}
	if again, _ := write(t, s, m, start); !bytes.Equal(again, disk) {
		t.Error("the same disk has other bytes")
	}
	start.Port++
	if other, _ := write(t, s, m, start); bytes.Equal(other[:1<<20], disk[:1<<20]) {
		t.Error("another start has the same partitions")
	}
}

// TestStockDisk: a stock kernel is told of its initramfs, and not of its root, which init mounts.
func TestStockDisk(t *testing.T) {
	s, m := state(t, goodKernel(), "an init that knows "+guest.DiskVariable)
	m.Deps = core.Layer{}
	disk, parts := write(t, s, m, guest.Start{})
	if parts[2].Name != "initrd" || len(parts) != 6 || bytes.Contains(disk, []byte("root=")) {
		t.Errorf("the parts are %v", parts)
	}
	if !bytes.Contains(disk, []byte(guest.DiskVariable+"="+identityIn(disk)+" ")) {
		t.Error("the kernel is not told which disk it is on")
	}
}

// identityIn is the identity in the name of the first partition.
func identityIn(disk []byte) string {
	name := strings.ReplaceAll(string(disk[(headAt+1)*sectorSize+56:][:2*maxName]), "\x00", "")
	return strings.TrimPrefix(name, loaderName+"-")
}

func TestNoDisk(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(t *testing.T, s core.StateDir, m *core.Manifest)
		kernel string
		initrd string
		want   string
	}{
		{"a kernel without partitions", nil, strings.Replace(goodKernel(), tableMagic, "xxx", 1), "", "was made by an older gitd"},
		{"an init without disks", nil, goodKernel(), "an old init", "was made by an older gitd"},
		{"a kernel of another form", nil, "MZ " + tableMagic, "", "base " + baseID + " has a kernel that the loader cannot start"},
		{"a layer that is cut off", func(t *testing.T, s core.StateDir, m *core.Manifest) {
			put(t, s.Layer(m.App.Digest), "the")
		}, goodKernel(), "", "has 3 bytes instead of 7"},
		{"a damaged layer", func(t *testing.T, s core.StateDir, m *core.Manifest) {
			put(t, s.Layer(m.App.Digest), "the apq")
		}, goodKernel(), "", "app is damaged"},
		{"no such base", func(_ *testing.T, _ core.StateDir, m *core.Manifest) { m.Base = "0011223344556678" }, goodKernel(), "", "no such file"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, m := state(t, tt.kernel, tt.initrd)
			if tt.change != nil {
				tt.change(t, s, &m)
			}
			d, err := Make(s, m, guest.Start{})
			if err == nil {
				defer d.Close()
				_, err = d.Write(t.Context(), &bytes.Buffer{})
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestCreate: a file appears as a whole, or not at all.
func TestCreate(t *testing.T) {
	s, m := state(t, goodKernel(), "")
	d, err := Make(s, m, guest.Start{})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	dir := t.TempDir()
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := d.Create(over, filepath.Join(dir, "none"), Raw); !errors.Is(err, context.Canceled) {
		t.Errorf("an end in the middle: %v", err)
	}
	if _, err := d.Create(t.Context(), filepath.Join(dir, "disk.img"), Raw); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 || left[0].Name() != "disk.img" {
		t.Errorf("left are %v, %v", left, err)
	}
}
