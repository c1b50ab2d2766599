package main

import (
	"archive/tar"
	"bytes"
	"encoding/pem"
	"fmt"
	"io"
	"os"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// docFolder is where the image has what Debian's package has in the same folder.
const docFolder = "usr/share/doc/aws-provider-executor/"

// nobody is the user of the image, who owns its state.
const nobody = 65532

// image writes an OCI image layout with an image for each processor: the programs, the authorities
// that sign AWS's certificates, the notices, and empty folders for state.
func (t tree) image() error {
	var index v1.ImageIndex = mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, p := range t.Linux {
		image, err := t.imageOf(p)
		if err != nil {
			return fmt.Errorf("the image of %s: %w", p, err)
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add: image, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: p.OS, Architecture: p.Arch}},
		})
	}
	to := filepath.Join(t.Out, "image")
	if err := os.RemoveAll(to); err != nil {
		return err
	}
	// The layout has one image, of all processors: programs that read it choose theirs.
	written, err := layout.Write(to, empty.Index)
	if err != nil {
		return err
	}
	return written.AppendIndex(index, layout.WithAnnotations(map[string]string{
		"org.opencontainers.image.ref.name": t.Version,
	}))
}

func (t tree) imageOf(p platform) (v1.Image, error) {
	files, err := t.filesOfImage(p)
	if err != nil {
		return nil, err
	}
	layer, err := tarball.LayerFromOpener(
		func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(files)), nil },
		tarball.WithCompressedCaching, tarball.WithMediaType(types.OCILayer))
	if err != nil {
		return nil, err
	}
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1),
		types.OCIConfigJSON)
	image, err = mutate.Append(image, mutate.Addendum{
		Layer: layer, MediaType: types.OCILayer,
		History: v1.History{Created: v1.Time{Time: t.Made}, CreatedBy: "make dist"},
	})
	if err != nil {
		return nil, err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture, config.Created = p.OS, p.Arch, v1.Time{Time: t.Made}
	config.Config = v1.Config{
		User: fmt.Sprint(nobody), WorkingDir: "/var/lib/actionctl",
		Env: []string{
			"PATH=/usr/sbin:/usr/bin", "HOME=/var/lib/actionctl",
			"STATE_DIRECTORY=/var/lib/aws-provider-executor:/var/lib/actionctl",
		},
		Cmd:    []string{"actionctl", "--help"},
		Labels: map[string]string{"org.opencontainers.image.version": t.Version},
	}
	return mutate.ConfigFile(image, config)
}

// filesOfImage is the image's only layer.
func (t tree) filesOfImage(p platform) ([]byte, error) {
	var layer bytes.Buffer
	w := tar.NewWriter(&layer)
	for _, folder := range []string{"aws-provider-executor", "actionctl"} {
		err := w.WriteHeader(&tar.Header{
			Typeflag: tar.TypeDir, Name: "var/lib/" + folder + "/", Mode: 0o700, Uid: nobody, Gid: nobody,
			ModTime: t.Made, Format: tar.FormatPAX,
		})
		if err != nil {
			return nil, err
		}
	}
	err := w.WriteHeader(&tar.Header{
		Typeflag: tar.TypeDir, Name: "tmp/", Mode: 0o1777, ModTime: t.Made, Format: tar.FormatPAX,
	})
	if err != nil {
		return nil, err
	}
	if err := t.addFolder(w, filepath.Join(t.Programs, p.String()), "usr/bin", 0o755); err != nil {
		return nil, err
	}
	if err := t.add(w, "etc/ssl/certs/ca-certificates.crt", authorities(), 0o644); err != nil {
		return nil, err
	}
	if err := t.add(w, docFolder+noticesFile, t.Notices[p], 0o644); err != nil {
		return nil, err
	}
	return layer.Bytes(), w.Close()
}

// authorities are those that Mozilla trusts and puts no condition on.
func authorities() []byte {
	var all bytes.Buffer
	for root := range bundle.Roots() {
		if root.Constraint == nil {
			_ = pem.Encode(&all, &pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate})
		}
	}
	return all.Bytes()
}
