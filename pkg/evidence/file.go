package evidence

import (
	"fmt"
	"os"
	"path/filepath"
)

// WriteFile writes a document to a file, whole or not at all: whoever reads the file meanwhile, or
// after a crash, finds the one before or this one.
func WriteFile(path string, d Document) (err error) {
	data, err := d.Encode()
	if err != nil {
		return err
	}
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, ".evidence-*")
	if err != nil {
		return fmt.Errorf("cannot write the evidence: %w", err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
			err = fmt.Errorf("cannot write the evidence: %w", err)
		}
	}()
	_, err = f.Write(data)
	if err == nil {
		err = f.Chmod(0o644)
	}
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return err
	}
	if err = os.Rename(f.Name(), path); err != nil {
		return err
	}
	return syncDir(dir)
}

// syncDir has a directory survive a loss of power. Some file systems can't sync one.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	_ = d.Sync()
	return d.Close()
}
