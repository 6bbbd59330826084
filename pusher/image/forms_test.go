package image_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/opencontainers/go-digest"
	"github.com/stretchr/testify/require"
)

// An entry is one entry of a test archive; a file unless typ says otherwise.
type entry struct {
	name, body string
	typ        byte
	link       string
}

// tarOf writes a tar.
func tarOf(t testing.TB, entries ...entry) string {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range entries {
		typ := e.typ
		if typ == 0 {
			typ = tar.TypeReg
		}
		require.NoError(t, w.WriteHeader(&tar.Header{
			Typeflag: typ, Name: e.name, Linkname: e.link, Size: int64(len(e.body)), Mode: 0o644, ModTime: time.Unix(0, 0),
		}))
		_, err := w.Write([]byte(e.body))
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	return b.String()
}

func gzipped(t testing.TB, s string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write([]byte(s))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.String()
}

func zstded(t testing.TB, s string) string {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	require.NoError(t, err)
	return string(w.EncodeAll([]byte(s), nil))
}

func jsonOf(t testing.TB, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	require.NoError(t, err)
	return string(data)
}

func digestOf(s string) digest.Digest { return digest.FromString(s) }

func hexOf(s string) string { return digestOf(s).Encoded() }

// Short names for JSON.
type (
	obj  = map[string]any
	list = []any
)

// files is an archive as its files.
type files map[string]string

func (f files) with(more files) files {
	all := maps.Clone(f)
	maps.Copy(all, more)
	return all
}

func (f files) without(names ...string) files {
	all := maps.Clone(f)
	for _, name := range names {
		delete(all, name)
	}
	return all
}

func (f files) entries() []entry {
	var entries []entry
	for _, name := range slices.Sorted(maps.Keys(f)) {
		entries = append(entries, entry{name: name, body: f[name]})
	}
	return entries
}

func (f files) tar(t testing.TB) string {
	t.Helper()
	return tarOf(t, f.entries()...)
}

// write puts the files below a new folder.
func (f files) write(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	for name, body := range f {
		path := filepath.Join(dir, filepath.FromSlash(name))
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, []byte(body), 0o600))
	}
	return dir
}

// Two layers that the test archives are made of.
func baseTar(t testing.TB) string {
	return tarOf(t, entry{name: "etc/", typ: tar.TypeDir}, entry{name: "etc/base", body: strings.Repeat("base ", 500)})
}

func topTar(t testing.TB) string { return tarOf(t, entry{name: "bin/top", body: "top"}) }

const (
	baseID = "b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0"
	topID  = "a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0"
	lostID = "c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0"
)

// oldForm is what docker save wrote before 1.10.
func oldForm(t testing.TB) files {
	return files{
		"repositories":        jsonOf(t, obj{"lib/app": obj{"latest": topID}}),
		baseID + "/VERSION":   "1.0",
		baseID + "/json":      jsonOf(t, obj{"id": baseID, "created": "2015-10-12T10:00:00Z"}),
		baseID + "/layer.tar": baseTar(t),
		topID + "/VERSION":    "1.0",
		topID + "/json":       jsonOf(t, obj{"id": topID, "parent": baseID, "created": "2015-10-12T10:00:00Z"}),
		topID + "/layer.tar":  topTar(t),
	}
}

// configJSON is the config of an image of those layers, with an ENV between them.
func configJSON(t testing.TB, layers ...string) string {
	var diffIDs, history list
	for i, l := range layers {
		diffIDs = append(diffIDs, digestOf(l))
		history = append(history, obj{"created": "2015-10-12T10:00:00Z", "created_by": "ADD"})
		if i == 0 {
			history = append(history, obj{"created": "2015-10-12T10:00:00Z", "created_by": "ENV A=1", "empty_layer": true})
		}
	}
	return jsonOf(t, obj{
		"architecture": "amd64", "os": "linux", "created": "2015-10-12T10:00:00Z",
		"config": obj{"Env": list{"A=1"}}, "rootfs": obj{"type": "layers", "diff_ids": diffIDs}, "history": history,
	})
}

