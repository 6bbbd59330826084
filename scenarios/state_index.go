package scenarios

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// parts reads what an index names, and all that hangs on it.
func (i inspector) parts(ctx context.Context, repo string, t *tagState, body []byte) {
	var doc v1.Index
	if err := json.Unmarshal(body, &doc); err != nil {
		t.broken = "its index is not JSON"
		return
	}
	for n, d := range doc.Manifests {
		part := i.tag(ctx, repo, d.Digest.String(), true)
		part.statement = d.Annotations["vnd.docker.reference.type"] != ""
		name := fmt.Sprintf("manifest %d of its index (%s)", n+1, short(d.Digest.String()))
		switch {
		case t.broken != "":
		case !part.found:
			t.broken = name + " is missing"
		case part.broken != "":
			t.broken = name + ": " + part.broken
		case part.digest != d.Digest:
			t.broken = name + " has other bytes"
		}
		t.parts = append(t.parts, part)
	}
}

// referrers counts who refers to a manifest, by the registry's own list or by the
// one that clients keep under a tag.
func (i inspector) referrers(ctx context.Context, repo string, subject digest.Digest) int {
	for _, path := range []string{"/referrers/" + subject.String(), "/manifests/" + fallbackTag(subject)} {
		var body bytes.Buffer
		if w := i.ask(ctx, http.MethodGet, "/v2/"+repo+path, &body); w.status != http.StatusOK || body.Len() > maxManifest {
			continue
		}
		var list v1.Index
		if json.Unmarshal(body.Bytes(), &list) == nil && list.MediaType == v1.MediaTypeImageIndex {
			return len(list.Manifests)
		}
	}
	return 0
}

// indexIs says why a list or an index is not the one that was to be pushed; "" when
// it is. Which image of it has the layers that the scenario speaks of is all one.
func indexIs(t tagState, c *contents) string {
	if c.index != "" && t.digest != c.index {
		return fmt.Sprintf("it is index %s, not %s", short(string(t.digest)), short(string(c.index)))
	}
	why := "it names no image"
	for _, part := range t.parts {
		if part.statement {
			continue
		}
		if why = isImage(part, c, ""); why == "" {
			return ""
		}
	}
	return "none of its images is the one: " + why
}
