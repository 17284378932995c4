package core

import "time"

// OwnCertificate is a certificate that somebody has set for a host of an app.
type OwnCertificate struct {
	App   string
	Host  string
	Chain string // PEM, the certificate first
	Key   string // PEM; a secret
}

// CertificateSource says where a certificate comes from.
type CertificateSource string

// Where certificates come from.
const (
	CertificateSet    CertificateSource = "set"    // by certs:set
	CertificateFolder CertificateSource = "folder" // of the operator
	CertificateACME   CertificateSource = "acme"
)

// Certificate is how far the certificate of a host is. The zero Certificate is of a host for which there is none, and
// for which nobody asks.
type Certificate struct {
	From   CertificateSource
	Until  time.Time // zero: there is none yet
	Reason string    // why the last try to have one, or to renew it, has failed; text from others
	Next   time.Time // when it is tried again; zero: it is not known
}

// String is how people read it.
func (c Certificate) String() string {
	const day = time.DateOnly
	switch {
	case c.From == "":
		return "none"
	case !c.Until.IsZero() && c.Until.Before(time.Now()):
		return c.because("expired " + c.Until.UTC().Format(day))
	case !c.Until.IsZero():
		return c.because("ok until " + c.Until.UTC().Format(day))
	case c.Reason == "":
		return "waiting"
	case c.Next.After(time.Now()):
		return "failed: " + c.Reason + "; again at " + c.Next.UTC().Format("2006-01-02 15:04Z")
	default:
		return "failed: " + c.Reason
	}
}

func (c Certificate) because(text string) string {
	if c.Reason == "" {
		return text
	}
	return text + "; renewal failed: " + c.Reason
}
