package trust

import (
	"bytes"
	"crypto/sha1" //nolint:gosec // a list may name keys by it; what is revoked too much is no hole
	"crypto/sha256"
	"errors"
	"fmt"
	"math"
	"math/big"
	"slices"

	gossh "golang.org/x/crypto/ssh"
)

// This file reads what sshd takes as RevokedKeys: a binary list (KRL) that ssh-keygen -k makes, or public keys, one a
// line. The binary form is that of PROTOCOL.krl in OpenSSH's source.

// Revocations are the keys and certificates that are revoked. The zero Revocations revokes nothing.
type Revocations struct {
	keys   map[string]bool    // public keys, in SSH's wire form
	hashes map[string]bool    // SHA-1 and SHA-256 of such
	issued map[string]*issued // certificates, by the key of their CA; "": of any CA
}

// issued are certificates of one CA.
type issued struct {
	serials []span // in their order and apart, once the list is read
	ids     map[string]bool
}

// span is the serial numbers from one to another, both included.
type span struct{ from, to uint64 }

// Revoked reports whether the list names a key; of a certificate, whether it names the certificate, its key, or its CA.
func (r Revocations) Revoked(key gossh.PublicKey) bool {
	cert, ok := key.(*gossh.Certificate)
	if !ok {
		return r.names(key)
	}
	return r.names(cert.Key) || r.names(cert.SignatureKey) ||
		r.issued[""].names(cert) || r.issued[string(cert.SignatureKey.Marshal())].names(cert)
}

func (r Revocations) names(key gossh.PublicKey) bool {
	blob := key.Marshal()
	long, short := sha256.Sum256(blob), sha1.Sum(blob) //nolint:gosec // see the import
	return r.keys[string(blob)] || r.hashes[string(long[:])] || r.hashes[string(short[:])]
}

// names reports whether a certificate is one of them. As with OpenSSH, the serial number 0 is that of a CA that counts
// none, and names no certificate.
func (i *issued) names(cert *gossh.Certificate) bool {
	if i == nil {
		return false
	}
	if i.ids[cert.KeyId] {
		return true
	}
	_, found := slices.BinarySearchFunc(i.serials, cert.Serial, func(s span, n uint64) int {
		switch {
		case s.to < n:
			return -1
		case s.from > n:
			return 1
		}
		return 0
	})
	return found && cert.Serial != 0
}

const (
	krlMagic  = 0x5353484b524c0a00 // "SSHKRL\n\0"
	krlFormat = 1
)

// What a part of a list is.
const (
	krlCertificates = 1
	krlKeys         = 2
	krlSHA1         = 3
	krlSignature    = 4
	krlSHA256       = 5
	krlExtension    = 255

	krlSerials         = 0x20
	krlSerialRange     = 0x21
	krlSerialBitmap    = 0x22
	krlKeyIDs          = 0x23
	krlSerialExtension = 0x39
)

// maxBitmap bounds a bitmap of serial numbers, in bits, as OpenSSH does.
const maxBitmap = 16384

// ParseRevocations reads a list of either kind. A line that is no key fails the whole: the key that it meant would be
// let in.
func ParseRevocations(text []byte) (Revocations, error) {
	r := Revocations{keys: map[string]bool{}, hashes: map[string]bool{}, issued: map[string]*issued{}}
	if bytes.HasPrefix(text, []byte("SSHKRL\n\x00")) {
		err := r.parse(text)
		return r, err
	}
	return r, eachLine(text, func(line []byte) error {
		key, _, options, _, err := gossh.ParseAuthorizedKey(line)
		if err != nil || len(options) > 0 {
			return errors.New("neither a public key nor a list that `ssh-keygen -k -f FILE KEY.pub` has made")
		}
		if cert, ok := key.(*gossh.Certificate); ok {
			key = cert.Key
		}
		r.keys[string(key.Marshal())] = true
		return nil
	})
}

func (r Revocations) parse(text []byte) error {
	var head struct {
		Magic                     uint64
		Format                    uint32
		Version, Generated, Flags uint64
		Reserved, Comment         []byte
		Parts                     []byte `ssh:"rest"`
	}
	if err := gossh.Unmarshal(text, &head); err != nil || head.Magic != krlMagic {
		return errors.New("it ends in the middle; write it again with `ssh-keygen -k`")
	}
	if head.Format != krlFormat {
		return fmt.Errorf("its form is %d, and only %d is known", head.Format, krlFormat)
	}
	if err := eachPart(head.Parts, r.part); err != nil {
		return err
	}
	for _, i := range r.issued {
		i.sort()
	}
	return nil
}

