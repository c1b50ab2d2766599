package main

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// sumsFile is as sha256sum writes and checks it.
const sumsFile = "SHA256SUMS"

// checksums writes the sums of all files that there are to install or to look into.
func (t tree) checksums() error {
	var sums strings.Builder
	err := filepath.WalkDir(t.Out, func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || e.Name() == sumsFile {
			return err
		}
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		within, err := filepath.Rel(t.Out, name)
		fmt.Fprintf(&sums, "%x  %s\n", sha256.Sum256(data), filepath.ToSlash(within))
		return err
	})
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(t.Out, sumsFile), []byte(sums.String()), 0o644)
}
