package trace

import (
	"context"
	"strings"
	"testing"
)

// good is the example of the standard.
const good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

func TestParse(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"none", "", ""},
		{"the standard's", good, good},
		{"not sampled", good[:53] + "00", good[:53] + "00"},
		{"a later version", "cc" + good[2:], good},
		{"a later version that says more", "cc" + good[2:] + "-what", good},
		{"the version ff", "ff" + good[2:], "error"},
		{"the version ff that says more", "ff" + good[2:] + "-what", "error"},
		{"more than version 00 has", good + "-what", "error"},
		{"one character more", good + "0", "error"},
		{"a later version, one character more", "cc" + good[2:] + "0", "error"},
		{"one less", good[:54], "error"},
		{"upper case", strings.ToUpper(good), "error"},
		{"a trace of zeros", "00-" + strings.Repeat("0", 32) + good[35:], "error"},
		{"a span of zeros", good[:36] + strings.Repeat("0", 16) + good[52:], "error"},
		{"no hex digit", strings.Replace(good, "a", "g", 1), "error"},
		{"a line end", good[:54] + "\n", "error"},
		{"blanks around it", " " + good[1:], "error"},
		{"a dash too many", "00-0af7651916cd43dd8448eb211c80319-cb7ad6b7169203331-01", "error"},
		{"no dashes", strings.ReplaceAll(good, "-", "0"), "error"},
	} {
		got, err := Parse(c.text)
		if want := strings.TrimSuffix(c.want, "error"); got.String() != want ||
			(err != nil) != (c.want == "error") {
			t.Errorf("%s: %q, %v", c.name, got, err)
		}
		if err != nil && strings.Contains(err.Error(), c.text) {
			t.Errorf("%s is repeated: %v", c.name, err)
		}
	}
}

func TestPartsOfAParent(t *testing.T) {
	p, err := Parse(good)
	if err != nil || p.TraceID() != good[3:35] || p.SpanID() != good[36:52] {
		t.Errorf("%s, %s, %v", p.TraceID(), p.SpanID(), err)
	}
	if FromContext(NewContext(context.Background(), p)) != p {
		t.Error("it is not carried")
	}
	if none := FromContext(context.Background()); none.String()+none.TraceID()+none.SpanID() != "" {
		t.Errorf("%v", none)
	}
}