// eachPart calls do with each part of a list, or of a part of it.
func eachPart(rest []byte, do func(kind byte, data []byte) error) error {
	for len(rest) > 0 {
		var p struct {
			Kind byte
			Data []byte
			Rest []byte `ssh:"rest"`
		}
		if err := gossh.Unmarshal(rest, &p); err != nil {
			return errors.New("it ends in the middle; write it again with `ssh-keygen -k`")
		}
		if err := do(p.Kind, p.Data); err != nil {
			return err
		}
		rest = p.Rest
	}
	return nil
}

func (r Revocations) part(kind byte, data []byte) error {
	switch kind {
	case krlCertificates:
		return r.certificates(data)
	case krlKeys:
		return eachString(data, r.keys, 0)
	case krlSHA1:
		return eachString(data, r.hashes, sha1.Size)
	case krlSHA256:
		return eachString(data, r.hashes, sha256.Size)
	case krlExtension:
		return extension(data)
	case krlSignature:
		return errors.New("it is signed, and whose signature would be good is not known here; give the list without it")
	}
	return fmt.Errorf("a part of it is of the kind %d, which is not known", kind)
}

// eachString adds each of the strings to a set. size is what each must have, in bytes; 0: any but none.
func eachString(rest []byte, to map[string]bool, size int) error {
	for len(rest) > 0 {
		var s struct {
			Value []byte
			Rest  []byte `ssh:"rest"`
		}
		if err := gossh.Unmarshal(rest, &s); err != nil || len(s.Value) == 0 || size > 0 && len(s.Value) != size {
			return errors.New("one of its keys or hashes is damaged")
		}
		to[string(s.Value)] = true
		rest = s.Rest
	}
	return nil
}

// extension passes over what a list says beside its form, unless it must not be passed over.
func extension(data []byte) error {
	var e struct {
		Name     string
		Critical bool
		Contents []byte
	}
	if err := gossh.Unmarshal(data, &e); err != nil {
		return errors.New("an extension of it is damaged")
	}
	if e.Critical {
		return fmt.Errorf("it has the extension %.60q, which is not known", e.Name)
	}
	return nil
}

func (r Revocations) certificates(data []byte) error {
	var of struct {
		CA, Reserved []byte
		Parts        []byte `ssh:"rest"`
	}
	if err := gossh.Unmarshal(data, &of); err != nil {
		return errors.New("its list of certificates is damaged")
	}
	i := r.issued[string(of.CA)]
	if i == nil {
		i = &issued{ids: map[string]bool{}}
		r.issued[string(of.CA)] = i
	}
	return eachPart(of.Parts, i.part)
}

func (i *issued) part(kind byte, data []byte) error {
	switch kind {
	case krlSerials:
		return i.list(data)
	case krlSerialRange:
		var s struct{ From, To uint64 }
		if err := gossh.Unmarshal(data, &s); err != nil || s.From > s.To {
			return errors.New("a range of serial numbers in it is damaged")
		}
		i.serials = append(i.serials, span{s.From, s.To})
		return nil
	case krlSerialBitmap:
		return i.bitmap(data)
	case krlKeyIDs:
		return eachString(data, i.ids, 0)
	case krlSerialExtension:
		return extension(data)
	}
	return fmt.Errorf("a part of its list of certificates is of the kind %#x, which is not known", kind)
}

func (i *issued) list(rest []byte) error {
	for len(rest) > 0 {
		var s struct {
			Serial uint64
			Rest   []byte `ssh:"rest"`
		}
		if err := gossh.Unmarshal(rest, &s); err != nil {
			return errors.New("a serial number in it is damaged")
		}
		i.serials = append(i.serials, span{s.Serial, s.Serial})
		rest = s.Rest
	}
	return nil
}

// bitmap reads serial numbers as the bits of a number, of which the lowest is that of the offset.
func (i *issued) bitmap(data []byte) error {
	var b struct {
		Offset uint64
		Bits   *big.Int
	}
	if err := gossh.Unmarshal(data, &b); err != nil || b.Bits.Sign() < 0 || b.Bits.BitLen() > maxBitmap ||
		uint64(b.Bits.BitLen()) > math.MaxUint64-b.Offset {
		return errors.New("a bitmap of serial numbers in it is damaged")
	}
	for n := range b.Bits.BitLen() {
		if b.Bits.Bit(n) == 1 {
			serial := b.Offset + uint64(n)
			i.serials = append(i.serials, span{serial, serial})
		}
	}
	return nil
}

// sort puts the serial numbers in their order, and joins those that touch.
func (i *issued) sort() {
	slices.SortFunc(i.serials, func(a, b span) int {
		switch {
		case a.from < b.from:
			return -1
		case a.from > b.from:
			return 1
		}
		return 0
	})
	joined := i.serials[:0]
	for _, s := range i.serials {
		if n := len(joined); n > 0 && (joined[n-1].to == math.MaxUint64 || s.from <= joined[n-1].to+1) {
			joined[n-1].to = max(joined[n-1].to, s.to)
			continue
		}
		joined = append(joined, s)
	}
	i.serials = joined
}
