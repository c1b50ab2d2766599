package secretfile_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"aws-provider-executor/pkg/nodes/secretfile"
)

// TestAPipeIsNoSecret: it is not waited for who would write to it.
func TestAPipeIsNoSecret(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := secretfile.Read(path); err == nil ||
		!strings.Contains(err.Error(), "is no regular file") {
		t.Errorf("it answers %v", err)
	}
}

// TestALongSecretIsNotCut: a part of a secret is another secret.
func TestALongSecretIsNotCut(t *testing.T) {
	path := filepath.Join(t.TempDir(), "long")
	if err := os.WriteFile(path, make([]byte, 64<<10+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := secretfile.Read(path); err == nil {
		t.Error("it is read")
	}
}
