package wire

import (
	"fmt"
	"path"
	"strings"
)

// An Op is one operation of the registry protocols, by the name that faults,
// expectations, coverage and reports share.
type Op string

// The operations of the V2 protocol (OCI distribution-spec 1.1, "Endpoints"),
// of the V1 protocol, and of the layers below HTTP.
const (
	OpPing           Op = "ping"            // GET /v2/
	OpToken          Op = "token"           // GET or POST to a token service
	OpUploadStart    Op = "upload.start"    // POST …/blobs/uploads/
	OpUploadMount    Op = "upload.mount"    // POST …/blobs/uploads/?mount=
	OpUploadPatch    Op = "upload.patch"    // PATCH of a session
	OpUploadPut      Op = "upload.put"      // PUT of a session, or POST ?digest=
	OpUploadStatus   Op = "upload.status"   // GET of a session
	OpUploadCancel   Op = "upload.cancel"   // DELETE of a session
	OpBlobHead       Op = "blob.head"       // HEAD …/blobs/<digest>
	OpBlobGet        Op = "blob.get"        // GET …/blobs/<digest>
	OpBlobDelete     Op = "blob.delete"     // DELETE …/blobs/<digest>
	OpManifestHead   Op = "manifest.head"   // HEAD …/manifests/<reference>
	OpManifestGet    Op = "manifest.get"    // GET …/manifests/<reference>
	OpManifestPut    Op = "manifest.put"    // PUT …/manifests/<reference>
	OpManifestDelete Op = "manifest.delete" // DELETE …/manifests/<reference>
	OpTagsList       Op = "tags.list"       // GET …/tags/list
	OpReferrers      Op = "referrers"       // GET …/referrers/<digest>

	OpV1Ping        Op = "v1.ping"         // GET /v1/_ping
	OpV1RepoPut     Op = "v1.repo.put"     // PUT /v1/repositories/<name>/
	OpV1JSONGet     Op = "v1.json.get"     // GET /v1/images/<id>/json
	OpV1JSONPut     Op = "v1.json.put"     // PUT /v1/images/<id>/json
	OpV1LayerPut    Op = "v1.layer.put"    // PUT /v1/images/<id>/layer
	OpV1ChecksumPut Op = "v1.checksum.put" // PUT /v1/images/<id>/checksum
	OpV1TagPut      Op = "v1.tag.put"      // PUT /v1/repositories/<name>/tags/<tag>
	OpV1ImagesPut   Op = "v1.images.put"   // PUT /v1/repositories/<name>/images

	OpDNS     Op = "dns"     // a name is looked up
	OpConnect Op = "connect" // a connection is opened
	OpTLS     Op = "tls"     // a TLS handshake

	OpEvent Op = "event" // not a request: something the bench did
	OpOther Op = "other" // a request outside both protocols
)

// Ops lists every operation that a scenario may name, in the order of the
// documentation. OpOther is not among them.
func Ops() []Op {
	return []Op{
		OpPing, OpToken, OpUploadStart, OpUploadMount, OpUploadPatch, OpUploadPut, OpUploadStatus, OpUploadCancel,
		OpBlobHead, OpBlobGet, OpBlobDelete, OpManifestHead, OpManifestGet, OpManifestPut, OpManifestDelete,
		OpTagsList, OpReferrers,
		OpV1Ping, OpV1RepoPut, OpV1JSONGet, OpV1JSONPut, OpV1LayerPut, OpV1ChecksumPut, OpV1TagPut, OpV1ImagesPut,
		OpDNS, OpConnect, OpTLS, OpEvent,
	}
}

// A Pattern selects exchanges by operation and, optionally, by what was
// answered: "upload.*", "any", "any@401", "upload.patch@5xx", "blob.head@reset".
// The zero Pattern matches nothing.
type Pattern struct {
	Op     string // an operation or a glob over operations; "any" is every request
	Answer string // a status, a class ("2xx"), a Failure's name, or "" for any answer
}

// ParsePattern reads a pattern. It returns an error that names the unknown
// operation when the operation part matches no member of Ops.
func ParsePattern(s string) (Pattern, error) {
	op, answer, found := strings.Cut(s, "@")
	p := Pattern{Op: op, Answer: answer}
	if found && !validAnswer(answer) {
		return Pattern{}, fmt.Errorf("%q is not an answer; want a status, a class such as 4xx, or one of %s", answer, strings.Join(FailureNames(), ", "))
	}
	if op == "any" {
		return p, nil
	}
	for _, o := range Ops() {
		if p.matchesOp(o) {
			return p, nil
		}
	}
	return Pattern{}, fmt.Errorf("%s is not an operation", op)
}

// String is the inverse of ParsePattern.
func (p Pattern) String() string {
	if p.Answer == "" {
		return p.Op
	}
	return p.Op + "@" + p.Answer
}

// MatchOp reports whether the operation part selects o.
func (p Pattern) MatchOp(o Op) bool { return p.matchesOp(o) }

// Match reports whether p selects e.
func (p Pattern) Match(e Exchange) bool {
	return p.matchesOp(e.Route.Op) && (p.Answer == "" || MatchAnswer(p.Answer, e))
}

func (p Pattern) matchesOp(o Op) bool {
	switch p.Op {
	case "":
		return false
	case "any":
		return o != OpEvent && o != OpDNS && o != OpConnect && o != OpTLS
	}
	ok, err := path.Match(p.Op, string(o))
	return err == nil && ok
}

// MatchAnswer reports whether an exchange was answered by want: a status
// ("202"), a class ("5xx"), or the name of a Failure ("reset").
func MatchAnswer(want string, e Exchange) bool {
	if f, ok := parseFailure(want); ok {
		return e.Failure == f
	}
	if e.Failure != FailureNone && e.Response.Status == 0 {
		return false
	}
	got := fmt.Sprintf("%03d", e.Response.Status)
	if len(want) != 3 {
		return false
	}
	if strings.HasSuffix(want, "xx") {
		return want[0] == got[0]
	}
	return want == got
}

func validAnswer(s string) bool {
	if _, ok := parseFailure(s); ok {
		return true
	}
	if len(s) != 3 || s[0] < '1' || s[0] > '5' {
		return false
	}
	return s[1:] == "xx" || (s[1] >= '0' && s[1] <= '9' && s[2] >= '0' && s[2] <= '9')
}
