//go:build e2e

package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"cuelabs.dev/go/oci/ociregistry/ocimem"
	"cuelabs.dev/go/oci/ociregistry/ociserver"
	ggcr "github.com/google/go-containerregistry/pkg/registry"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pushcheck/pushcheck/internal/golden"
	"github.com/pushcheck/pushcheck/internal/tartest"
	"github.com/pushcheck/pushcheck/pusher"
)

// A matrixRegistry is a column of the matrix.
type matrixRegistry struct {
	name  string
	start func(t *testing.T, p program) (host string)
	// refuses are the eras that cannot push there, with what each says; HOST stands
	// for the registry.
	refuses map[string]string
}

const (
	noSchema1      = "manifest invalid: manifest invalid" // MANIFEST_INVALID, with its own message (P-306)
	distributionV3 = "distribution v3.1.2"
)

func matrixRegistries() []matrixRegistry {
	return []matrixRegistry{
		{distributionV3, func(t *testing.T, p program) string {
			file := filepath.Join(t.TempDir(), "alone.yaml")
			// as it is released: without the front that takes schema 1 in its place
			require.NoError(t, os.WriteFile(file, []byte("scenario: distribution alone\nregistry: {accepts: [schema2, oci]}\npush: team/app:v1\nexpect: {result: pushed}\n"), 0o600))
			host, _ := p.serve(t, "--scenario", file)
			return host
		}, map[string]string{"docker-1.8": noSchema1, "docker-1.9": noSchema1}},
		{"`fake`", func(t *testing.T, p program) string {
			host, _ := p.serve(t, "--registry", "fake")
			return host
		}, nil},
		{"docker-registry 2.8.2", func(t *testing.T, _ program) string { return startDebianRegistry(t) }, nil},
		{"ggcr v0.22.1", func(t *testing.T, _ program) string {
			return serveHandler(t, httptest.NewServer(ggcr.New(ggcr.Logger(log.New(io.Discard, "", 0)))))
		}, nil},
		{"cuelabs ocimem", func(t *testing.T, _ program) string {
			return serveHandler(t, httptest.NewServer(ociserver.New(ocimem.New(), nil)))
		}, nil},
	}
}

func serveHandler(t *testing.T, s *httptest.Server) (host string) {
	t.Helper()
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

// TestE2EErasAndRegistries pushes one image as every era to every registry, reads it
// back with skopeo, and holds docs/eras-registries.md to what came of it.
func TestE2EErasAndRegistries(t *testing.T) {
	p, img := build(t), writeMatrixImage(t)
	registries := matrixRegistries()
	cells := make([][]string, len(registries))
	t.Run("registry", func(t *testing.T) {
		for i, r := range registries {
			t.Run(strings.Trim(r.name, "`"), func(t *testing.T) {
				t.Parallel()
				host := r.start(t, p)
				for _, era := range pusher.Eras() {
					cells[i] = append(cells[i], img.cell(t, p, r, host, era.Name))
				}
			})
		}
	})
	if !t.Failed() {
		golden.Equal(t, "../../docs/eras-registries.md", matrixPage(registries, cells))
	}
}

// cell pushes as one era to one registry, and is what came of it.
func (i *matrixImage) cell(t *testing.T, p program, r matrixRegistry, host, era string) string {
	t.Helper()
	name := host + "/team/" + era + ":v1"
	cmd := exec.CommandContext(t.Context(), string(p), "push", "--cache", "none", "--era", era, i.layout, name)
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir(), "DOCKER_CONFIG=")
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	_ = cmd.Run() // its exit code says
	if want, refused := r.refuses[era]; refused {
		said, _, _ := strings.Cut(errs.String(), "\n")
		said = strings.ReplaceAll(strings.TrimPrefix(said, "pushcheck: "), host, "HOST")
		assert.Equal(t, 1, cmd.ProcessState.ExitCode(), "%s to %s: %s", era, r.name, out.String())
		assert.Equal(t, want, said, "%s to %s", era, r.name)
		_, err := skopeoTry(t.Context(), "inspect", "--tls-verify=false", "--raw", "docker://"+name)
		assert.Error(t, err, "%s to %s: the tag is there", era, r.name)
		return "refused: " + said
	}
	require.Equal(t, 0, cmd.ProcessState.ExitCode(), "%s to %s:\n%s%s", era, r.name, out.String(), errs.String())
	m := regexp.MustCompile(`v1: digest: (sha256:[0-9a-f]{64}) size`).FindStringSubmatch(out.String())
	require.NotNil(t, m, "%s to %s says no digest:\n%s", era, r.name, out.String())
	return i.readBack(t, name, m[1], era)
}

