package main

import (
	"archive/tar"
	"compress/gzip"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
)

// archive packs the programs of a platform, with their manual, completions and notices.
func (t tree) archive(p platform) error {
	name := "aws-provider-executor_" + t.Version + "_" + p.String()
	file, err := os.Create(filepath.Join(t.Out, name+".tar.gz"))
	if err != nil {
		return err
	}
	defer file.Close()
	zipped := gzip.NewWriter(file)
	w := tar.NewWriter(zipped)
	for _, part := range []struct {
		from, to string
		mode     fs.FileMode
	}{
		{filepath.Join(t.Programs, p.String()), "bin", 0o755},
		{t.Manual, "man", 0o644},
		{t.Completions, "completions", 0o644},
		{filepath.Join(t.Root, "examples", "systemd"), "systemd", 0o644},
	} {
		if err := t.addFolder(w, part.from, path.Join(name, part.to), part.mode); err != nil {
			return err
		}
	}
	if err := t.add(w, path.Join(name, noticesFile), t.Notices[p], 0o644); err != nil {
		return err
	}
	for _, end := range []io.Closer{w, zipped} {
		if err := end.Close(); err != nil {
			return err
		}
	}
	return file.Close()
}

// addFolder adds the files of a folder and of those below it, in the order of their names.
func (t tree) addFolder(w *tar.Writer, from, to string, mode fs.FileMode) error {
	return filepath.WalkDir(from, func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		within, err := filepath.Rel(from, name)
		if err != nil {
			return err
		}
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		return t.add(w, path.Join(to, filepath.ToSlash(within)), data, mode)
	})
}

// add adds one file.
func (t tree) add(w *tar.Writer, name string, data []byte, mode fs.FileMode) error {
	err := w.WriteHeader(&tar.Header{
		Name: name, Mode: int64(mode), Size: int64(len(data)), ModTime: t.Made, Format: tar.FormatPAX,
	})
	if err == nil {
		_, err = w.Write(data)
	}
	return err
}
