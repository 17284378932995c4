package repo

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/nodeos-dev/gitd/internal/core"
)

// Bounds of what a client may say before it sends objects, in bytes.
const (
	maxCommandBytes = 4 << 20
	maxOptionBytes  = 64 << 10 // git hands options to hooks in the environment
	maxRefusedBytes = 64 << 20 // read of a push that is refused, so that its client listens to the reason
)

// opening is what a client says first in a push: the refs that it wants to
// move, and push options. receive-pack takes any number of refs, and answers
// each with a line. So the opening is read here before receive-pack is given
// it, and one that is too long is answered with one line.
type opening struct {
	said     bytes.Buffer // to be given to receive-pack
	lines    int          // of refs; counted on when it is refused
	asked    bool         // the client's capabilities have come
	sideband bool
	options  bool // a section of options follows that of the refs
	long     bool // too much is said
}

// readOpening reads as far as the opening goes. What is not in git's form is
// left to receive-pack to refuse.
func readOpening(in *bufio.Reader) *opening {
	o := &opening{}
	if o.section(in, maxCommandBytes, o.command) && o.options {
		o.section(in, maxOptionBytes, func(string) {})
	}
	return o
}

// section reads pkt-lines up to a flush, and reports whether it came.
func (o *opening) section(in *bufio.Reader, limit int, each func(line string)) (whole bool) {
	read := 0
	for {
		line, ok := readLine(in)
		read += len(line)
		o.long = o.long || read > limit
		if o.refused() == nil {
			o.said.Write(line)
		}
		if !ok || read > maxRefusedBytes {
			return false
		}
		if len(line) == lengthDigits {
			return true
		}
		each(string(line[lengthDigits:]))
	}
}

// command looks at one line of the refs.
func (o *opening) command(line string) {
	o.lines++
	if _, capabilities, here := strings.Cut(line, "\x00"); here && !o.asked {
		o.asked = true
		for name := range strings.FieldsSeq(capabilities) {
			o.sideband = o.sideband || name == "side-band-64k"
			o.options = o.options || name == "push-options"
		}
	}
}

// refused says why the push must not go on, or nil.
func (o *opening) refused() error {
	switch {
	case o.lines > core.MaxCommands:
		return fmt.Errorf("this push names %d refs, and gitd takes %d at most: push the branch that deploys, and the tags you need",
			o.lines, core.MaxCommands)
	case o.long:
		return errors.New("the names of refs, or the push options, are too long: push fewer at a time")
	}
	return nil
}

// input is what receive-pack is to read: everything, or that the client wants
// nothing after all.
func (o *opening) input(rest io.Reader) io.Reader {
	if o.refused() != nil {
		return strings.NewReader("0000")
	}
	return io.MultiReader(&o.said, rest)
}

// readLine reads one pkt-line with its length. ok is false when it is none, or
// there is no more; what was read is returned all the same.
func readLine(in *bufio.Reader) (line []byte, ok bool) {
	digits := make([]byte, lengthDigits)
	n, err := io.ReadFull(in, digits)
	if err != nil {
		return digits[:n], false
	}
	length, err := strconv.ParseUint(string(digits), 16, 16)
	switch {
	case err != nil || length > maxPktLine || (length > 0 && length < lengthDigits):
		return digits, false
	case length <= lengthDigits: // a flush, or an empty line, which git does not send
		return digits, length == 0
	}
	line = append(digits, make([]byte, length-lengthDigits)...)
	n, err = io.ReadFull(in, line[lengthDigits:])
	return line[:lengthDigits+n], err == nil
}

// refuse tells the client why, in the way that makes git print one line and
// end: as an error of the server in the place of its report.
func (o *opening) refuse(w io.Writer) error {
	text := pktLine("ERR " + o.refused().Error())
	if o.sideband {
		text = pktLine("\x01"+text) + "0000"
	}
	_, err := io.WriteString(w, text)
	return err
}

// pktLine puts the length before a text.
func pktLine(s string) string { return fmt.Sprintf("%04x%s", len(s)+lengthDigits, s) }
