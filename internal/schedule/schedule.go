// Package schedule reads the schedules of jobs, as cron has them: "*/5 * * * *".
//
// It owns the grammar and the time of the next run. It does not own what is run.
package schedule

import (
	"errors"
	"fmt"
	"strings"
	"time"
	_ "time/tzdata" // a host may have none

	"github.com/robfig/cron/v3"
)

// parser knows the five fields, and names such as @daily.
var parser = cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor)

// maxText is how long a schedule may be, in bytes.
const maxText = 256

// Split takes the time zone off a schedule that names one in its own text: "TZ=Europe/Berlin 0 3 * * *".
func Split(text string) (schedule, zone string) {
	for _, prefix := range []string{"CRON_TZ=", "TZ="} {
		if rest, ok := strings.CutPrefix(text, prefix); ok {
			zone, text, _ = strings.Cut(rest, " ")
			return strings.TrimSpace(text), zone
		}
	}
	return text, ""
}

// Check says why text is no schedule, or zone no time zone, or nil.
func Check(text, zone string) error {
	next, err := Next(text, zone, time.Now())
	if err == nil && next.IsZero() {
		return errors.New("there is no such time")
	}
	return err
}

// Next is the first time after after at which text is due, to the minute; zero: there is none within five years.
// zone is a name such as "Europe/Berlin"; "": UTC.
func Next(text, zone string, after time.Time) (time.Time, error) {
	switch {
	case len(text) > maxText:
		return time.Time{}, fmt.Errorf("it is longer than %d bytes", maxText)
	case strings.Contains(text, "TZ="): // the parser ends the program at one without a blank
		return time.Time{}, errors.New("a time zone stands before the five fields")
	case strings.HasPrefix(text, "@every"):
		return time.Time{}, errors.New(`@every is not known: "*/5 * * * *" is every five minutes`)
	}
	where, err := time.LoadLocation(zone)
	if err != nil || zone == "Local" {
		return time.Time{}, fmt.Errorf("there is no time zone %.40q: use a name such as Europe/Berlin", zone)
	}
	s, err := parser.Parse(text)
	if err != nil {
		return time.Time{}, err
	}
	if spec, ok := s.(*cron.SpecSchedule); ok {
		spec.Location = where
	}
	return s.Next(after), nil
}
