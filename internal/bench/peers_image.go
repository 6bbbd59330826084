package main

import (
	"archive/tar"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
)

// An imageSpec is an image of that many layers of that size.
type imageSpec struct {
	name   string
	layers int
	size   int64 // bytes
}

func (s imageSpec) String() string { return s.name }

// layoutTag is the name of the image in its layout.
const layoutTag = "v1"

type layoutDescriptor struct {
	MediaType   string            `json:"mediaType"`
	Digest      string            `json:"digest"`
	Size        int64             `json:"size"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

// writeLayout writes an OCI layout with one image. Its layers are gzip with stored
// blocks, of random bytes: real ones, which no client compresses again.
func writeLayout(dir string, spec imageSpec) error {
	blobs := filepath.Join(dir, "blobs", "sha256")
	if err := os.MkdirAll(blobs, 0o755); err != nil {
		return err
	}
	var layers []layoutDescriptor
	var diffIDs []string
	for i := range spec.layers {
		d, diffID, err := writeLayer(blobs, spec.size, byte(i))
		if err != nil {
			return err
		}
		layers, diffIDs = append(layers, d), append(diffIDs, diffID)
	}
	config, err := writeJSON(blobs, "application/vnd.oci.image.config.v1+json", map[string]any{
		"architecture": "amd64", "os": "linux", "created": "2026-01-01T00:00:00Z",
		"config": map[string]any{}, "rootfs": map[string]any{"type": "layers", "diff_ids": diffIDs},
	})
	if err != nil {
		return err
	}
	manifest, err := writeJSON(blobs, mediaManifest, map[string]any{"schemaVersion": 2, "mediaType": mediaManifest, "config": config, "layers": layers})
	if err != nil {
		return err
	}
	manifest.Annotations = map[string]string{"org.opencontainers.image.ref.name": layoutTag}
	index, err := json.Marshal(map[string]any{"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": []layoutDescriptor{manifest}})
	if err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(filepath.Join(dir, "index.json"), index, 0o644),
		os.WriteFile(filepath.Join(dir, "oci-layout"), []byte(`{"imageLayoutVersion":"1.0.0"}`), 0o644),
	)
}

func writeJSON(blobs, media string, v any) (layoutDescriptor, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return layoutDescriptor{}, err
	}
	b := newBlob(data)
	return layoutDescriptor{MediaType: media, Digest: b.digest, Size: int64(len(data))}, os.WriteFile(filepath.Join(blobs, b.digest[len("sha256:"):]), data, 0o644)
}

// writeLayer writes a layer whose blob has about that many bytes.
func writeLayer(blobs string, size int64, seed byte) (d layoutDescriptor, diffID string, err error) {
	f, err := os.CreateTemp(blobs, "layer-")
	if err != nil {
		return d, "", err
	}
	packed, plain := sha256.New(), sha256.New()
	length := &countingWriter{}
	zip, err := gzip.NewWriterLevel(io.MultiWriter(f, packed, length), gzip.NoCompression)
	if err != nil {
		return d, "", err
	}
	content := max(size-3<<10, 512) // beside tar's own blocks
	archive := tar.NewWriter(io.MultiWriter(zip, plain))
	err = archive.WriteHeader(&tar.Header{Name: fmt.Sprintf("file%d", seed), Mode: 0o644, Size: content})
	if err == nil {
		_, err = io.CopyN(archive, rand.NewChaCha8([32]byte{seed, byte(size >> 8), byte(size >> 16), byte(size >> 24)}), content)
	}
	if err := errors.Join(err, archive.Close(), zip.Close(), f.Close()); err != nil {
		return d, "", err
	}
	name := hexSum(packed)
	d = layoutDescriptor{MediaType: mediaLayer + "+gzip", Digest: "sha256:" + name, Size: length.n}
	return d, "sha256:" + hexSum(plain), os.Rename(f.Name(), filepath.Join(blobs, name))
}

func hexSum(h hash.Hash) string { return hex.EncodeToString(h.Sum(nil)) }

type countingWriter struct{ n int64 }

// Write implements io.Writer.
func (w *countingWriter) Write(p []byte) (int, error) {
	w.n += int64(len(p))
	return len(p), nil
}
