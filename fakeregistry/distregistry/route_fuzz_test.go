package distregistry_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	v2 "github.com/distribution/distribution/v3/registry/api/v2"
	"github.com/gorilla/mux"
	godigest "github.com/opencontainers/go-digest"

	"github.com/pushcheck/pushcheck/internal/wire"
)

// FuzzRoute holds that what distribution's router accepts, wire.ParseRoute reads
// in the same way: the same kind of place, repository, digest, tag and session.
func FuzzRoute(f *testing.F) {
	const digest = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	for _, path := range []string{
		"/v2/", "/v2/lib/app/tags/list", "/v2/lib/app/manifests/latest", "/v2/lib/app/manifests/" + digest,
		"/v2/lib/app/blobs/" + digest, "/v2/lib/app/blobs/uploads/", "/v2/lib/app/blobs/uploads/6f1c.x_=",
		"/v2/a/blobs/uploads/manifests/x", "/v2/blobs/blobs/uploads/", "/v2/manifests/tags/list", "/v2/a/blobs/uploads/b/blobs/uploads/c",
		"/v2/a%2Fb/tags/list", "/v2/_catalog", "/v2/tags/list/tags/list", "/v2/host:5000/app/tags/list", "/v2/a/referrers/b/manifests/c",
	} {
		for _, method := range []string{"GET", "HEAD", "PUT", "POST", "PATCH", "DELETE"} {
			f.Add(method, path)
		}
	}
	router := v2.RouterWithPrefix("")
	f.Fuzz(func(t *testing.T, method, path string) {
		u, err := url.ParseRequestURI(path)
		if err != nil || u.Host != "" {
			return // net/http hands no handler a request like that
		}
		var match mux.RouteMatch
		if !router.Match(&http.Request{Method: method, URL: u}, &match) || match.MatchErr != nil || match.Route == nil {
			return
		}
		name := match.Route.GetName()
		if name == "" || name == v2.RouteNameCatalog {
			return
		}
		// The router also takes a slash too many or too few, to redirect it.
		if template, err := match.Route.GetPathTemplate(); err == nil && strings.HasSuffix(template, "/") != strings.HasSuffix(u.Path, "/") {
			return
		}
		want, ok := expected(name, method, match.Vars, u.Query())
		if !ok {
			return
		}
		if got := wire.ParseRoute(method, u); got != want {
			t.Errorf("%s %s: distribution reads %s %v, wire %+v, want %+v", method, path, name, match.Vars, got, want)
		}
	})
}

// expected is the route of what distribution's handlers for a name do with a
// method; ok is false for methods that they refuse.
func expected(name, method string, vars map[string]string, q url.Values) (r wire.Route, ok bool) {
	ops := map[string]map[string]wire.Op{
		v2.RouteNameBase: {"GET": wire.OpPing},
		v2.RouteNameTags: {"GET": wire.OpTagsList},
		v2.RouteNameManifest: {
			"GET": wire.OpManifestGet, "HEAD": wire.OpManifestHead, "PUT": wire.OpManifestPut, "DELETE": wire.OpManifestDelete,
		},
		v2.RouteNameBlob:       {"GET": wire.OpBlobGet, "HEAD": wire.OpBlobHead, "DELETE": wire.OpBlobDelete},
		v2.RouteNameBlobUpload: {"POST": wire.OpUploadStart},
		v2.RouteNameBlobUploadChunk: {
			"GET": wire.OpUploadStatus, "HEAD": wire.OpUploadStatus, "PATCH": wire.OpUploadPatch, "PUT": wire.OpUploadPut, "DELETE": wire.OpUploadCancel,
		},
	}
	op, ok := ops[name][method]
	r = wire.Route{Op: op, Repository: vars["name"], Session: vars["uuid"]}
	digest := vars["digest"]
	switch reference := vars["reference"]; {
	case strings.Contains(reference, ":"):
		digest = reference
	default:
		r.Tag = reference
	}
	switch op {
	case wire.OpUploadStart:
		if mount := q.Get("mount"); mount != "" {
			r.Op, r.From, digest = wire.OpUploadMount, q.Get("from"), mount
		} else if d := q.Get("digest"); d != "" {
			r.Op, digest = wire.OpUploadPut, d
		}
	case wire.OpUploadPut:
		digest = q.Get("digest")
	}
	r.Digest = godigest.Digest(digest)
	return r, ok
}
