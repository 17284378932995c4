package repo

import (
	"io"
	"strconv"
	"strings"
)

// zeros is git's name of no object.
var zeros = strings.Repeat("0", 40)

// unseen is a writer for what receive-pack says. In its first part, the list
// of refs, each tag is at zeros, which is where a ref is that a push will make.
//
// So a client can delete the tag, and does not send it again by --follow-tags;
// but it never finds that a tag is where it should be already, and asks for
// it: git would say "Everything up-to-date", and the push is a rollback.
//
// The first ref of a list carries the capabilities, and may not be at zeros: go-git takes that for a damaged list. If
// it is a tag, since nothing has been deployed yet, its object goes before it as one that is here (".have").
//
// receive.hideRefs is no way to this. git refuses to move a hidden ref before
// it asks the hook, and a client cannot delete what it is not shown.
type unseen struct {
	w    io.Writer
	line []byte // the part of a pkt-line that has come
	past bool   // the list is over
}

const (
	lengthDigits = 4
	maxPktLine   = 65520 // with its length
)

func (u *unseen) Write(p []byte) (int, error) {
	if u.past {
		return u.w.Write(p)
	}
	u.line = append(u.line, p...)
	if err := u.pass(); err != nil {
		return 0, err
	}
	return len(p), nil
}

// pass hands on the lines that are whole, and everything once the list is
// over.
func (u *unseen) pass() error {
	var out []byte
	for !u.past && len(u.line) >= lengthDigits {
		n, err := strconv.ParseUint(string(u.line[:lengthDigits]), 16, 16)
		if err != nil || n < lengthDigits || n > maxPktLine { // a flush is the end; the others are not git's
			u.past = true
			break
		}
		if len(u.line) < int(n) {
			break
		}
		out = append(out, hidden(string(u.line[:n]))...)
		u.line = u.line[n:]
	}
	if u.past {
		out = append(out, u.line...)
		u.line = nil
	}
	if len(out) == 0 {
		return nil
	}
	_, err := u.w.Write(out)
	return err
}

// hidden makes "OBJECT refs/tags/NAME" one of no object. It takes a whole pkt-line.
func hidden(pkt string) string {
	line := pkt[lengthDigits:]
	if len(line) <= len(zeros) || !strings.HasPrefix(line[len(zeros):], " refs/tags/") {
		return pkt
	}
	object, name := line[:len(zeros)], line[len(zeros):]
	name, capabilities, first := strings.Cut(name, "\x00")
	if !first {
		return pktLine(zeros + name)
	}
	return pktLine(object+" .have\x00"+capabilities) + pktLine(zeros+name+"\n")
}
