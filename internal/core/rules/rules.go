// Package rules is what people set for the front door of an app: who gets in, how much of it, and what a visitor sees
// when nobody answers.
//
// It owns which rules there can be, and their words. It does not own how a request is held to them (package proxy), nor
// who may set them.
package rules

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
)

// Bounds of the rules of one app.
const (
	MaxUsers   = 100
	MaxSources = 256
	MaxPage    = 128 << 10 // bytes
)

// Set is the rules of one app. The zero Set has none.
type Set struct {
	Users       []User         `json:"users,omitempty"` // by name; none: no password is asked for
	Allow       []netip.Prefix `json:"allow,omitempty"` // in the order of addresses; none: from everywhere
	Maintenance *Maintenance   `json:"maintenance,omitempty"`
	Pages       map[int]string `json:"pages,omitempty"` // HTML in place of the front door's own pages, by status
	Limits      Limits         `json:"limits,omitzero"`
}

// User is somebody who gets in with a password.
type User struct {
	Name string `json:"name"`
	Hash string `json:"hash"`
}

// Maintenance is the time in which visitors see a page in place of the app.
type Maintenance struct {
	Since time.Time      `json:"since"`
	By    string         `json:"by"`
	Page  string         `json:"page,omitempty"`  // HTML; empty: that of 503, else the front door's own
	Allow []netip.Prefix `json:"allow,omitempty"` // who sees the app meanwhile
	Retry time.Duration  `json:"retry"`           // when clients are told to try again
}

// Empty reports whether there are no rules.
func (s Set) Empty() bool {
	return len(s.Users) == 0 && len(s.Allow) == 0 && s.Maintenance == nil && len(s.Pages) == 0 && s.Limits == Limits{}
}

// Guarded reports whether not everybody may see the app.
func (s Set) Guarded() bool { return len(s.Users) > 0 || len(s.Allow) > 0 }

// Words say in short what is set.
func (s Set) Words() (all []string) {
	if n := len(s.Users); n > 0 {
		all = append(all, fmt.Sprintf("asks for a password (%d set)", n))
	}
	if n := len(s.Allow); n > 0 {
		all = append(all, fmt.Sprintf("lets in %s", sourcesText(s.Allow)))
	}
	if s.Maintenance != nil {
		all = append(all, "in maintenance")
	}
	for _, name := range LimitNames {
		if text := s.Limits.Text(name); text != none {
			all = append(all, name+" "+text)
		}
	}
	if n := len(s.Pages); n > 0 {
		all = append(all, fmt.Sprintf("pages for %s", strings.Trim(fmt.Sprint(slices.Sorted(maps.Keys(s.Pages))), "[]")))
	}
	return all
}

// sourcesText names one, and counts more.
func sourcesText(list []netip.Prefix) string {
	if len(list) == 1 {
		return core.SourceText(list[0]) + " only"
	}
	return fmt.Sprintf("%d addresses or networks only", len(list))
}

// CheckUserName refuses what can be no name: it stands in a header for the app, and before a colon for the browser.
func CheckUserName(name string) error {
	ok := name != "" && len(name) <= 64 && !strings.ContainsFunc(name, func(c rune) bool {
		return !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.ContainsRune("._@+-", c))
	})
	if !ok {
		return core.Reject(fmt.Sprintf("%.70q is no name for a password", name), "use letters, digits and . _ @ + -, 64 at most")
	}
	return nil
}

// SetUser adds a user, or gives one another password, and reports whether the user is new.
func (s *Set) SetUser(u User) (isNew bool, err error) {
	if err := CheckUserName(u.Name); err != nil {
		return false, err
	}
	at, found := slices.BinarySearchFunc(s.Users, u.Name, func(u User, name string) int { return cmp.Compare(u.Name, name) })
	switch {
	case found:
		s.Users[at] = u
	case len(s.Users) == MaxUsers:
		return false, core.Reject(fmt.Sprintf("an app has at most %d passwords", MaxUsers), "an app with more people needs a login of its own")
	default:
		s.Users = slices.Insert(s.Users, at, u)
	}
	return !found, nil
}

// RemoveUser reports whether there was one.
func (s *Set) RemoveUser(name string) bool {
	before := len(s.Users)
	s.Users = slices.DeleteFunc(s.Users, func(u User) bool { return u.Name == name })
	return len(s.Users) < before
}

// AddSources adds addresses that may come in.
func (s *Set) AddSources(list []netip.Prefix) error {
	all := append(slices.Clone(s.Allow), list...)
	slices.SortFunc(all, netip.Prefix.Compare)
	all = slices.Compact(all)
	if len(all) > MaxSources {
		return core.Reject(fmt.Sprintf("an app has at most %d addresses and networks", MaxSources), "one network can have many: 203.0.113.0/24")
	}
	s.Allow = all
	return nil
}

// RemoveSource reports whether there was one.
func (s *Set) RemoveSource(p netip.Prefix) bool {
	before := len(s.Allow)
	s.Allow = slices.DeleteFunc(s.Allow, func(have netip.Prefix) bool { return have == p })
	return len(s.Allow) < before
}

// Statuses are those for which an app can have pages of its own.
var Statuses = []int{403, 413, 429, 502, 503, 504}

// CheckPage refuses a page that cannot be kept.
func CheckPage(html string) error {
	switch {
	case len(html) > MaxPage:
		return core.Reject(fmt.Sprintf("the page has more than %d KiB", MaxPage>>10), "a page for a bad day should load nothing: make it smaller")
	case strings.TrimSpace(html) == "":
		return core.Reject("there is no page", "pass it on standard input: … < page.html")
	case strings.ToValidUTF8(html, "") != html || strings.ContainsRune(html, 0):
		return core.Reject("the page is no text", "write it as HTML in UTF-8")
	}
	return nil
}

// SetPage gives the app a page for a status.
func (s *Set) SetPage(status int, html string) error {
	if !slices.Contains(Statuses, status) {
		return core.Reject(fmt.Sprintf("the front door has no page for %d that could be another", status), "choose one of "+StatusList())
	}
	if err := CheckPage(html); err != nil {
		return err
	}
	if s.Pages == nil {
		s.Pages = map[int]string{}
	}
	s.Pages[status] = html
	return nil
}

// StatusList is Statuses for people.
func StatusList() string {
	return strings.Trim(strings.ReplaceAll(fmt.Sprint(Statuses), " ", ", "), "[]")
}
