//go:build e2e

package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// artifactLayout is a layout with an artifact that refers to a manifest, tagged "sbom",
// and an index of that artifact alone, tagged "all". It returns the bytes of both.
func artifactLayout(t *testing.T, subject digest.Digest, size int) (dir, artifact, index string) {
	t.Helper()
	l := layoutDir{t, t.TempDir()}
	m := l.json(ociManifestType, object{
		"schemaVersion": 2, "mediaType": ociManifestType, "artifactType": "application/vnd.example.sbom",
		"config":  l.blob("application/vnd.oci.empty.v1+json", []byte("{}")),
		"layers":  []object{l.blob("text/spdx", []byte("what it is made of"))},
		"subject": object{"mediaType": ociManifestType, "digest": subject, "size": size},
	})
	m["artifactType"] = "application/vnd.example.sbom"
	all := l.json(ociIndexType, object{"schemaVersion": 2, "mediaType": ociIndexType, "manifests": []object{m}})
	bytesOf := func(o object) string {
		data, err := os.ReadFile(filepath.Join(l.dir, "blobs", "sha256", o["digest"].(digest.Digest).Encoded()))
		require.NoError(t, err)
		return string(data)
	}
	artifact, index = bytesOf(m), bytesOf(all)
	m["annotations"] = object{"org.opencontainers.image.ref.name": "sbom"}
	all["annotations"] = object{"org.opencontainers.image.ref.name": "all"}
	root, err := json.Marshal(object{"schemaVersion": 2, "manifests": []object{m, all}})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(l.dir, "index.json"), root, 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(l.dir, "oci-layout"), []byte(`{"imageLayoutVersion":"1.0.0"}`), 0o600))
	return l.dir, artifact, index
}

// TestE2EArtifact: an artifact goes out of every form of a layout, and oras and crane
// read the same bytes; oras finds it through its subject.
func TestE2EArtifact(t *testing.T) {
	t.Parallel()
	host, pushcheck := startDebianRegistry(t), build(t)
	images, _, manifests := manyPlatforms(t)
	subject, err := os.ReadFile(filepath.Join(images, "blobs", "sha256", manifests[0].Encoded()))
	require.NoError(t, err)
	layout, artifact, index := artifactLayout(t, manifests[0], len(subject))
	packed := filepath.Join(t.TempDir(), "layout.tar")
	command(t, "tar", "-C", layout, "-cf", packed, ".")
	zipped := packed + ".gz"
	command(t, "tar", "-C", layout, "-czf", zipped, ".")
	for name, from := range map[string]string{"folder": layout, "tar": packed, "gzip": zipped} {
		for _, era := range []string{"best", "containerd"} {
			at := host + "/" + name + "/" + era
			pushcheck.run(t, t.TempDir(), 0, "push", "--cache", "none", "--era", "best", images, at+":v1")
			for tag, want := range map[string]string{"sbom": artifact, "all": index} {
				pushcheck.run(t, t.TempDir(), 0, "push", "--cache", "none", "--era", era, from, at+":"+tag)
				assert.Equal(t, want, string(command(t, "oras", "manifest", "fetch", "--plain-http", at+":"+tag)), "%s:%s", at, tag)
				assert.Equal(t, want, strings.TrimSuffix(string(command(t, "crane", "manifest", "--insecure", at+":"+tag)), "\n"), "%s:%s", at, tag)
			}
			pulled := t.TempDir()
			blob := filepath.Join(pulled, "blob")
			command(t, "oras", "blob", "fetch", "--plain-http", "--output", blob, at+"@"+digest.FromString("what it is made of").String())
			body, err := os.ReadFile(blob)
			require.NoError(t, err)
			assert.Equal(t, "what it is made of", string(body))
			if era == "best" { // keeps the list of referrers, which this registry does not
				found := string(command(t, "oras", "discover", "--plain-http", "--format", "json", at+"@"+manifests[0].String()))
				assert.Contains(t, found, digest.FromString(artifact).String())
			}
		}
	}
}
