package appliance

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
)

// TestL24SecretsAreTakenOutInEachForm: a program repeats what it got as it got it, and an error in
// JSON has other letters than the secret has.
func TestL24SecretsAreTakenOutInEachForm(t *testing.T) {
	const secret = "Grün & \"safe\" <9>\nsecond line"
	inJSON, err := json.Marshal(secret)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"as it is": secret, "in JSON": string(inJSON),
		"in base64": base64.StdEncoding.EncodeToString([]byte(secret)),
		"a line":    "at second line!",
	} {
		got := Said("it got "+text, secret)
		for _, part := range []string{"safe", "second", "c2FmZ"} {
			if strings.Contains(got, part) {
				t.Errorf("%s: it says %s", name, got)
			}
		}
	}
}

// TestFactsArePlain: what an appliance tells of itself can't fill a result, or steer a terminal.
func TestFactsArePlain(t *testing.T) {
	got := Plain("7.4\n\x1b[31m\u202e" + strings.Repeat("x", 10_000))
	if len(got) > 400 || strings.ContainsAny(got, "\n\x1b\u202e") {
		t.Errorf("it is %q", got)
	}
}

// TestARoleHasAnAddress: a role that no request could give back is none.
func TestARoleHasAnAddress(t *testing.T) {
	for text, want := range map[string]bool{
		"none": true, "primary": true, "secondary:10.0.0.5": true, "secondary:": false,
		"secondary:evil host": false, "secondary:fe80::1": false, "primary:10.0.0.5": false,
	} {
		if _, ok := ParseRole(text); ok != want {
			t.Errorf("ParseRole(%q) is %v", text, ok)
		}
	}
}
