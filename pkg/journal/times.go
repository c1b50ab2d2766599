package journal

import (
	"math"
	"strconv"
	"strings"
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

// timeForms are how cores write times: RFC 3339, SQLite's own, and Go's, which its drivers store.
// Fractions of a second may follow.
var timeForms = []string{
	time.RFC3339, "2006-01-02 15:04:05Z07:00", time.DateTime, "2006-01-02T15:04:05",
	"2006-01-02 15:04", time.DateOnly,
	"2006-01-02 15:04:05 -0700 MST", "2006-01-02 15:04:05 -0700 -0700",
}

// time reads a time; also as the seconds since 1970, with a fraction or without, or its milli-,
// micro- or nanoseconds. What is none is told as unreadable under its name.
func (t text) time(a *gate.Action, name string) time.Time {
	if t == "" {
		return time.Time{}
	}
	// Go adds what its monotonic clock said.
	written, _, _ := strings.Cut(string(t), " m=")
	for _, form := range timeForms {
		if at, err := time.Parse(form, written); err == nil {
			return at
		}
	}
	// Seconds are told from smaller units by their size: they are below the year 5138, and these after
	// 1973.
	const small = 1e11
	switch number, err := strconv.ParseFloat(string(t), 64); {
	case err != nil || !(number >= 0 && number < math.MaxInt64):
	case number < small:
		whole, fraction := math.Modf(number)
		return time.Unix(int64(whole), int64(math.Round(fraction*1e6))*1000).UTC()
	default:
		count, err := strconv.ParseInt(string(t), 10, 64)
		if err != nil {
			count = int64(number)
		}
		switch {
		case number < small*1e3:
			return time.UnixMilli(count).UTC()
		case number < small*1e6:
			return time.UnixMicro(count).UTC()
		}
		return time.Unix(0, count).UTC()
	}
	a.Unreadable[name] = string(t)
	return time.Time{}
}
