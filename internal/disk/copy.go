package disk

import (
	"errors"
	"io"
	"os"
	"syscall"
)

// clone is the ioctl FICLONE of linux/fs.h: the file gets the blocks of another one, and shares them until one of both
// is written.
const clone = 0x40049409

// The whences of lseek that find data and holes, of linux/fs.h.
const (
	seekData = 3
	seekHole = 4
)

// Extent is a part of a file that is no hole, in bytes.
type Extent struct{ Offset, Length int64 }

// Clone gives to, which is empty, the contents of from, without a copy. Few file systems can: XFS and Btrfs.
func Clone(to, from *os.File) error {
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, to.Fd(), clone, from.Fd())
	if errno != 0 {
		return &os.PathError{Op: "clone", Path: from.Name(), Err: errno}
	}
	return nil
}

// Copy gives to, which is empty, the contents of from, with its holes. Blocks are shared where the file system can.
// goOn is asked before each piece; its error ends the copy.
func Copy(to, from *os.File, goOn func() error) error {
	if Clone(to, from) == nil {
		return nil
	}
	info, err := from.Stat()
	if err == nil {
		err = to.Truncate(info.Size())
	}
	if err != nil {
		return err
	}
	return Extents(from, 0, func(e Extent) error {
		if err := goOn(); err != nil {
			return err
		}
		_, err := io.Copy(io.NewOffsetWriter(to, e.Offset), io.NewSectionReader(from, e.Offset, e.Length))
		return err
	})
}

// mostExtent bounds an Extent, in bytes.
const mostExtent = 64 << 20

// Extents calls each with the parts of f that hold data, in order. Parts with a hole of less than gap bytes between
// them count as one.
func Extents(f *os.File, gap int64, each func(Extent) error) error {
	var e Extent
	flush := func() error {
		for ; e.Length > 0; e.Offset, e.Length = e.Offset+mostExtent, e.Length-mostExtent {
			if err := each(Extent{e.Offset, min(e.Length, mostExtent)}); err != nil {
				return err
			}
		}
		return nil
	}
	for at := int64(0); ; {
		start, err := f.Seek(at, seekData)
		if errors.Is(err, syscall.ENXIO) {
			return flush()
		}
		if err != nil {
			return err
		}
		if at, err = f.Seek(start, seekHole); err != nil {
			return err
		}
		if e.Length > 0 && start-e.Offset-e.Length < gap {
			e.Length = at - e.Offset
			continue
		}
		if err := flush(); err != nil {
			return err
		}
		e = Extent{start, at - start}
	}
}
