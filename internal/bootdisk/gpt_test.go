package bootdisk

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// small is a table with two partitions.
func small() table {
	return table{disk: guidOf("disk"), sectors: 3 * alignment, parts: []partition{
		{name: "loader-0011", kind: biosBoot, id: guidOf("a"), first: alignment, last: alignment + 15},
		{name: "app-0011", kind: linuxData, id: guidOf("b"), first: 2 * alignment, last: 2*alignment + 99},
	}}
}

// whole is a disk with the table t and zeros between.
func whole(t table) []byte {
	b := make([]byte, t.sectors*sectorSize)
	copy(b, t.head(mbrCode))
	tail := t.tail()
	copy(b[len(b)-len(tail):], tail)
	return b
}

// TestTableChecksums: both headers and both tables have the checksums that firmware compares.
func TestTableChecksums(t *testing.T) {
	disk := whole(small())
	for _, at := range []int{headAt, len(disk)/sectorSize - 1} {
		h := bytes.Clone(disk[at*sectorSize:][:headerSize])
		sum := binary.LittleEndian.Uint32(h[16:])
		binary.LittleEndian.PutUint32(h[16:], 0)
		if got := crc32.ChecksumIEEE(h); string(h[:8]) != "EFI PART" || got != sum {
			t.Errorf("header at %d: %q, checksum %#x, says %#x", at, h[:8], got, sum)
		}
		if own := binary.LittleEndian.Uint64(h[24:]); own != uint64(at) {
			t.Errorf("header at %d says that it is at %d", at, own)
		}
		entries := disk[binary.LittleEndian.Uint64(h[72:])*sectorSize:][:entrySize*entryCount]
		if got, says := crc32.ChecksumIEEE(entries), binary.LittleEndian.Uint32(h[88:]); got != says {
			t.Errorf("table of the header at %d: checksum %#x, says %#x", at, got, says)
		}
	}
	if disk[510] != 0x55 || disk[511] != 0xaa || disk[446+4] != 0xee {
		t.Error("the first sector does not boot, or does not protect the table")
	}
}

// TestTableAsOthersReadIt: util-linux finds the same partitions.
func TestTableAsOthersReadIt(t *testing.T) {
	partx, err := exec.LookPath("partx")
	if err != nil {
		t.Skip("no partx: apt install util-linux")
	}
	file := filepath.Join(t.TempDir(), "disk")
	if err := os.WriteFile(file, whole(small()), 0o600); err != nil {
		t.Fatal(err)
	}
	columns := "START,SECTORS,NAME,UUID,TYPE"
	out, err := exec.CommandContext(t.Context(), partx, "--show", "--noheadings", "--output", columns, file).CombinedOutput()
	want := "2048 16 loader-0011 " + guidOf("a").String() + " 21686148-6449-6e6f-744e-656564454649 " +
		"4096 100 app-0011 " + guidOf("b").String() + " 0fc63daf-8483-4772-8e79-3d69d8477de4"
	if got := strings.Join(strings.Fields(string(out)), " "); err != nil || got != want {
		t.Errorf("%v\n%s\nwant\n%s", err, got, want)
	}
}

// TestLoaderFits: the code leaves room for what stands behind it on the disk.
func TestLoaderFits(t *testing.T) {
	if len(mbrCode) == 0 || len(mbrCode) > maxMBR {
		t.Errorf("the code of the first sector has %d bytes of %d", len(mbrCode), maxMBR)
	}
	if len(loaderCode) == 0 || len(loaderCode) > ordersAt {
		t.Errorf("the loader has %d bytes of %d", len(loaderCode), ordersAt)
	}
}

// TestLoaderIsThatOfItsSource assembles the loader again, and compares it with what the repository has.
func TestLoaderIsThatOfItsSource(t *testing.T) {
	for _, program := range []string{"as", "ld"} {
		out, err := exec.CommandContext(t.Context(), program, "--help").Output()
		if err != nil || !strings.Contains(string(out), "elf") || program == "ld" && !strings.Contains(string(out), "elf_i386") {
			t.Skip("no assembler for x86: apt install binutils, on amd64")
		}
	}
	dir := t.TempDir()
	if out, err := exec.CommandContext(t.Context(), "./loader/build", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for name, have := range map[string][]byte{"mbr.bin": mbrCode, "loader.bin": loaderCode} {
		made, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || !bytes.Equal(made, have) {
			t.Errorf("%s is not what its source gives (%v): run internal/bootdisk/loader/build", name, err)
		}
	}
}
