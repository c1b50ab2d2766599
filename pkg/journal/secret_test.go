package journal

import (
	"strings"
	"testing"
)

// TestSecretsOfAName are found in URLs that nobody can read, too.
func TestSecretsOfAName(t *testing.T) {
	for name, want := range map[string]string{
		"/var/lib/journal.db":                     "",
		"postgres://u@h/d":                        "",
		"postgres://u:x@h/d":                      "u:x@ u@",
		"postgresql://u:p@ss@h/d":                 "u:p@ss@ u@",
		"postgres://u:%zz@h":                      "u:%zz@ u@",
		"postgres://u@h/d?password=x&sslmode=off": "password=x password=",
		"postgres://u:y@/?a=b&sslPassword=x":      "u:y@ u@ sslPassword=x sslPassword=",
		"postgres:///d?host=/run&password=":       "",
		"postgres://:only@h/d":                    ":only@ @",
	} {
		if got := strings.Join(Secrets(name), " "); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}
