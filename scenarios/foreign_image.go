package scenarios

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"github.com/opencontainers/go-digest"
	specs "github.com/opencontainers/image-spec/specs-go"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/pushcheck/pushcheck/internal/mediatype"
)

// Media types of docker's own manifests, for images that are to be pushed so.
const (
	mediaDockerManifest = mediatype.Schema2
	mediaDockerConfig   = mediatype.Config
	mediaDockerLayer    = mediatype.Layer
)

// A layoutWriter writes the scenario's image as an OCI image layout (image-spec
// 1.1, "Image Layout") that is an archive of docker save as well, as docker 25
// writes them: manifest.json names the same blobs.
type layoutWriter struct {
	w      *world
	dir    string
	docker bool   // docker's media types
	name   string // in the layout
	ref    string // in manifest.json
}

// write writes the layout and returns the image's ID.
func (l layoutWriter) write() (id string, err error) {
	blobs := filepath.Join(l.dir, v1.ImageBlobsDir, "sha256")
	if err := os.MkdirAll(blobs, 0o755); err != nil { //nolint:gosec // any client reads it
		return "", err
	}
	m := v1.Manifest{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: v1.MediaTypeImageManifest}
	configType, layerType := v1.MediaTypeImageConfig, v1.MediaTypeImageLayerGzip
	if l.docker {
		m.MediaType, configType, layerType = mediaDockerManifest, mediaDockerConfig, mediaDockerLayer
	}
	config, err := l.w.contents.config(l.w.store)
	if err != nil {
		return "", err
	}
	if m.Config, err = l.blob(configType, bytes.NewReader(config)); err != nil {
		return "", err
	}
	saved := savedImage{Config: blobPath(m.Config.Digest), RepoTags: []string{l.ref}}
	for _, layer := range l.w.contents.layers {
		stream := openBlob(l.w.store, layer.id)
		d, err := l.blob(layerType, stream)
		if err := errors.Join(err, stream.Close()); err != nil {
			return "", err
		}
		if d.Digest != layer.digest {
			return "", fmt.Errorf("%s is %s, not %s", layer.name, d.Digest, layer.digest)
		}
		m.Layers = append(m.Layers, d)
		saved.Layers = append(saved.Layers, blobPath(d.Digest))
	}
	return m.Config.Digest.Encoded(), l.index(m, saved)
}

// A savedImage is an image in the manifest.json of docker save.
type savedImage struct {
	Config   string
	RepoTags []string
	Layers   []string
}

// index writes what names the image.
func (l layoutWriter) index(m v1.Manifest, saved savedImage) error {
	body, err := json.Marshal(m)
	if err != nil {
		return err
	}
	d, err := l.blob(m.MediaType, bytes.NewReader(body))
	if err != nil {
		return err
	}
	d.Annotations = map[string]string{v1.AnnotationRefName: l.name}
	for name, document := range map[string]any{
		v1.ImageIndexFile: v1.Index{
			Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: v1.MediaTypeImageIndex, Manifests: []v1.Descriptor{d},
		},
		v1.ImageLayoutFile: v1.ImageLayout{Version: v1.ImageLayoutVersion},
		"manifest.json":    []savedImage{saved},
	} {
		text, err := json.Marshal(document)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(l.dir, name), text, 0o644); err != nil { //nolint:gosec // any client reads it
			return err
		}
	}
	return nil
}

func blobPath(d digest.Digest) string {
	return path.Join(v1.ImageBlobsDir, d.Algorithm().String(), d.Encoded())
}

// blob streams one blob into the layout.
func (l layoutWriter) blob(mediaType string, r io.Reader) (v1.Descriptor, error) {
	f, err := os.CreateTemp(l.dir, ".blob-")
	if err != nil {
		return v1.Descriptor{}, err
	}
	sum := digest.SHA256.Digester()
	n, err := io.Copy(io.MultiWriter(f, sum.Hash()), r)
	if err := errors.Join(err, f.Chmod(0o644), f.Close()); err != nil {
		return v1.Descriptor{}, err
	}
	d := v1.Descriptor{MediaType: mediaType, Digest: sum.Digest(), Size: n}
	return d, os.Rename(f.Name(), filepath.Join(l.dir, filepath.FromSlash(blobPath(d.Digest))))
}

// pack writes a folder into a tar, in the order of its names.
func pack(ctx context.Context, dir, file string) (err error) {
	f, err := os.Create(file) //nolint:gosec // below the run's own folder
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	out := tar.NewWriter(f)
	err = filepath.WalkDir(dir, func(name string, e fs.DirEntry, err error) error {
		if err := errors.Join(err, ctx.Err()); err != nil {
			return err
		}
		below, err := filepath.Rel(dir, name)
		if err != nil || below == "." {
			return err
		}
		return packEntry(out, name, filepath.ToSlash(below), e)
	})
	if err != nil {
		return err
	}
	return out.Close()
}

func packEntry(out *tar.Writer, name, below string, e fs.DirEntry) error {
	if e.IsDir() {
		return out.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: below + "/", Mode: 0o755})
	}
	info, err := e.Info()
	if err != nil {
		return err
	}
	if err := out.WriteHeader(&tar.Header{Name: below, Mode: 0o644, Size: info.Size()}); err != nil {
		return err
	}
	f, err := os.Open(name) //nolint:gosec // below the run's own folder
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // only read
	_, err = io.Copy(out, f)
	return err
}
