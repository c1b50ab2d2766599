// Package secretfile reads a secret that a reference to a file leads to.
//
// It guarantees that no error has anything of the secret, and that a file which others may read is
// refused.
package secretfile

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"

	"aws-provider-executor/pkg/nodes"
)

// maxSecret is far above what a secret is.
const maxSecret = 64 << 10

// Path is the path of a reference to a file; false for another reference.
func Path(ref nodes.SecretRef) (string, bool) { return strings.CutPrefix(string(ref), "file:") }

// Read reads a file that only its owner may read.
func Read(path string) (string, error) {
	// A pipe is not waited for.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return "", err // names the file
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return "", err
	case !info.Mode().IsRegular():
		return "", fmt.Errorf("%s is no regular file", path)
	case info.Mode().Perm()&0o077 != 0:
		return "", fmt.Errorf("%s can be read by others: chmod 600 it", path)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	if err == nil && len(text) > maxSecret {
		return "", fmt.Errorf("%s has more than %d bytes", path, maxSecret)
	}
	return string(text), err
}

// Fields are the texts of a secret that is an object in JSON.
type Fields map[string]any

// ParseFields reads a secret that is an object in JSON.
func ParseFields(text string) (Fields, error) {
	var fields Fields
	if json.Unmarshal([]byte(text), &fields) != nil {
		return nil, fmt.Errorf("the secret is no object in JSON")
	}
	return fields, nil
}

// Get is the text of the first of these names that has one.
func (f Fields) Get(names ...string) string {
	for _, name := range names {
		if value, ok := f[name].(string); ok && value != "" {
			return value
		}
	}
	return ""
}
