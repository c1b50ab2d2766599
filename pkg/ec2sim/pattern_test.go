package ec2sim

import "testing"

func TestMatchPattern(t *testing.T) {
	for _, tt := range []struct {
		pattern, s string
		want       bool
	}{
		{"", "", true}, {"", "a", false}, {"a", "a", true}, {"a", "A", false}, {"a", "ab", false}, {"ab", "a", false},
		{"*", "", true}, {"*", "abc", true}, {"a*c", "abbc", true}, {"a*c", "abcd", false}, {"*b*", "abc", true}, {"**", "x", true},
		{"a?c", "abc", true}, {"a?c", "ac", true}, {"a?c", "abbc", false}, {"?", "", true},
		{`a\*c`, "a*c", true}, {`a\*c`, "abc", false}, {`a\?`, "a?", true}, {`a\\b`, `a\b`, true}, {`a\`, `a\`, true},
		{"10.0.0.1", "10.0.0.10", false}, {"10.0.0.1*", "10.0.0.10", true},
	} {
		if got := matchPattern(tt.pattern, tt.s); got != tt.want {
			t.Errorf("%q of %q: %t", tt.pattern, tt.s, got)
		}
	}
}

func TestZoneIDs(t *testing.T) {
	for zone, want := range map[string]string{
		"ap-northeast-1a": "apne1-az1", "us-east-1c": "use1-az3", "eu-central-1b": "euc1-az2", "ap-southeast-2a": "apse2-az1", "": "",
	} {
		if got := zoneID(zone); got != want {
			t.Errorf("%s: %s, want %s", zone, got, want)
		}
	}
}
