package wire_test

import (
	"net/url"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pushcheck/pushcheck/internal/wire"
)

const hex64 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

func TestParseRoute(t *testing.T) {
	t.Parallel()
	const d = "sha256:" + hex64
	for _, row := range []struct {
		method, target string
		want           wire.Route
	}{
		{"GET", "/v2/", wire.Route{Op: wire.OpPing}},
		{"HEAD", "/v2/", wire.Route{Op: wire.OpPing}},
		{"GET", "/v2", wire.Route{Op: wire.OpPing}},
		{"GET", "//v2/", wire.Route{Op: wire.OpPing}},
		{"POST", "/v2/", wire.Route{Op: wire.OpOther}},
		{"GET", "/token?account=alice&scope=repository%3Aa%3Apush&service=s", wire.Route{Op: wire.OpToken}},
		{"POST", "/token", wire.Route{Op: wire.OpToken}},
		{"POST", "/oauth2/token", wire.Route{Op: wire.OpToken}},
		{"GET", "/jwt/auth?service=s", wire.Route{Op: wire.OpToken}},
		{"GET", "/v2/token?service=s", wire.Route{Op: wire.OpToken}},
		{"POST", "/v2/auth", wire.Route{Op: wire.OpToken}},
		{"PUT", "/token", wire.Route{Op: wire.OpOther}},
		{"GET", "/v2/lib/token", wire.Route{Op: wire.OpOther}},
		{"GET", "/v2/lib/token/tags/list?service=s", wire.Route{Op: wire.OpTagsList, Repository: "lib/token"}},
		{"POST", "/v2/lib/app/blobs/uploads/", wire.Route{Op: wire.OpUploadStart, Repository: "lib/app"}},
		{"POST", "/v2/lib/app/blobs/uploads", wire.Route{Op: wire.OpUploadStart, Repository: "lib/app"}},
		{"POST", "/v2/lib/app/blobs/uploads/?mount=sha256%3A" + hex64 + "&from=lib%2Fbase", wire.Route{Op: wire.OpUploadMount, Repository: "lib/app", Digest: d, From: "lib/base"}},
		{"POST", "/v2/lib/app/blobs/uploads/?mount=" + d, wire.Route{Op: wire.OpUploadMount, Repository: "lib/app", Digest: d}},
		{"POST", "/v2/lib/app/blobs/uploads/?digest=" + d, wire.Route{Op: wire.OpUploadPut, Repository: "lib/app", Digest: d}},
		{"GET", "/v2/lib/app/blobs/uploads/", wire.Route{Op: wire.OpOther, Repository: "lib/app"}},
		{"PATCH", "/v2/lib/app/blobs/uploads/u-1?_state=x", wire.Route{Op: wire.OpUploadPatch, Repository: "lib/app", Session: "u-1"}},
		{"PUT", "/v2/lib/app/blobs/uploads/u-1?_state=x&digest=sha256%3A" + hex64, wire.Route{Op: wire.OpUploadPut, Repository: "lib/app", Session: "u-1", Digest: d}},
		{"GET", "/v2/lib/app/blobs/uploads/u-1", wire.Route{Op: wire.OpUploadStatus, Repository: "lib/app", Session: "u-1"}},
		{"DELETE", "/v2/lib/app/blobs/uploads/u-1", wire.Route{Op: wire.OpUploadCancel, Repository: "lib/app", Session: "u-1"}},
		{"HEAD", "/v2/lib/app/blobs/" + d, wire.Route{Op: wire.OpBlobHead, Repository: "lib/app", Digest: d}},
		{"GET", "/v2/app/blobs/" + d, wire.Route{Op: wire.OpBlobGet, Repository: "app", Digest: d}},
		{"DELETE", "/v2/app/blobs/" + d, wire.Route{Op: wire.OpBlobDelete, Repository: "app", Digest: d}},
		{"PUT", "/v2/lib/app/manifests/latest", wire.Route{Op: wire.OpManifestPut, Repository: "lib/app", Tag: "latest"}},
		{"GET", "/v2/lib/app/manifests/" + d, wire.Route{Op: wire.OpManifestGet, Repository: "lib/app", Digest: d}},
		{"HEAD", "/v2/lib/app/manifests/v1.0", wire.Route{Op: wire.OpManifestHead, Repository: "lib/app", Tag: "v1.0"}},
		{"DELETE", "/v2/lib/app/manifests/v1.0", wire.Route{Op: wire.OpManifestDelete, Repository: "lib/app", Tag: "v1.0"}},
		{"GET", "/v2/lib/app/tags/list?n=5", wire.Route{Op: wire.OpTagsList, Repository: "lib/app"}},
		{"GET", "/v2/lib/app/referrers/" + d, wire.Route{Op: wire.OpReferrers, Repository: "lib/app", Digest: d}},
		{"GET", "/v2/_catalog", wire.Route{Op: wire.OpOther}},
		{"GET", "/v2/lib/app", wire.Route{Op: wire.OpOther}},
		// Repositories whose names look like something else.
		{"GET", "/v2/a/blobs/uploads/manifests/latest", wire.Route{Op: wire.OpManifestGet, Repository: "a/blobs/uploads", Tag: "latest"}},
		{"POST", "/v2/a/blobs/uploads/b/blobs/uploads/", wire.Route{Op: wire.OpUploadStart, Repository: "a/blobs/uploads/b"}},
		{"GET", "/v2/manifests/tags/list", wire.Route{Op: wire.OpTagsList, Repository: "manifests"}},
		{"PUT", "/v2/blobs/blobs/uploads/x", wire.Route{Op: wire.OpUploadPut, Repository: "blobs", Session: "x"}},

		{"GET", "/v1/_ping", wire.Route{Op: wire.OpV1Ping}},
		{"GET", "/_ping", wire.Route{Op: wire.OpV1Ping}},
		{"PUT", "/v1/repositories/lib/app/", wire.Route{Op: wire.OpV1RepoPut, Repository: "lib/app"}},
		{"PUT", "/v1/repositories/app", wire.Route{Op: wire.OpV1RepoPut, Repository: "app"}},
		{"PUT", "/v1/repositories/lib/app/images", wire.Route{Op: wire.OpV1ImagesPut, Repository: "lib/app"}},
		{"GET", "/v1/repositories/lib/app/images", wire.Route{Op: wire.OpOther, Repository: "lib/app"}},
		{"PUT", "/v1/repositories/lib/app/tags/latest", wire.Route{Op: wire.OpV1TagPut, Repository: "lib/app", Tag: "latest"}},
		{"PUT", "/v1/repositories/lib/images/", wire.Route{Op: wire.OpV1RepoPut, Repository: "lib/images"}},
		{"PUT", "/v1/repositories/", wire.Route{Op: wire.OpOther}},
		{"GET", "/v1/images/" + hex64 + "/json", wire.Route{Op: wire.OpV1JSONGet, ImageID: hex64}},
		{"PUT", "/v1/images/" + hex64 + "/json", wire.Route{Op: wire.OpV1JSONPut, ImageID: hex64}},
		{"PUT", "/v1/images/" + hex64 + "/layer", wire.Route{Op: wire.OpV1LayerPut, ImageID: hex64}},
		{"PUT", "/v1/images/" + hex64 + "/checksum", wire.Route{Op: wire.OpV1ChecksumPut, ImageID: hex64}},
		{"GET", "/v1/images/" + hex64 + "/ancestry", wire.Route{Op: wire.OpOther, ImageID: hex64}},
		{"GET", "/", wire.Route{Op: wire.OpOther}},
	} {
		u, err := url.ParseRequestURI(row.target)
		if row.target == "//v2/" {
			u, err = &url.URL{Path: "//v2/"}, nil
		}
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(row.want, wire.ParseRoute(row.method, u)); diff != "" {
			t.Errorf("%s %s (-want +got):\n%s", row.method, row.target, diff)
		}
	}
}

