package core

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/nodeos-dev/gitd/internal/units"
)

// Limited is something of which an app or a person may have only so much.
type Limited string

// What is limited. Memory and disk are in bytes.
const (
	LimitMemory   Limited = "memory"   // of all machines together
	LimitCPUs     Limited = "cpus"     // the same
	LimitMachines Limited = "machines" // of all processes, and those of commands beside them
	LimitDisk     Limited = "disk"     // images, repository, logs, and volumes by their size
	LimitApps     Limited = "apps"     // that a person makes
)

// LimitsOfApp are those that an app can have; a person can have LimitApps too.
var LimitsOfApp = []Limited{LimitMemory, LimitCPUs, LimitMachines, LimitDisk}

// LimitsOfUser are those that a person can have.
var LimitsOfUser = append(slices.Clone(LimitsOfApp), LimitApps)

// Quota is how much of each there may be. What is not in it is not set.
type Quota map[Limited]int64

// Unlimited lets there be any number.
const Unlimited int64 = -1

// mostLimited bounds what can be set, so that sums do not overflow.
const mostLimited = 1 << 50

// Or is q, and def where q sets nothing.
func (q Quota) Or(def Quota) Quota {
	all := Quota{}
	for _, l := range LimitsOfUser {
		if n, ok := q[l]; ok {
			all[l] = n
		} else if n, ok := def[l]; ok {
			all[l] = n
		}
	}
	return all
}

// Of is how much of l there may be; ok is false if any number may be.
func (q Quota) Of(l Limited) (most int64, ok bool) {
	most, ok = q[l]
	return most, ok && most != Unlimited
}

// Set takes the words of a person: a size or a number, "unlimited", or "default" to take back what was set.
func (q Quota) Set(l Limited, words string) error {
	switch words {
	case "default":
		delete(q, l)
		return nil
	case "unlimited":
		q[l] = Unlimited
		return nil
	}
	var n int64
	var err error
	if l.bytes() {
		n, err = units.ParseBytes(words)
	} else {
		n, err = strconv.ParseInt(words, 10, 32)
	}
	if err != nil || n < 0 || n > mostLimited {
		return fmt.Errorf("%s %.20q: use %s, unlimited or default", l, words, l.Form())
	}
	q[l] = n
	return nil
}

// Form is how people write how much of l there may be.
func (l Limited) Form() string {
	if l.bytes() {
		return "a size such as 2G"
	}
	return "a whole number"
}

func (l Limited) bytes() bool { return l == LimitMemory || l == LimitDisk }

// Text is n of l, for people: "2 GiB of memory", "1 machine".
func (l Limited) Text(n int64) string {
	switch {
	case n == Unlimited:
		return "unlimited"
	case l == LimitMemory:
		return units.Bytes(n) + " of memory"
	case l == LimitDisk:
		return units.Bytes(n) + " of disk"
	case l == LimitCPUs:
		return count(int(n), "CPU")
	}
	return count(int(n), strings.TrimSuffix(string(l), "s"))
}

// Words is n as Set reads it.
func (l Limited) Words(n int64) string {
	switch {
	case n == Unlimited:
		return "unlimited"
	case l.bytes() && n%(1<<30) == 0:
		return strconv.FormatInt(n>>30, 10) + "G"
	case l.bytes():
		return strconv.FormatInt((n+1<<20-1)>>20, 10) + "M"
	}
	return strconv.FormatInt(n, 10)
}

// String says what is set, as ParseQuota reads it.
func (q Quota) String() string {
	var all []string
	for _, l := range LimitsOfUser {
		if n, ok := q[l]; ok {
			all = append(all, string(l)+"="+l.Words(n))
		}
	}
	if len(all) == 0 {
		return "default"
	}
	return strings.Join(all, ",")
}

// ParseQuota reads "memory=2G,machines=4", of which only these limits may be set.
func ParseQuota(text string, may []Limited) (Quota, error) {
	q := Quota{}
	for part := range strings.SplitSeq(text, ",") {
		if part == "" && text == "" {
			break
		}
		name, words, _ := strings.Cut(part, "=")
		if l := Limited(name); !slices.Contains(may, l) {
			return nil, fmt.Errorf("%.20q cannot be limited: write it as memory=2G, with %v", name, may)
		} else if err := q.Set(l, words); err != nil {
			return nil, err
		}
	}
	return q, nil
}
