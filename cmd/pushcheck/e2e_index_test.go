//go:build e2e

package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pushcheck/pushcheck/internal/tartest"
)

// A layoutDir is an OCI layout that a test writes.
type layoutDir struct {
	t   *testing.T
	dir string
}

type object = map[string]any

func (l layoutDir) blob(mediaType string, data []byte) object {
	l.t.Helper()
	d := digest.FromBytes(data)
	dir := filepath.Join(l.dir, "blobs", "sha256")
	require.NoError(l.t, os.MkdirAll(dir, 0o700))
	require.NoError(l.t, os.WriteFile(filepath.Join(dir, d.Encoded()), data, 0o600))
	return object{"mediaType": mediaType, "digest": d, "size": len(data)}
}

func (l layoutDir) json(mediaType string, v any) object {
	l.t.Helper()
	data, err := json.Marshal(v)
	require.NoError(l.t, err)
	return l.blob(mediaType, data)
}

// layer is a layer of one file, and its diff ID.
func (l layoutDir) layer(content string) (object, digest.Digest) {
	l.t.Helper()
	plain := tartest.Files(l.t, "file", content)
	return l.blob("application/vnd.oci.image.layer.v1.tar+gzip", tartest.Gzip(l.t, plain)), digest.FromBytes(plain)
}

const (
	ociManifestType = "application/vnd.oci.image.manifest.v1+json"
	ociIndexType    = "application/vnd.oci.image.index.v1+json"
	ociConfigType   = "application/vnd.oci.image.config.v1+json"
)

// manyPlatforms is a layout with an index of two images that share a layer, and of an
// attestation, all with annotations. It returns the digest of the index, and those of
// the manifests in it.
func manyPlatforms(t *testing.T) (dir string, index digest.Digest, manifests []digest.Digest) {
	t.Helper()
	l := layoutDir{t, t.TempDir()}
	var list []object
	for _, architecture := range []string{"amd64", "arm64"} {
		base, baseID := l.layer("shared")
		top, topID := l.layer(architecture)
		config := l.json(ociConfigType, object{
			"architecture": architecture, "os": "linux", "config": object{},
			"rootfs": object{"type": "layers", "diff_ids": []digest.Digest{baseID, topID}},
		})
		m := l.json(ociManifestType, object{
			"schemaVersion": 2, "mediaType": ociManifestType, "config": config, "layers": []object{base, top}, "annotations": object{"a": architecture},
		})
		m["platform"], m["annotations"] = object{"os": "linux", "architecture": architecture}, object{"b": architecture}
		list = append(list, m)
	}
	statement := l.blob("application/vnd.in-toto+json", []byte(`{"_type":"https://in-toto.io/Statement/v0.1"}`))
	config := l.json(ociConfigType, object{"architecture": "unknown", "os": "unknown", "rootfs": object{"type": "layers", "diff_ids": []any{statement["digest"]}}})
	m := l.json(ociManifestType, object{"schemaVersion": 2, "mediaType": ociManifestType, "config": config, "layers": []object{statement}})
	m["platform"] = object{"os": "unknown", "architecture": "unknown"}
	m["annotations"] = object{"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": list[0]["digest"]}
	list = append(list, m)
	top := l.json(ociIndexType, object{"schemaVersion": 2, "mediaType": ociIndexType, "manifests": list, "annotations": object{"c": "index"}})
	for _, one := range list {
		manifests = append(manifests, one["digest"].(digest.Digest))
	}
	index = top["digest"].(digest.Digest)
	top["annotations"] = object{"org.opencontainers.image.ref.name": "v1", "io.containerd.image.name": "docker.io/lib/many:v1"}
	root, err := json.Marshal(object{"schemaVersion": 2, "mediaType": ociIndexType, "manifests": []object{top}})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(l.dir, "index.json"), root, 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(l.dir, "oci-layout"), []byte(`{"imageLayoutVersion":"1.0.0"}`), 0o600))
	return l.dir, index, manifests
}

// held is the digest that a reference has in a registry; "" when it is not there.
func held(t *testing.T, host, repository, reference string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodHead, "http://"+host+"/v2/"+repository+"/manifests/"+reference, nil)
	require.NoError(t, err)
	req.Header["Accept"] = []string{ociManifestType, ociIndexType, "application/vnd.docker.distribution.manifest.v2+json"}
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return ""
	}
	return resp.Header.Get("Docker-Content-Digest")
}

