package policy

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"aws-provider-executor/pkg/zones"
)

// Window is a time of the week in one time zone. One that ends before it begins goes on over
// midnight, and belongs to the day it begins on.
type Window struct {
	text string
	days [7]bool
	// from and to are minutes of the day by the zone's clocks; to is not in it.
	from, to int
	zone     *time.Location
}

// String is the window as it was written.
func (w Window) String() string { return w.text }

// Contains reports whether the moment is in the window, by the clocks of its zone.
func (w Window) Contains(t time.Time) bool {
	t = t.In(w.zone)
	minute, today := t.Hour()*60+t.Minute(), t.Weekday()
	yesterday := (today + 6) % 7
	if w.from < w.to {
		return w.days[today] && minute >= w.from && minute < w.to
	}
	return w.days[today] && minute >= w.from || w.days[yesterday] && minute < w.to
}

const windowForm = "want days, hours and a time zone, as in Mon-Fri 09:00-17:00 Asia/Tokyo"

// parseWindows reads windows separated by commas. A part without hours belongs to the days of the
// one after it, as in Mon,Wed 09:00-17:00 UTC.
func parseWindows(s string) ([]Window, error) {
	var windows []Window
	days := ""
	for part := range strings.SplitSeq(s, ",") {
		part = strings.TrimSpace(part)
		if !strings.ContainsAny(part, " \t") {
			days += part + ","
			continue
		}
		w, err := parseWindow(days + part)
		if err != nil {
			return nil, err
		}
		windows, days = append(windows, w), ""
	}
	if days != "" {
		return nil, fmt.Errorf("%q is not a window: %s", strings.TrimSuffix(days, ","), windowForm)
	}
	return windows, nil
}

func parseWindow(s string) (Window, error) {
	fail := func(what string) (Window, error) {
		return Window{}, fmt.Errorf("%q: %s; %s", s, what,
			windowForm)
	}
	fields := strings.Fields(s)
	if len(fields) != 3 {
		return fail("is not a window")
	}
	w := Window{text: strings.Join(fields, " ")}
	for span := range strings.SplitSeq(fields[0], ",") {
		if !w.addDays(span) {
			return fail(strconv.Quote(span) + " are no days")
		}
	}
	from, to, _ := strings.Cut(fields[1], "-")
	var okFrom, okTo bool
	w.from, okFrom = minuteOfDay(from)
	w.to, okTo = minuteOfDay(to)
	switch {
	case !okFrom || !okTo || w.from == 24*60:
		return fail(strconv.Quote(fields[1]) + " are no hours")
	case w.from == w.to:
		return fail("it is empty; the whole day is 00:00-24:00")
	}
	// Local and localtime are another zone on every machine; posixrules is New York's on most.
	ownName := !slices.Contains([]string{"Local", "localtime", "posixrules"}, fields[2])
	var err error
	if w.zone, err = zones.Load(fields[2]); err != nil || !ownName {
		return fail(strconv.Quote(fields[2]) + " is not in the time zone database")
	}
	return w, nil
}

var dayNames = []string{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"}

// addDays adds a day, or days from one to another, as in Mon-Fri or Sat-Mon.
func (w *Window) addDays(span string) bool {
	first, last, isSpan := strings.Cut(span, "-")
	if !isSpan {
		last = first
	}
	from, to := dayNumber(first), dayNumber(last)
	if from < 0 || to < 0 {
		return false
	}
	for d := from; ; d = (d + 1) % 7 {
		w.days[d] = true
		if d == to {
			return true
		}
	}
}

func dayNumber(name string) int {
	for i, n := range dayNames {
		if n == name {
			return i
		}
	}
	return -1
}

// minuteOfDay reads HH:MM, up to 24:00.
func minuteOfDay(s string) (int, bool) {
	if len(s) != 5 || s[2] != ':' {
		return 0, false
	}
	h, err1 := strconv.ParseUint(s[:2], 10, 8)
	m, err2 := strconv.ParseUint(s[3:], 10, 8)
	total := int(h)*60 + int(m)
	return total, err1 == nil && err2 == nil && m < 60 && total <= 24*60
}