// readBack reads an image with skopeo and compares it with what was pushed: the digest
// that the era said, the config and every byte of the layers; the manifest too where the
// era sends what is stored. It returns the format in which it lies there.
func (i *matrixImage) readBack(t *testing.T, name, digest, era string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "back")
	skopeo(t, "copy", "--insecure-policy", "--src-tls-verify=false", "--preserve-digests", "docker://"+name, "dir:"+dir)
	assert.Equal(t, digest, inspect(t, name).Digest, "%s: the digest that the era said", name)
	manifest, err := os.ReadFile(filepath.Join(dir, "manifest.json"))
	require.NoError(t, err)
	var m struct {
		SchemaVersion int
		MediaType     string
		Config        struct{ Digest string }
		Layers        []struct{ Digest string }
		FSLayers      []struct{ BlobSum string }
	}
	require.NoError(t, json.Unmarshal(manifest, &m))
	var blobs []string
	format := "schema 1"
	if m.SchemaVersion == 2 {
		format = map[string]string{"application/vnd.docker.distribution.manifest.v2+json": "schema 2", "application/vnd.oci.image.manifest.v1+json": "OCI"}[m.MediaType]
		assert.Equal(t, string(i.config), string(readDirBlob(t, dir, m.Config.Digest)), "%s: config", name)
		for _, l := range m.Layers {
			blobs = append(blobs, l.Digest)
		}
	}
	for _, l := range slices.Backward(m.FSLayers) {
		blobs = append(blobs, l.BlobSum)
	}
	if format == "OCI" {
		assert.Equal(t, string(i.manifest), string(manifest), "%s: manifest", name)
	}
	require.Len(t, blobs, len(i.tars), "%s as %s", name, era)
	for n, d := range blobs {
		zip, err := gzip.NewReader(bytes.NewReader(readDirBlob(t, dir, d)))
		require.NoError(t, err)
		plain, err := io.ReadAll(zip)
		require.NoError(t, err)
		assert.True(t, bytes.Equal(i.tars[n], plain), "%s: layer %d came back changed", name, n)
	}
	return format
}

// readDirBlob reads a blob of skopeo's dir: form, and holds it against its digest.
func readDirBlob(t *testing.T, dir, digest string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, strings.TrimPrefix(digest, "sha256:")))
	require.NoError(t, err)
	require.Equal(t, digest, fmt.Sprintf("sha256:%x", sha256.Sum256(data)))
	return data
}

func skopeoTry(ctx context.Context, args ...string) ([]byte, error) {
	return exec.CommandContext(ctx, "skopeo", args...).Output()
}

// A matrixImage is what is pushed: an OCI layout, and what it is made of.
type matrixImage struct {
	layout           string
	manifest, config []byte
	tars             [][]byte // bottom first
}