// TestE2EIndex: an index in Debian's registry is the same, byte for byte, whether our
// eras or skopeo and crane pushed it; and one platform of it is the one that was asked
// for.
func TestE2EIndex(t *testing.T) {
	t.Parallel()
	host, pushcheck := startDebianRegistry(t), build(t)
	layout, index, manifests := manyPlatforms(t)
	archive := filepath.Join(t.TempDir(), "layout.tar")
	command(t, "tar", "-C", layout, "-cf", archive, ".")
	push := func(name string, args ...string) {
		t.Helper()
		pushcheck.run(t, t.TempDir(), 0, append([]string{"push", "--cache", "none"}, append(args, host+"/"+name+":v1")...)...)
	}
	push("best", "--era", "best", layout)
	push("archive", "--era", "best", archive)
	push("containerd", "--era", "containerd", layout)
	skopeo(t, "copy", "--insecure-policy", "--all", "--dest-tls-verify=false", "oci:"+layout+":v1", "docker://"+host+"/skopeo:v1")
	command(t, "crane", "push", "--insecure", "--index", layout, host+"/crane:v1") // puts index.json before it, as one more
	for _, name := range []string{"best", "archive", "containerd", "skopeo", "crane"} {
		assert.Equal(t, index.String(), held(t, host, name, index.String()), name)
		for _, d := range manifests {
			assert.Equal(t, d.String(), held(t, host, name, d.String()), name)
		}
		if name != "crane" {
			assert.Equal(t, index.String(), held(t, host, name, "v1"), name)
		}
	}

	push("one", "--era", "best", "--platform", "linux/arm64", layout)
	push("one-c8d", "--era", "containerd", "--platform", "linux/arm64/v8", layout)
	push("one-28", "--era", "docker-28", "--platform", "linux/arm64", layout)
	for name, want := range map[string]string{"one": manifests[1].String(), "one-c8d": manifests[1].String()} {
		assert.Equal(t, want, held(t, host, name, "v1"), name)
		assert.Empty(t, held(t, host, name, manifests[0].String()), name)
	}
	var config struct{ Architecture string }
	require.NoError(t, json.Unmarshal(skopeo(t, "inspect", "--config", "--override-arch", "arm64", "--tls-verify=false", "docker://"+host+"/one-28:v1"), &config))
	assert.Equal(t, "arm64", config.Architecture)
}

// TestE2EDockerPlatform: docker push, of an index that docker loaded: all of it, and
// with --platform one image of it.
func TestE2EDockerPlatform(t *testing.T) {
	t.Parallel()
	host := startDebianRegistry(t)
	d := build(t).startEngine(t, "--era", "containerd")
	layout, index, manifests := manyPlatforms(t)
	archive := filepath.Join(t.TempDir(), "layout.tar")
	command(t, "tar", "-C", layout, "-cf", archive, ".")
	d.run(t, 0, "load", "-i", archive)
	d.run(t, 0, "tag", "lib/many:v1", host+"/lib/many:v1")
	out := d.run(t, 0, "push", host+"/lib/many:v1")
	assert.Contains(t, out, "v1: digest: "+index.String())
	assert.Equal(t, index.String(), held(t, host, "lib/many", "v1"))

	if !strings.Contains(d.run(t, 0, "push", "--help"), "--platform") { // of before 28
		d.run(t, 0, "tag", "lib/many:v1", host+"/lib/one:v1")
		query := url.Values{"tag": {"v1"}, "platform": {`{"os":"linux","architecture":"arm64"}`}}
		resp, err := http.Post("http://"+strings.TrimPrefix(d.host, "tcp://")+"/v1.46/images/"+host+"/lib/one/push?"+query.Encode(), "", nil)
		require.NoError(t, err)
		var said bytes.Buffer
		_, err = said.ReadFrom(resp.Body)
		require.NoError(t, err)
		resp.Body.Close()
		assert.Contains(t, said.String(), "v1: digest: "+manifests[1].String())
		return
	}
	d.run(t, 0, "tag", "lib/many:v1", host+"/lib/one:v1")
	out = d.run(t, 0, "push", "--platform", "linux/arm64", host+"/lib/one:v1")
	assert.Contains(t, out, "v1: digest: "+manifests[1].String())
	assert.Equal(t, manifests[1].String(), held(t, host, "lib/one", "v1"))
	out = d.run(t, 1, "push", "--platform", "linux/s390x", host+"/lib/one:v1")
	assert.Contains(t, out, "was found but does not provide the specified platform (linux/s390x)")
}
