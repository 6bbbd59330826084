package wire

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/opencontainers/go-digest"
)

// ParseRoute says what a request is. u needs only its path and query. A request
// that belongs to neither protocol has OpOther; a GET or POST outside /v1/ and
// /v2/ that carries a scope or service parameter, or whose path ends in /token,
// is OpToken.
//
// The paths are those of the OCI distribution-spec 1.1 ("Endpoints") and of the
// V1 protocol (rules P-423 to P-430).
func ParseRoute(method string, u *url.URL) Route {
	p := u.Path
	switch {
	case p == "/v2/" || p == "/v2":
		return Route{Op: onMethod(method, map[string]Op{http.MethodGet: OpPing, http.MethodHead: OpPing})}
	case strings.HasPrefix(p, "/v2/") && p != "/v2/token":
		return parseV2(method, strings.TrimPrefix(p, "/v2/"), u.Query())
	case strings.HasPrefix(p, "/v1/") || p == "/_ping":
		return parseV1(method, strings.TrimPrefix(p, "/v1/"))
	}
	if strings.HasPrefix(p, "//v2/") { // a mirror's ping in docker 1.8 (P-063)
		return ParseRoute(method, &url.URL{Path: p[1:], RawQuery: u.RawQuery})
	}
	if method == http.MethodGet || method == http.MethodPost {
		q := u.Query()
		if q.Has("scope") || q.Has("service") || strings.HasSuffix(p, "/token") {
			return Route{Op: OpToken}
		}
	}
	return Route{Op: OpOther}
}

func onMethod(method string, ops map[string]Op) Op {
	if op, ok := ops[method]; ok {
		return op
	}
	return OpOther
}

func parseV2(method, rest string, q url.Values) Route {
	if name, tail, ok := cutLast(rest, "/blobs/uploads"); ok && (tail == "" || strings.HasPrefix(tail, "/")) {
		return parseUpload(method, name, strings.TrimPrefix(tail, "/"), q)
	}
	if name, tail, ok := cutLast(rest, "/blobs/"); ok && tail != "" && !strings.Contains(tail, "/") {
		op := onMethod(method, map[string]Op{http.MethodHead: OpBlobHead, http.MethodGet: OpBlobGet, http.MethodDelete: OpBlobDelete})
		return Route{Op: op, Repository: name, Digest: digest.Digest(tail)}
	}
	if name, tail, ok := cutLast(rest, "/manifests/"); ok && tail != "" && !strings.Contains(tail, "/") {
		op := onMethod(method, map[string]Op{
			http.MethodHead: OpManifestHead, http.MethodGet: OpManifestGet,
			http.MethodPut: OpManifestPut, http.MethodDelete: OpManifestDelete,
		})
		r := Route{Op: op, Repository: name}
		if strings.Contains(tail, ":") {
			r.Digest = digest.Digest(tail)
		} else {
			r.Tag = tail
		}
		return r
	}
	if name, ok := strings.CutSuffix(rest, "/tags/list"); ok && name != "" {
		return Route{Op: onMethod(method, map[string]Op{http.MethodGet: OpTagsList}), Repository: name}
	}
	if name, tail, ok := cutLast(rest, "/referrers/"); ok && tail != "" {
		return Route{Op: onMethod(method, map[string]Op{http.MethodGet: OpReferrers}), Repository: name, Digest: digest.Digest(tail)}
	}
	return Route{Op: OpOther}
}

func parseUpload(method, name, session string, q url.Values) Route {
	r := Route{Repository: name, Session: session}
	if session == "" {
		if method != http.MethodPost {
			r.Op = OpOther
			return r
		}
		switch {
		case q.Get("mount") != "":
			r.Op, r.Digest, r.From = OpUploadMount, digest.Digest(q.Get("mount")), q.Get("from")
		case q.Get("digest") != "":
			r.Op, r.Digest = OpUploadPut, digest.Digest(q.Get("digest"))
		default:
			r.Op = OpUploadStart
		}
		return r
	}
	r.Op = onMethod(method, map[string]Op{
		http.MethodPatch: OpUploadPatch, http.MethodPut: OpUploadPut,
		http.MethodGet: OpUploadStatus, http.MethodHead: OpUploadStatus, http.MethodDelete: OpUploadCancel,
	})
	if r.Op == OpUploadPut {
		r.Digest = digest.Digest(q.Get("digest"))
	}
	return r
}

func parseV1(method, rest string) Route {
	if rest == "_ping" || rest == "/_ping" {
		return Route{Op: onMethod(method, map[string]Op{http.MethodGet: OpV1Ping, http.MethodHead: OpV1Ping})}
	}
	if tail, ok := strings.CutPrefix(rest, "images/"); ok {
		id, what, _ := strings.Cut(tail, "/")
		return Route{Op: onMethod(method+" "+what, map[string]Op{
			"GET json": OpV1JSONGet, "PUT json": OpV1JSONPut, "PUT layer": OpV1LayerPut, "PUT checksum": OpV1ChecksumPut,
		}), ImageID: id}
	}
	tail, ok := strings.CutPrefix(rest, "repositories/")
	if !ok {
		return Route{Op: OpOther}
	}
	if name, tag, ok := cutLast(tail, "/tags/"); ok && tag != "" {
		return Route{Op: onMethod(method, map[string]Op{http.MethodPut: OpV1TagPut}), Repository: name, Tag: tag}
	}
	if name, ok := strings.CutSuffix(tail, "/images"); ok && name != "" {
		return Route{Op: onMethod(method, map[string]Op{http.MethodPut: OpV1ImagesPut}), Repository: name}
	}
	return Route{Op: onMethod(method, map[string]Op{http.MethodPut: OpV1RepoPut}), Repository: strings.TrimSuffix(tail, "/")}
}

// cutLast cuts s around the last sep, with a non-empty part before it.
func cutLast(s, sep string) (before, after string, ok bool) {
	i := strings.LastIndex(s, sep)
	if i <= 0 {
		return "", "", false
	}
	return s[:i], s[i+len(sep):], true
}