func TestPatterns(t *testing.T) {
	t.Parallel()
	answered := func(op wire.Op, status int) wire.Exchange {
		return wire.Exchange{Route: wire.Route{Op: op}, Response: wire.Response{Status: status}}
	}
	failed := func(op wire.Op, f wire.Failure) wire.Exchange {
		return wire.Exchange{Route: wire.Route{Op: op}, Failure: f}
	}
	for _, row := range []struct {
		pattern string
		e       wire.Exchange
		want    bool
	}{
		{"any", answered(wire.OpOther, 200), true},
		{"any", answered(wire.OpEvent, 0), false},
		{"event", answered(wire.OpEvent, 0), true},
		{"upload.*", answered(wire.OpUploadPatch, 202), true},
		{"upload.*", answered(wire.OpBlobHead, 202), false},
		{"v1.*", answered(wire.OpV1LayerPut, 200), true},
		{"any@401", answered(wire.OpPing, 401), true},
		{"any@4xx", answered(wire.OpPing, 403), true},
		{"any@4xx", answered(wire.OpPing, 500), false},
		{"ping@reset", failed(wire.OpPing, wire.FailureReset), true},
		{"ping@reset", failed(wire.OpPing, wire.FailureClosed), false},
		{"ping@4xx", failed(wire.OpPing, wire.FailureReset), false},
		{"blob.head", answered(wire.OpBlobGet, 200), false},
	} {
		p, err := wire.ParsePattern(row.pattern)
		if err != nil {
			t.Fatal(err)
		}
		if p.String() != row.pattern {
			t.Errorf("ParsePattern(%s).String() is %s", row.pattern, p)
		}
		if got := p.Match(row.e); got != row.want {
			t.Errorf("%s matches %s %s: %v, want %v", row.pattern, row.e.Route.Op, row.e.Answer(), got, row.want)
		}
	}
	for _, bad := range []string{"", "upload.strat", "upload.[", "ping@", "ping@600", "ping@4x", "ping@wet", "@401"} {
		if p, err := wire.ParsePattern(bad); err == nil {
			t.Errorf("ParsePattern(%q) is %v, want an error", bad, p)
		}
	}
}

func FuzzRoute(f *testing.F) {
	for _, seed := range [][2]string{{"GET", "/v2/a/tags/list"}, {"PUT", "/v1/repositories/a/tags/b"}, {"GET", "/token?scope=a"}, {"PATCH", "/v2/a/blobs/uploads/u"}} {
		f.Add(seed[0], seed[1])
	}
	known := map[wire.Op]bool{wire.OpOther: true}
	for _, op := range wire.Ops() {
		known[op] = true
	}
	f.Fuzz(func(t *testing.T, method, target string) {
		u, err := url.ParseRequestURI(target)
		if err != nil {
			return // net/http hands no handler a request like that
		}
		r := wire.ParseRoute(method, u)
		if !known[r.Op] {
			t.Errorf("%s %s is %q, which is no operation", method, target, r.Op)
		}
		if other := wire.ParseRoute(method, &url.URL{Path: u.Path, RawQuery: u.RawQuery}); other != r {
			t.Errorf("%s %s depends on more than path and query: %+v, %+v", method, target, r, other)
		}
	})
}
