package vault

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
)

func written(t *testing.T, key, text []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := NewWriter(&b, key)
	if err != nil {
		t.Fatal(err)
	}
	for rest := text; len(rest) > 0; {
		n := min(len(rest), 1+rand.IntN(chunk*3/2))
		if _, err := w.Write(rest[:n]); err != nil {
			t.Fatal(err)
		}
		rest = rest[n:]
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func read(t *testing.T, key, file []byte) ([]byte, error) {
	t.Helper()
	r, err := NewReader(bytes.NewReader(file), key)
	if err != nil {
		t.Fatal(err)
	}
	return io.ReadAll(r)
}

// TestRoundTrip: what was written is read again, whatever its size, and nothing of it is in the file.
func TestRoundTrip(t *testing.T) {
	for _, size := range []int{0, 1, chunk - 1, chunk, chunk + 1, 3 * chunk, 3*chunk + 7} {
		key, text := NewKey(), bytes.Repeat([]byte("secret!"), size/7+1)[:size]
		file := written(t, key, text)
		if bytes.Contains(file, []byte("secret!")) {
			t.Errorf("%d bytes: the text is in the file", size)
		}
		if got, err := read(t, key, file); err != nil || !bytes.Equal(got, text) {
			t.Errorf("%d bytes: got %d, %v", size, len(got), err)
		}
	}
}

// TestAttackSaveFile: somebody who can write to the disk changes a file in which a machine sleeps: a bit of it, its
// end, the order of its parts, or all of it, for that of another machine. It is not read to its end.
func TestAttackSaveFile(t *testing.T) {
	const sealedChunk = chunk + 16
	key, text := NewKey(), bytes.Repeat([]byte{7}, 3*chunk+100)
	file := written(t, key, text)
	flipped := bytes.Clone(file)
	flipped[len(flipped)/2] ^= 1
	swapped := append(append(bytes.Clone(file[sealedChunk:2*sealedChunk]), file[:sealedChunk]...), file[2*sealedChunk:]...)
	for name, bad := range map[string][]byte{
		"a bit":            flipped,
		"cut in a chunk":   file[:len(file)-1],
		"cut after one":    file[:2*sealedChunk],
		"empty":            nil,
		"swapped":          swapped,
		"left out":         file[sealedChunk:],
		"longer":           append(bytes.Clone(file), 0),
		"of another key":   written(t, NewKey(), text),
		"twice":            append(bytes.Clone(file), file...),
		"last one as only": file[3*sealedChunk:],
	} {
		if got, err := read(t, key, bad); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
	}
}

// FuzzReader: no file makes it do more than fail.
func FuzzReader(f *testing.F) {
	f.Add([]byte("x"))
	key := make([]byte, KeySize)
	f.Fuzz(func(t *testing.T, file []byte) {
		if _, err := read(t, key, file); !errors.Is(err, ErrDamaged) {
			t.Errorf("%v", err)
		}
	})
}

func BenchmarkReader(b *testing.B) {
	key := NewKey()
	var file bytes.Buffer
	w, _ := NewWriter(&file, key)
	w.Write(make([]byte, 64<<20)) //nolint:errcheck // to memory
	w.Close()
	b.SetBytes(64 << 20)
	for b.Loop() {
		r, _ := NewReader(bytes.NewReader(file.Bytes()), key)
		if n, err := io.Copy(io.Discard, r); n != 64<<20 || err != nil {
			b.Fatal(n, err)
		}
	}
}
