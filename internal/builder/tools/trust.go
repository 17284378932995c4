package tools

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nodeos-dev/gitd/internal/builder/nodedist"
	"github.com/nodeos-dev/gitd/internal/builder/registry"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/progress"
)

// Trust is by what gitd believes that a version of a program is the one that its makers have published. The registry's
// word is never enough twice: what was taken once is the same for ever.
type Trust struct {
	Ledger     Ledger // nil: what is in the registry's cache was taken, and no more is known
	Signatures Signatures
	Second     *registry.Client // another registry, which must have the same; nil: none
	Dist       *nodedist.Source // of Node's own builds, which must be the same; nil: none
	Wait       time.Duration    // a version that was published less long ago is taken only if nothing older will do
}

// Ledger is where the digests of what was taken are kept.
type Ledger interface {
	Tools(ctx context.Context) ([]core.Tool, error)
	// AddTool keeps t and its entry of the audit, unless another of its name and version is kept. It returns the one
	// that is.
	AddTool(ctx context.Context, t core.Tool, e core.Entry) (core.Tool, error)
}

// Signatures is whether what is taken for the first time must be signed by npm.
type Signatures string

const (
	// Auto: it must be if a version of the same package was. A registry that has no signatures is taken at its word.
	Auto    Signatures = "auto"
	Require Signatures = "require"
	Off     Signatures = "off" // a signature that is wrong is refused all the same
)

// ParseSignatures reads what a person has typed.
func ParseSignatures(text string) (Signatures, error) {
	for _, s := range []Signatures{Auto, Require, Off} {
		if string(s) == text {
			return s, nil
		}
	}
	return "", core.Reject("that says nothing about signatures", "give auto, require or off")
}

// fetch returns the folder with v's files, if v is what was taken before, or may be taken now.
func (s *Shop) fetch(ctx context.Context, v registry.Version, r *progress.Report) (dir string, err error) {
	digest, err := v.Digest()
	if err != nil {
		return "", err
	}
	taken, err := s.taken(ctx, v, digest)
	if err != nil {
		return "", err
	}
	signed := false
	for _, t := range taken {
		if t.Name != v.Name {
			continue
		}
		if t.Version == v.Number.String() {
			if err := s.same(t, digest); err != nil {
				return "", err
			}
			return s.download(ctx, v, r)
		}
		signed = signed || t.Signed != ""
	}
	return s.take(ctx, v, digest, signed, r)
}

// taken is what was taken before.
func (s *Shop) taken(ctx context.Context, v registry.Version, digest string) ([]core.Tool, error) {
	if s.Trust.Ledger != nil {
		return s.Trust.Ledger.Tools(ctx)
	}
	if s.Registry.Has(v) {
		return []core.Tool{{Name: v.Name, Version: v.Number.String(), Digest: digest}}, nil
	}
	return nil, nil
}

// same refuses a digest that is not the one with which a version was taken.
func (s *Shop) same(t core.Tool, digest string) error {
	if t.Digest == digest {
		return nil
	}
	from := s.Registry.URL().Redacted()
	s.Log.Error().Str("tool", t.Name).Str("version", t.Version).Str("taken", t.Digest).Str("registry", from).Str("states", digest).
		Msg("a registry has other bytes under a version that was taken before")
	taken := "accepted by " + t.By
	if t.Registry != "" {
		taken = "taken from " + t.Registry
	}
	// The reason has nothing but the digests, so that both stand in git's own line too.
	return core.Reject(fmt.Sprintf("%s %s was %s, and is %s now", t.Name, t.Version, t.Digest, digest),
		fmt.Sprintf("the first was %s on %s, the second is what %s has; versions never change, so somebody has tampered with one of them; %s",
			taken, t.Taken.Format("2 January 2006"), from, acceptHint(t.Name, t.Version, digest)))
}

// acceptHint is what to type if a digest is right all the same.
func acceptHint(name, version, digest string) string {
	return fmt.Sprintf("an administrator who knows that the new one is right types: gitd tools:accept %s %s %s", name, version, digest)
}

