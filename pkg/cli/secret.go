package cli

import (
	"io"
	"strings"

	"aws-provider-executor/pkg/journal"
)

// hiding leaves what is secret in the journal's name out of what is written.
type hiding struct {
	io.Writer
	secrets *strings.Replacer
}

func (h hiding) Write(p []byte) (int, error) {
	if _, err := io.WriteString(h.Writer, h.secrets.Replace(string(p))); err != nil {
		return 0, err
	}
	return len(p), nil
}

// withoutSecrets is a stream without the password of a journal that any of these may name. Where
// there is none it is the stream itself.
func withoutSecrets(w io.Writer, names ...string) io.Writer {
	var secrets []string
	for _, name := range names {
		name = strings.TrimPrefix(name, "--journal=")
		secrets = append(secrets, journal.Secrets(name)...)
	}
	if len(secrets) == 0 {
		return w
	}
	return hiding{w, strings.NewReplacer(secrets...)}
}
