package wire

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/opencontainers/go-digest"
)

// ParseRoute says what a request is. u needs only its path and query. A request
// that belongs to neither protocol has OpOther, with what could be told of its
// repository; a GET or POST outside both that carries a scope or service
// parameter, or whose path ends in /token or /auth, is OpToken.
//
// The paths are those of the OCI distribution-spec 1.1 ("Endpoints") and of the
// V1 protocol (rules P-423 to P-430, P-441 to P-448).
func ParseRoute(method string, u *url.URL) Route {
	p := u.Path
	if strings.HasPrefix(p, "//v2/") { // the ping of a mirror in docker 1.8 and 1.9 (P-063)
		p = p[1:]
	}
	r := Route{Op: OpOther}
	switch {
	case p == "/v2/" || p == "/v2":
		r = parsePing(method, OpPing)
	case strings.HasPrefix(p, "/v2/"):
		r = parseV2(method, p[len("/v2/"):], u)
	case p == "/v1/_ping" || p == "/_ping":
		r = parsePing(method, OpV1Ping)
	case strings.HasPrefix(p, "/v1/"):
		r = parseV1(method, p[len("/v1/"):])
	default:
		r = parseElsewhere(method, p, u)
	}
	if r.Op == OpOther && isToken(method, p, u) {
		return Route{Op: OpToken}
	}
	return r
}

// parseElsewhere knows an upload session or a blob whose registry keeps it below a
// path of its own: "/uploads/v2/lib/app/blobs/uploads/1" (OCI distribution-spec,
// "POST then PUT": where a session is only its Location says).
func parseElsewhere(method, path string, u *url.URL) Route {
	_, rest, ok := strings.Cut(path, "/v2/")
	if !ok {
		return Route{Op: OpOther}
	}
	r := parseV2(method, rest, u)
	if r.Session == "" && r.Op != OpBlobGet && r.Op != OpBlobHead {
		return Route{Op: OpOther}
	}
	return r
}

func parsePing(method string, op Op) Route {
	if method == http.MethodGet || method == http.MethodHead {
		return Route{Op: op}
	}
	return Route{Op: OpOther}
}

// isToken knows the usual places of token services. One behind /v2/ or /v1/ must
// stand right there or show its parameters, for a repository may be called token.
func isToken(method, path string, u *url.URL) bool {
	if method != http.MethodGet && method != http.MethodPost {
		return false
	}
	if u.RawQuery != "" {
		if q := u.Query(); q.Has("scope") || q.Has("service") {
			return true
		}
	}
	dir, last := cutLast(path)
	if last != "token" && last != "auth" {
		return false
	}
	return !strings.HasPrefix(dir, "/v2/") && !strings.HasPrefix(dir, "/v1/")
}

// parseV2 reads what follows /v2/ from its end, since a repository may be called
// anything: the last two or three parts say what it is.
func parseV2(method, path string, u *url.URL) Route {
	if strings.HasSuffix(path, "/blobs/uploads/") {
		path = path[:len(path)-1]
	}
	rest, last := cutLast(path)
	name, kind := cutLast(rest)
	if name == "" || last == "" {
		return Route{Op: OpOther}
	}
	r := Route{Op: OpOther, Repository: name}
	switch kind {
	case "blobs":
		if last == "uploads" {
			return startRoute(r, method, u)
		}
		r.Op, r.Digest = blobOp(method), digest.Digest(last)
		return r
	case "manifests":
		r.Op = manifestOp(method)
		if strings.Contains(last, ":") {
			r.Digest = digest.Digest(last)
		} else {
			r.Tag = last
		}
		return r
	case "tags":
		if last == "list" {
			if method == http.MethodGet {
				r.Op = OpTagsList
			}
			return r
		}
	case "referrers":
		r.Digest = digest.Digest(last)
		if method == http.MethodGet {
			r.Op = OpReferrers
		}
		return r
	case "uploads":
		if name, blobs := cutLast(name); blobs == "blobs" && name != "" {
			return sessionRoute(Route{Op: sessionOp(method), Repository: name, Session: last}, u)
		}
	}
	return Route{Op: OpOther}
}

func sessionRoute(r Route, u *url.URL) Route {
	if r.Op == OpUploadPut {
		r.Digest = digest.Digest(u.Query().Get("digest"))
	}
	return r
}

// startRoute tells the three uses of POST …/blobs/uploads/ apart (end-4a, end-4b, end-11).
func startRoute(r Route, method string, u *url.URL) Route {
	if method != http.MethodPost {
		return r
	}
	r.Op = OpUploadStart
	if u.RawQuery == "" {
		return r
	}
	q := u.Query()
	switch {
	case q.Get("mount") != "":
		r.Op, r.Digest, r.From = OpUploadMount, digest.Digest(q.Get("mount")), q.Get("from")
	case q.Get("digest") != "":
		r.Op, r.Digest = OpUploadPut, digest.Digest(q.Get("digest"))
	}
	return r
}

func blobOp(method string) Op {
	switch method {
	case http.MethodHead:
		return OpBlobHead
	case http.MethodGet:
		return OpBlobGet
	case http.MethodDelete:
		return OpBlobDelete
	}
	return OpOther
}

func manifestOp(method string) Op {
	switch method {
	case http.MethodHead:
		return OpManifestHead
	case http.MethodGet:
		return OpManifestGet
	case http.MethodPut:
		return OpManifestPut
	case http.MethodDelete:
		return OpManifestDelete
	}
	return OpOther
}

func sessionOp(method string) Op {
	switch method {
	case http.MethodPatch:
		return OpUploadPatch
	case http.MethodPut:
		return OpUploadPut
	case http.MethodGet, http.MethodHead:
		return OpUploadStatus
	case http.MethodDelete:
		return OpUploadCancel
	}
	return OpOther
}

// parseV1 reads what follows /v1/.
func parseV1(method, path string) Route {
	if tail, ok := strings.CutPrefix(path, "images/"); ok {
		id, what, _ := strings.Cut(tail, "/")
		return Route{Op: imageOp(method, what), ImageID: id}
	}
	name, ok := strings.CutPrefix(path, "repositories/")
	if !ok {
		return Route{Op: OpOther}
	}
	rest, last := cutLast(name)
	repository, kind := cutLast(rest)
	switch {
	case kind == "tags" && repository != "" && last != "":
		return Route{Op: onPut(method, OpV1TagPut), Repository: repository, Tag: last}
	case last == "images" && rest != "":
		return Route{Op: onPut(method, OpV1ImagesPut), Repository: rest}
	}
	name = strings.TrimSuffix(name, "/")
	if name == "" {
		return Route{Op: OpOther}
	}
	return Route{Op: onPut(method, OpV1RepoPut), Repository: name}
}

func onPut(method string, op Op) Op {
	if method == http.MethodPut {
		return op
	}
	return OpOther
}

func imageOp(method, what string) Op {
	switch {
	case method == http.MethodGet && what == "json":
		return OpV1JSONGet
	case method == http.MethodPut && what == "json":
		return OpV1JSONPut
	case method == http.MethodPut && what == "layer":
		return OpV1LayerPut
	case method == http.MethodPut && what == "checksum":
		return OpV1ChecksumPut
	}
	return OpOther
}

// cutLast cuts the last part off a path: "a/b/c" → "a/b", "c".
func cutLast(path string) (rest, last string) {
	i := strings.LastIndexByte(path, '/')
	if i < 0 {
		return "", path
	}
	return path[:i], path[i+1:]
}
