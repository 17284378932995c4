package main

import (
	"strings"

	"github.com/spf13/pflag"

	"github.com/nodeos-dev/gitd/internal/core"
)

// networkOptions are the flags that say what every app may reach.
type networkOptions struct {
	allow []string
	rate  string

	egress core.Egress // what they say, once they are checked
}

func (o *networkOptions) flags(f *pflag.FlagSet) {
	f.StringSliceVar(&o.allow, "allow-egress", nil, "an address or a network that is closed to apps, and that all of them may reach: 10.0.0.5:5432, 10.0.0.0/8, [fd00::]/8; more than one: again, or with commas")
	f.StringVar(&o.rate, "egress-rate", "100M", "what a machine may send in a second, in bytes; none: no limit")
}

// checkRules reads the rules. A variable may have them on lines of their own.
func (o *networkOptions) checkRules() error {
	o.egress.Rules = nil
	for _, part := range o.allow {
		for text := range strings.FieldsSeq(part) {
			r, err := core.ParseEgressRule(text)
			if err != nil {
				return err
			}
			o.egress.Rules = append(o.egress.Rules, r)
		}
	}
	return nil
}

func (o *networkOptions) checkRate() error {
	rate, err := core.ParseRate(o.rate)
	o.egress.Rate = max(rate, 0)
	return err
}
