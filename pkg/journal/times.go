package journal

import (
	"math"
	"strconv"
	"time"

	"aws-provider-executor/pkg/gate"
)

// timeForm keeps times in order as texts.
const timeForm = "2006-01-02T15:04:05.000000000Z"

func formatTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(timeForm)
}

// timeForms are how cores write times: RFC 3339, and SQLite's own. Fractions of a second may follow.
var timeForms = []string{time.RFC3339, "2006-01-02 15:04:05Z07:00", time.DateTime, "2006-01-02T15:04:05", "2006-01-02 15:04", time.DateOnly}

// time reads a time; also as the seconds since 1970, with a fraction or without. What is none is
// told as unreadable under its name.
func (t text) time(a *gate.Action, name string) time.Time {
	if t == "" {
		return time.Time{}
	}
	for _, form := range timeForms {
		if at, err := time.Parse(form, string(t)); err == nil {
			return at
		}
	}
	// Beyond the year 9999 it is no time, and JSON has no form for it.
	const last = 253402300799
	if seconds, err := strconv.ParseFloat(string(t), 64); err == nil && seconds >= 0 && seconds <= last {
		whole, fraction := math.Modf(seconds)
		return time.Unix(int64(whole), int64(math.Round(fraction*1e6))*1000).UTC()
	}
	a.Unreadable[name] = string(t)
	return time.Time{}
}