// take fetches a version for the first time. signed: a version of the same package was signed.
func (s *Shop) take(ctx context.Context, v registry.Version, digest string, signed bool, r *progress.Report) (dir string, err error) {
	t := core.Tool{Name: v.Name, Version: v.Number.String(), Digest: digest, Registry: s.Registry.URL().Redacted(), Taken: time.Now(), By: "gitd"}
	if t.Signed, err = s.signer(v, digest, signed); err != nil {
		return "", err
	}
	var agreed []string
	if s.Trust.Second != nil {
		if err := s.askSecond(ctx, v, digest); err != nil {
			return "", err
		}
		agreed = append(agreed, s.Trust.Second.URL().Redacted())
	}
	if dir, err = s.download(ctx, v, r); err != nil {
		return "", err
	}
	if name, _ := nodePackage(); s.Trust.Dist != nil && v.Name == name {
		r.Detail("comparing Node %s with that of %s", v.Number, s.Trust.Dist)
		if err := s.Trust.Dist.Compare(ctx, v.Number.String(), dir); err != nil {
			return "", err
		}
		agreed = append(agreed, s.Trust.Dist.String())
	}
	t.Agreed = strings.Join(agreed, " ")
	kept := t
	if s.Trust.Ledger != nil {
		kept, err = s.Trust.Ledger.AddTool(ctx, t, core.Entry{Time: t.Taken, Actor: t.By, Action: "tool.taken", Detail: described(t)})
		if err != nil {
			return "", err
		}
	}
	s.Log.Info().Str("tool", t.Name).Str("version", t.Version).Str("digest", digest).Str("registry", t.Registry).
		Str("signed", t.Signed).Str("agreed", t.Agreed).Msg("taken for the first time")
	r.Detail("taken for the first time: %s", described(t))
	return dir, s.same(kept, digest) // a build beside this one may have taken it first
}

// described says what was taken, and who vouches for it.
func described(t core.Tool) string {
	by := "not signed by npm"
	if t.Signed != "" {
		by = "signed by npm (" + t.Signed + ")"
	}
	if t.Agreed != "" {
		by += ", the same from " + strings.ReplaceAll(t.Agreed, " ", " and ")
	}
	return fmt.Sprintf("%s %s %s, %s", t.Name, t.Version, t.Digest, by)
}

// signer is the id of the key that has signed v; "": none has, and none has to.
func (s *Shop) signer(v registry.Version, digest string, signed bool) (string, error) {
	id, err := s.Registry.Keys.Signer(v)
	if errors.Is(err, registry.ErrSignature) {
		s.Log.Error().Err(err).Str("registry", s.Registry.URL().Redacted()).Msg("a registry has a version that its makers' registry has not signed")
		return "", core.Reject(fmt.Sprintf("%s %s of %s is not what npm has signed: %s", v.Name, v.Number, s.Registry.URL().Redacted(), err),
			"the registry, or somebody on the way to it, has changed it; use another with --registry")
	}
	if err != nil || id != "" {
		return id, err
	}
	must := s.Trust.Signatures == Require || s.Trust.Signatures == Auto && signed
	if !must {
		return "", nil
	}
	why := "--signatures require asks for one"
	if signed {
		why = "other versions of it were"
	}
	if len(v.Signatures) > 0 {
		why += "; it is signed by keys that this gitd does not know, or that have expired (a newer gitd, or --npm-keys, may know them)"
	}
	return "", core.Reject(fmt.Sprintf("%s %s has no signature of npm's at %s, and %s", v.Name, v.Number, s.Registry.URL().Redacted(), why),
		acceptHint(v.Name, v.Number.String(), digest))
}

// askSecond compares with what the second registry says.
func (s *Shop) askSecond(ctx context.Context, v registry.Version, digest string) error {
	from := s.Trust.Second.URL().Redacted()
	p, err := s.Trust.Second.Versions(ctx, v.Name)
	if err != nil {
		return &core.Rejection{Reason: fmt.Sprintf("the second registry, %s, does not say what %s %s is", from, v.Name, v.Number),
			Hint: "push again when it answers", Err: err}
	}
	for _, o := range p.Versions {
		if !o.Number.Equal(v.Number) {
			continue
		}
		if other, err := o.Digest(); err != nil || other != digest {
			s.Log.Error().Str("tool", v.Name).Str("version", v.Number.String()).Str("first", digest).Str("second", other).Msg("two registries do not agree")
			return core.Reject(fmt.Sprintf("%s says that %s %s is %s, and %s says that it is %s",
				s.Registry.URL().Redacted(), v.Name, v.Number, digest, from, other), acceptHint(v.Name, v.Number.String(), digest))
		}
		return nil
	}
	return core.Reject(fmt.Sprintf("the second registry, %s, does not have %s %s", from, v.Name, v.Number),
		"it may have it later; "+acceptHint(v.Name, v.Number.String(), digest))
}
