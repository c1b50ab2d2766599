package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/goreleaser/nfpm/v2"
	_ "github.com/goreleaser/nfpm/v2/deb" // registers itself
	"github.com/goreleaser/nfpm/v2/files"
	_ "github.com/goreleaser/nfpm/v2/rpm" // registers itself
)

// packages makes the packages of a platform from package.yaml, which says what is where.
func (t tree) packages(p platform) error {
	zipped, err := os.MkdirTemp("", "dist")
	if err != nil {
		return err
	}
	defer os.RemoveAll(zipped)
	if err := t.zipManual(zipped); err != nil {
		return err
	}
	values := map[string]string{
		"ROOT": t.Root, "PROGRAMS": filepath.Join(t.Programs, p.String()), "MANUAL": zipped,
		"COMPLETIONS": t.Completions, "ARCH": p.Arch,
	}
	config, err := nfpm.ParseFileWithEnvMapping(
		filepath.Join(t.Root, "pkg/internal/dist/package.yaml"),
		func(name string) string { return values[name] })
	if err != nil {
		return err
	}
	for _, kind := range []string{"deb", "rpm"} {
		if err := t.packageOf(config, kind); err != nil {
			return fmt.Errorf("%s of %s: %w", kind, p, err)
		}
	}
	return nil
}

// packageOf makes one package.
func (t tree) packageOf(config nfpm.Config, kind string) error {
	info, err := config.Get(kind)
	if err != nil {
		return err
	}
	info.Version, info.VersionSchema = packageVersion(t.Version), "none"
	info.Prerelease, info.Release = "", "1"
	info.MTime = t.Made
	scripts := filepath.Join(t.Root, "pkg/internal/dist")
	info.Scripts = nfpm.Scripts{
		PostInstall: filepath.Join(scripts, "installed.sh"),
		PreRemove:   filepath.Join(scripts, "remove.sh"),
		PostRemove:  filepath.Join(scripts, "removed.sh"),
	}
	for _, c := range info.Contents {
		if c.FileInfo == nil {
			c.FileInfo = &files.ContentFileInfo{}
		}
		c.FileInfo.MTime = t.Made
	}
	info = nfpm.WithDefaults(info)
	packager, err := nfpm.Get(kind)
	if err != nil {
		return err
	}
	// The one who builds is nobody of the package's.
	info.RPM.BuildHost = "localhost"
	var whole bytes.Buffer
	if err := packager.Package(info, &whole); err != nil {
		return err
	}
	name := packager.ConventionalFileName(info)
	return os.WriteFile(filepath.Join(t.Out, name), whole.Bytes(), 0o644)
}

// commit is the version of a build that no tag names.
var commit = regexp.MustCompile(`^devel\+([0-9a-f]+)(.*)$`)

// packageVersion is a version as packages sort them: one of no tag comes before all that are
// tagged.
func packageVersion(version string) string {
	if part := commit.FindStringSubmatch(version); part != nil {
		return "0~devel+" + part[1] + strings.ReplaceAll(part[2], "-", ".")
	}
	return strings.ReplaceAll(strings.TrimPrefix(version, "v"), "-", "~")
}

// zipManual compresses the manual's pages, as packages have them.
func (t tree) zipManual(to string) error {
	pages, err := filepath.Glob(filepath.Join(t.Manual, "*.[1-8]"))
	if err != nil {
		return err
	}
	if len(pages) == 0 {
		return fmt.Errorf("there are no pages in %s", t.Manual)
	}
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			return err
		}
		var zipped bytes.Buffer
		w, err := gzip.NewWriterLevel(&zipped, gzip.BestCompression)
		if err != nil {
			return err
		}
		if _, err := w.Write(text); err != nil {
			return err
		}
		if err := w.Close(); err != nil {
			return err
		}
		// man1/actionctl.1.gz
		section := filepath.Join(to, "man"+strings.TrimPrefix(filepath.Ext(page), "."))
		if err := os.MkdirAll(section, 0o755); err != nil {
			return err
		}
		name := filepath.Join(section, filepath.Base(page)+".gz")
		if err := os.WriteFile(name, zipped.Bytes(), 0o644); err != nil {
			return err
		}
	}
	return nil
}