func writeMatrixImage(t *testing.T) *matrixImage {
	t.Helper()
	i := &matrixImage{layout: t.TempDir()}
	blobs := filepath.Join(i.layout, "blobs", "sha256")
	require.NoError(t, os.MkdirAll(blobs, 0o755))
	type descriptor struct {
		MediaType   string            `json:"mediaType"`
		Digest      string            `json:"digest"`
		Size        int               `json:"size"`
		Annotations map[string]string `json:"annotations,omitempty"`
	}
	write := func(media string, data []byte) descriptor {
		sum := fmt.Sprintf("%x", sha256.Sum256(data))
		require.NoError(t, os.WriteFile(filepath.Join(blobs, sum), data, 0o644))
		return descriptor{MediaType: media, Digest: "sha256:" + sum, Size: len(data)}
	}
	encode := func(v any) []byte {
		data, err := json.Marshal(v)
		require.NoError(t, err)
		return data
	}
	var layers []descriptor
	var diffIDs []string
	var history []map[string]any
	for n, content := range []string{"base\n", strings.Repeat("a layer of some size, ", 20_000), "top\n"} {
		plain := tartest.Files(t, fmt.Sprintf("file%d", n), content)
		i.tars = append(i.tars, plain)
		layers = append(layers, write("application/vnd.oci.image.layer.v1.tar+gzip", tartest.Gzip(t, plain)))
		diffIDs = append(diffIDs, fmt.Sprintf("sha256:%x", sha256.Sum256(plain)))
		history = append(history, map[string]any{"created": "2026-01-01T00:00:00Z", "created_by": fmt.Sprint("COPY file", n)})
	}
	i.config = encode(map[string]any{
		"architecture": "amd64", "os": "linux", "created": "2026-01-01T00:00:00Z", "config": map[string]any{"Cmd": []string{"sh"}},
		"rootfs": map[string]any{"type": "layers", "diff_ids": diffIDs}, "history": history,
	})
	i.manifest = encode(map[string]any{
		"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
		"config": write("application/vnd.oci.image.config.v1+json", i.config), "layers": layers,
	})
	top := write("application/vnd.oci.image.manifest.v1+json", i.manifest)
	top.Annotations = map[string]string{"org.opencontainers.image.ref.name": "v1"}
	require.NoError(t, os.WriteFile(filepath.Join(i.layout, "index.json"), encode(map[string]any{"schemaVersion": 2, "manifests": []descriptor{top}}), 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(i.layout, "oci-layout"), []byte(`{"imageLayoutVersion":"1.0.0"}`), 0o644))
	return i
}

// matrixPage is docs/eras-registries.md.
func matrixPage(registries []matrixRegistry, cells [][]string) string {
	var b strings.Builder
	b.WriteString(`# Eras and registries

What comes of a push by each era to each registry that the bench is tested with. The
end-to-end tests push one image of three layers as every era to every one of them, read
it back with skopeo, and compare digest, config and every byte of the layers; where the
era sends what is stored, the manifest too. They make this page: a cell that changes
fails them, and ` + "`go test -tags e2e ./cmd/pushcheck -run TestE2EErasAndRegistries -update`" + `
writes it anew, but for a cell that must not be refused, or must be.

A cell is the format in which the image lies in the registry.

| era |`)
	for _, r := range registries {
		b.WriteString(" " + r.name + " |")
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(registries)) + "\n")
	var notes []string
	for n, era := range pusher.Eras() {
		b.WriteString("| `" + era.Name + "` |")
		for i := range registries {
			cell := cells[i][n]
			if said, refused := strings.CutPrefix(cell, "refused: "); refused {
				at := slices.Index(notes, said)
				if at < 0 {
					notes, at = append(notes, said), len(notes)
				}
				cell = fmt.Sprintf("refused (%d)", at+1)
			}
			b.WriteString(" " + cell + " |")
		}
		b.WriteString("\n")
	}
	if len(notes) > 0 {
		b.WriteString("\nA push that is refused ends with exit code 1, leaves no tag, and says:\n\n")
	}
	for i, said := range notes {
		fmt.Fprintf(&b, "%d. `%s`\n", i+1, said)
	}
	b.WriteString(`
Dockers before 1.10 know schema 1 alone, and those up to 1.13 fall back to it. Registries
of today no longer take it: distribution dropped it in version 3, and docker-registry
2.8.2 takes it where ` + "`REGISTRY_COMPATIBILITY_SCHEMA1_ENABLED`" + ` says so, as in this table;
without, it answers 500, which no client can tell from an outage. The distribution of the
bench takes it by a front of its own, unless a scenario leaves it out, as here:
` + "`registry: {accepts: [schema2, oci]}`" + `.
`)
	return b.String()
}
