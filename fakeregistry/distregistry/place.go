package distregistry

import (
	"strings"

	"github.com/opencontainers/go-digest"
)

// A place is what a path of distribution's storage layout stands for.
type place struct {
	kind       placeKind
	repository string
	digest     digest.Digest
	tag        string
	upload     string
	note       string // of an upload: "startedat", "hashstates/sha256/1024"
}

type placeKind int

const (
	nowhere      placeKind = iota
	repositories           // …/repositories
	blobData               // …/blobs/<algorithm>/<2>/<hex>/data
	layerLink              // …/<name>/_layers/<algorithm>/<hex>/link
	revisionLink           // …/<name>/_manifests/revisions/<algorithm>/<hex>/link
	tagList                // …/<name>/_manifests/tags
	tagEntry               // …/<name>/_manifests/tags/<tag>
	tagCurrent             // …/<name>/_manifests/tags/<tag>/current/link
	tagHistory             // …/<name>/_manifests/tags/<tag>/index/<algorithm>/<hex>/link
	uploadEntry            // …/<name>/_uploads/<id>
	uploadData             // …/<name>/_uploads/<id>/data
	uploadNote             // …/<name>/_uploads/<id>/<anything else>
)

const (
	layoutRoot       = "/docker/registry/v2/"
	repositoriesRoot = layoutRoot + "repositories"
)

// parsePlace reads a path. Paths that distribution does not use while serving are
// nowhere.
func parsePlace(path string) place {
	rest, ok := strings.CutPrefix(path, layoutRoot)
	if !ok {
		return place{}
	}
	if rest == "repositories" {
		return place{kind: repositories}
	}
	if blob, ok := strings.CutPrefix(rest, "blobs/"); ok {
		parts := strings.Split(blob, "/")
		if len(parts) == 4 && parts[3] == "data" {
			return place{kind: blobData, digest: joinDigest(parts[0], parts[2])}
		}
		return place{}
	}
	rest, ok = strings.CutPrefix(rest, "repositories/")
	i := strings.Index(rest, "/_") // no component of a name begins so
	if !ok || i < 0 {
		return place{}
	}
	p := place{repository: rest[:i]}
	parts := strings.Split(rest[i+1:], "/")
	switch parts[0] {
	case "_layers":
		if len(parts) == 4 {
			p.kind, p.digest = layerLink, joinDigest(parts[1], parts[2])
		}
	case "_manifests":
		p.parseManifests(parts[1:])
	case "_uploads":
		p.parseUploads(parts[1:])
	}
	return p
}

func (p *place) parseManifests(parts []string) {
	switch {
	case len(parts) == 4 && parts[0] == "revisions":
		p.kind, p.digest = revisionLink, joinDigest(parts[1], parts[2])
	case len(parts) == 0 || parts[0] != "tags":
	case len(parts) == 1:
		p.kind = tagList
	case len(parts) == 2:
		p.kind, p.tag = tagEntry, parts[1]
	case parts[2] == "current":
		p.kind, p.tag = tagCurrent, parts[1]
	case parts[2] == "index":
		p.kind, p.tag = tagHistory, parts[1]
	}
}

func (p *place) parseUploads(parts []string) {
	if len(parts) == 0 {
		return
	}
	p.upload = parts[0]
	switch p.note = strings.Join(parts[1:], "/"); p.note {
	case "":
		p.kind = uploadEntry
	case "data":
		p.kind, p.note = uploadData, ""
	default:
		p.kind = uploadNote
	}
}

func joinDigest(algorithm, encoded string) digest.Digest {
	return digest.NewDigestFromEncoded(digest.Algorithm(algorithm), encoded)
}
