package main

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

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
	err = errors.Join(t.zipManual(zipped), t.changelog(zipped),
		os.WriteFile(filepath.Join(zipped, noticesFile), t.Notices[p], 0o644))
	if err != nil {
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
	info.Version, info.VersionSchema = t.packageVersion(), "none"
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
		// Not as the files are here: that is of whoever builds.
		switch {
		case c.Type == files.TypeDir:
		case strings.HasPrefix(c.Source, t.Programs):
			c.FileInfo.Mode = 0o755
		default:
			c.FileInfo.Mode = 0o644
		}
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

// packageVersion is the version as packages sort them: one of no tag comes before all that are
// tagged, and after those of earlier commits.
func (t tree) packageVersion() string {
	if part := commit.FindStringSubmatch(t.Version); part != nil {
		return "0~devel" + t.Made.Format("20060102150405") + "+" + part[1] +
			strings.ReplaceAll(part[2], "-", ".")
	}
	return strings.ReplaceAll(strings.TrimPrefix(t.Version, "v"), "-", "~")
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
		// man1/actionctl.1.gz
		section := filepath.Join(to, "man"+strings.TrimPrefix(filepath.Ext(page), "."))
		if err := os.MkdirAll(section, 0o755); err != nil {
			return err
		}
		if err := zip(filepath.Join(section, filepath.Base(page)+".gz"), text); err != nil {
			return err
		}
	}
	return nil
}

// changelog writes what people read of the changes, and what Debian's tools read of a version.
func (t tree) changelog(to string) error {
	changes, err := os.ReadFile(filepath.Join(t.Root, ".github/CHANGELOG.md"))
	if err != nil {
		return err
	}
	text := fmt.Sprintf("aws-provider-executor (%s-1) stable; urgency=medium\n\n"+
		"  * See changelog.gz.\n\n -- aws-provider-executor <>  %s\n",
		t.packageVersion(), t.Made.Format(time.RFC1123Z))
	return errors.Join(zip(filepath.Join(to, "changelog.gz"), changes),
		zip(filepath.Join(to, "changelog.Debian.gz"), []byte(text)))
}

// zip writes a file that is compressed as far as it goes.
func zip(name string, text []byte) error {
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
	return os.WriteFile(name, zipped.Bytes(), 0o644)
}
