package conformance

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math/rand/v2"

	"github.com/pushcheck/pushcheck/internal/gzips"
	"github.com/pushcheck/pushcheck/pusher/image"
)

// madeLayers are the layers of the images that eras push: one that does not fit into a
// packet or two, a tiny one, a small one, and the small one again.
func madeLayers() (sizes []int64, same []int) {
	return []int64{70_000, 1, 300, 300}, []int{-1, -1, -1, 2}
}

// dockerImage is an image as docker builds it, of four layers.
func dockerImage(ctx context.Context, p *Probe, s *image.Store, repository string, tags ...string) error {
	sizes, same := madeLayers()
	ids, err := s.Make(ctx, image.Recipe{Layers: sizes, Same: same, Seed: p.sown()})
	for _, tag := range tags {
		err = first(err, s.Tag(repository, tag, ids[len(ids)-1]))
	}
	return err
}

// A layoutTar is an OCI layout in the making.
type layoutTar struct {
	buffer bytes.Buffer
	tar    *tar.Writer
	have   map[string]bool
}

func newLayoutTar() *layoutTar {
	l := &layoutTar{have: map[string]bool{}}
	l.tar = tar.NewWriter(&l.buffer)
	l.file("oci-layout", []byte(`{"imageLayoutVersion":"1.0.0"}`))
	return l
}

// file adds a file. A buffer takes all: nothing can go wrong.
func (l *layoutTar) file(name string, data []byte) {
	if l.have[name] {
		return
	}
	l.have[name] = true
	_ = l.tar.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(data))})
	_, _ = l.tar.Write(data)
}

// blob adds content.
func (l *layoutTar) blob(mediaType string, data []byte) descriptor {
	d := digestOf(data)
	l.file("blobs/sha256/"+d.Encoded(), data)
	return descriptor{MediaType: mediaType, Digest: d, Size: len(data)}
}

// image adds an image of three layers, the last of which others of the check have too.
func (l *layoutTar) image(p *Probe, architecture string) descriptor {
	var ids []string
	layers := []descriptor{}
	for i, name := range []string{"first " + architecture, "second " + architecture, "third"} {
		plain := oneFile(p.noise(name, []int{40_000, 200, 2000}[i]))
		ids = append(ids, digestOf(plain).String())
		layers = append(layers, l.blob(typeImageLayer, zipped(plain)))
	}
	config, _ := json.Marshal(map[string]any{ // strings alone
		"architecture": architecture, "os": "linux", "config": struct{}{},
		"rootfs": map[string]any{"type": "layers", "diff_ids": ids},
	})
	c := l.blob(typeImageConfig, config)
	m := document{SchemaVersion: 2, MediaType: typeImage, Config: &c, Layers: &layers}.manifest()
	d := l.blob(typeImage, m.data)
	d.Platform = &platform{architecture, "linux"}
	return d
}

// load ends the layout and puts what it is of into a store.
func (l *layoutTar) load(ctx context.Context, s *image.Store, top descriptor, repository string, tags ...string) error {
	top.Annotations = map[string]string{"org.opencontainers.image.ref.name": "made"}
	list := []descriptor{top}
	l.file("index.json", document{SchemaVersion: 2, MediaType: typeIndex, Manifests: &list}.manifest().data)
	_ = l.tar.Close()
	loaded, err := s.LoadFrom(ctx, &l.buffer)
	if err != nil {
		return fmt.Errorf("the made image: %w", err)
	}
	for _, one := range loaded {
		if one.Other {
			continue
		}
		for _, tag := range tags {
			err = first(err, s.TagContent(repository, tag, one.Image, one.Content))
		}
	}
	return err
}

// ociImage is an OCI image for one platform, of three layers.
func ociImage(ctx context.Context, p *Probe, s *image.Store, repository string, tags ...string) error {
	l := newLayoutTar()
	return l.load(ctx, s, l.image(p, "amd64"), repository, tags...)
}

// ociIndex is an index of two such images, which share a layer.
func ociIndex(ctx context.Context, p *Probe, s *image.Store, repository string, tags ...string) error {
	l := newLayoutTar()
	children := []descriptor{l.image(p, "amd64"), l.image(p, "arm64")}
	m := document{SchemaVersion: 2, MediaType: typeIndex, Manifests: &children}.manifest()
	return l.load(ctx, s, l.blob(typeIndex, m.data), repository, tags...)
}

// noise is content that does not compress, which only this name, in this check and
// under this seed, has.
func (p *Probe) noise(name string, size int) []byte {
	data := make([]byte, size)
	_, _ = rand.NewChaCha8(sha256.Sum256(fmt.Appendf(nil, "%s\x00%d", name, p.sown()))).Read(data) // it never fails
	return data
}

// oneFile is a tar of one file.
func oneFile(content []byte) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	_ = w.WriteHeader(&tar.Header{Name: "file", Mode: 0o644, Size: int64(len(content))}) // a buffer takes all
	_, _ = w.Write(content)
	_ = w.Close()
	return b.Bytes()
}

func zipped(plain []byte) []byte {
	var b bytes.Buffer
	w := gzips.Writer(&b)
	defer gzips.Return(w)
	_, _ = w.Write(plain) // a buffer takes all
	_ = w.Close()
	return b.Bytes()
}