// newForm is what docker save wrote from 1.10 to 24, without the folders for older
// dockers.
func newForm(t testing.TB) files {
	config := configJSON(t, baseTar(t), topTar(t))
	return files{
		"manifest.json": jsonOf(t, list{obj{
			"Config": hexOf(config) + ".json", "RepoTags": list{"lib/app:latest"}, "Layers": list{"0/layer.tar", "1/layer.tar"},
		}}),
		hexOf(config) + ".json": config,
		"0/layer.tar":           baseTar(t),
		"1/layer.tar":           topTar(t),
	}
}

// bothForm is newForm with the folders for older dockers.
func bothForm(t testing.TB) files {
	f := newForm(t).without("0/layer.tar", "1/layer.tar").with(oldForm(t))
	config := configJSON(t, baseTar(t), topTar(t))
	f["manifest.json"] = jsonOf(t, list{obj{
		"Config": hexOf(config) + ".json", "RepoTags": list{"lib/app:latest"}, "Layers": list{baseID + "/layer.tar", topID + "/layer.tar"},
	}})
	return f
}

const (
	ociManifest = "application/vnd.oci.image.manifest.v1+json"
	ociIndex    = "application/vnd.oci.image.index.v1+json"
	ociConfig   = "application/vnd.oci.image.config.v1+json"
	ociLayer    = "application/vnd.oci.image.layer.v1.tar"
)

func blobName(s string) string { return "blobs/sha256/" + hexOf(s) }

func descriptor(media, s string) obj {
	return obj{"mediaType": media, "digest": digestOf(s), "size": len(s)}
}

// A layoutLayer is a layer as a layout has it.
type layoutLayer struct{ media, blob string }

func gzipLayers(t testing.TB) []layoutLayer {
	return []layoutLayer{{ociLayer + "+gzip", gzipped(t, baseTar(t))}, {ociLayer + "+gzip", gzipped(t, topTar(t))}}
}

// addManifest adds an image to a layout and returns its manifest.
func (f files) addManifest(t testing.TB, config string, layers ...layoutLayer) string {
	var descriptors list
	for _, l := range layers {
		f[blobName(l.blob)] = l.blob
		descriptors = append(descriptors, descriptor(l.media, l.blob))
	}
	f[blobName(config)] = config
	manifest := jsonOf(t, obj{
		"schemaVersion": 2, "mediaType": ociManifest, "config": descriptor(ociConfig, config), "layers": descriptors,
	})
	f[blobName(manifest)] = manifest
	return manifest
}

// named is a descriptor with the specification's annotation for names.
func named(d obj, name string) obj {
	d["annotations"] = obj{"org.opencontainers.image.ref.name": name}
	return d
}

// index is the layout with an index of those descriptors.
func (f files) index(t testing.TB, manifests ...any) files {
	f = maps.Clone(f)
	f["oci-layout"] = `{"imageLayoutVersion":"1.0.0"}`
	f["index.json"] = jsonOf(t, obj{"schemaVersion": 2, "mediaType": ociIndex, "manifests": manifests})
	return f
}

// layoutForm is an OCI layout with one image.
func layoutForm(t testing.TB, layers ...layoutLayer) files {
	f := files{}
	manifest := f.addManifest(t, configJSON(t, baseTar(t), topTar(t)), layers...)
	return f.index(t, named(descriptor(ociManifest, manifest), "lib/app:latest"))
}

// newestForm is what docker save writes since 25: an OCI layout with plain layers
// and manifest.json beside it.
func newestForm(t testing.TB) files {
	f := layoutForm(t, layoutLayer{ociLayer, baseTar(t)}, layoutLayer{ociLayer, topTar(t)})
	f["manifest.json"] = jsonOf(t, list{obj{
		"Config":   blobName(configJSON(t, baseTar(t), topTar(t))),
		"RepoTags": list{"lib/app:latest", "lib/other:1"},
		"Layers":   list{blobName(baseTar(t)), blobName(topTar(t))},
	}})
	f["repositories"] = jsonOf(t, obj{"lib/app": obj{"latest": hexOf("of no folder")}})
	return f
}
