package fakeregistry

import (
	"fmt"
	"net/http"
)

// Quirks are lawful or common deviations of registries from what distribution
// 3.1.2 does, each with a registry that has it. The zero value has none. QuirkList
// names them for scenario files.
type Quirks struct {
	RelativeLocation bool   // Location headers without scheme and host
	PlainLocation    bool   // Location of a session without state: offsets are not checked
	LocationQuery    string // more query for the Location of a session: "a=1&b=2"
	NoDigestHeader   bool   // no Docker-Content-Digest
	NoVersionHeader  bool   // no Docker-Distribution-API-Version
	ManifestAccepted bool   // 202 to a manifest PUT
	PatchCreated     bool   // 201 to a PATCH
	RangeOffByOne    bool   // Range one too large
	RangeOfChunk     bool   // Range of a PATCH's answer is that of the last chunk
	MinChunk         int64  // bytes: a smaller chunk that is not the last is refused with 416; announced
	MaxChunk         int64  // bytes: a larger chunk is refused with 416
	OnePatch         bool   // a second PATCH of a session is refused with 416
	NoPatch          bool   // PATCH is not there: 405
	NoSinglePost     bool   // POST ?digest= starts a session
	NoMount          bool   // a mount starts a session
	GlobalBlobs      bool   // a blob is there in every repository
	NoReferrers      bool   // the referrers endpoint is not there: 404
	IgnoreAccept     bool   // a manifest is given whatever Accept says
	LooseManifests   bool   // what a manifest names need not be there
	MaxTags          int64  // more than so many tags may not be asked for: UNSUPPORTED
	PlainErrors      bool   // errors are text/plain, with the same JSON
	// DistributionErrors answers some mistakes as distribution does: as trouble of
	// its own (500 UNKNOWN), or by codes that the specification has not.
	DistributionErrors bool

	SessionElsewhere bool   // the Location of a session is not below /v2/
	RedirectBlobs    bool   // GET and HEAD of a blob are 307
	ExtraFields      bool   // JSON has fields that nobody knows
	ShuffledErrors   bool   // a refusal has more errors, in any order
	HeaderCase       string // "lower" or "upper": of the names of headers, over HTTP/1.1
	NoLength         bool   // JSON comes in chunks
	CloseEvery       int64  // each so manyth answer closes the connection
	Latency          int64  // milliseconds that an answer takes
	Throttle         int64  // each so manyth request is refused with 429 and Retry-After, in both forms in turn
}

// mistake is the error of something that a client did wrong and for which
// distribution has no code: code, unless distribution's answer is wanted.
func (q *Quirks) mistake(code Code, detail any) *Error {
	if q.DistributionErrors {
		return CodeUnknown.With(detail)
	}
	return &Error{Code: code, Detail: detail, Status: http.StatusBadRequest}
}

// A Quirk is the entry of one field of Quirks in the documentation and the
// scenario format.
type Quirk struct {
	Name     string // "relative-location"
	Registry string // who has it
	Doc      string
	// Set turns it on. value is a bool, an int64 or a string, as the field is.
	//
	// Errors: a value of another type, or a negative number.
	Set func(q *Quirks, value any) error
}

// QuirkList is every quirk, in the order of the fields of Quirks.
func QuirkList() []Quirk {
	return append([]Quirk{
		flagQuirk("relative-location", "GHCR, zot, go-containerregistry",
			"Location is a path without scheme and host.", func(q *Quirks) *bool { return &q.RelativeLocation }),
		flagQuirk("plain-location", "zot, olareg, go-containerregistry",
			"The location of an upload session has no state in it: an old one goes on working.", func(q *Quirks) *bool { return &q.PlainLocation }),
		textQuirk("location-query", "Azure Container Registry (_nouploadcache=false)",
			"The location of an upload session has a query of its own that must come back.", func(q *Quirks) *string { return &q.LocationQuery }),
		flagQuirk("no-digest-header", "ECR, Red Hat's registry",
			"Docker-Content-Digest is not sent.", func(q *Quirks) *bool { return &q.NoDigestHeader }),
		flagQuirk("no-version-header", "registries behind proxies that drop headers they do not know",
			"Docker-Distribution-API-Version is not sent: docker before 1.10 takes the registry for none of V2.", func(q *Quirks) *bool { return &q.NoVersionHeader }),
		flagQuirk("manifest-accepted", "distribution 2.0",
			"A manifest PUT is answered 202 (P-300).", func(q *Quirks) *bool { return &q.ManifestAccepted }),
		flagQuirk("patch-created", "ECR",
			"A PATCH is answered 201.", func(q *Quirks) *bool { return &q.PatchCreated }),
		flagQuirk("range-off-by-one", "distribution 2.0.0",
			"Range ends one byte too far (P-317).", func(q *Quirks) *bool { return &q.RangeOffByOne }),
		flagQuirk("range-of-chunk", "Aliyun, zot before 2.1.4",
			"Range in the answer to a PATCH is that of the chunk alone.", func(q *Quirks) *bool { return &q.RangeOfChunk }),
		sizeQuirk("min-chunk", "registries that hand chunks on to S3",
			"A smaller chunk must be the last: another one after it is 416. Announced as OCI-Chunk-Min-Length.", func(q *Quirks) *int64 { return &q.MinChunk }),
		sizeQuirk("max-chunk", "GHCR (4 MiB)",
			"A larger PATCH is refused with 416 and SIZE_INVALID.", func(q *Quirks) *int64 { return &q.MaxChunk }),
		flagQuirk("one-patch", "Gitea before 1.24",
			"A second PATCH of a session is refused with 416.", func(q *Quirks) *bool { return &q.OnePatch }),
		flagQuirk("no-patch", "distribution 2.0.0",
			"PATCH is 405 (P-318).", func(q *Quirks) *bool { return &q.NoPatch }),
		flagQuirk("no-single-post", "distribution, Harbor",
			"POST ?digest= starts an upload session and leaves the body unread.", func(q *Quirks) *bool { return &q.NoSinglePost }),
		flagQuirk("no-mount", "go-containerregistry",
			"A mount starts an upload session.", func(q *Quirks) *bool { return &q.NoMount }),
		flagQuirk("global-blobs", "zot, go-containerregistry",
			"A blob is there in every repository once it is in one.", func(q *Quirks) *bool { return &q.GlobalBlobs }),
		flagQuirk("no-referrers", "distribution",
			"The referrers endpoint is 404.", func(q *Quirks) *bool { return &q.NoReferrers }),
		flagQuirk("ignore-accept", "go-containerregistry",
			"A manifest is given whatever the client accepts.", func(q *Quirks) *bool { return &q.IgnoreAccept }),
		flagQuirk("loose-manifests", "go-containerregistry",
			"A manifest is taken though blobs that it names are missing.", func(q *Quirks) *bool { return &q.LooseManifests }),
		sizeQuirk("max-tags", "ECR (1000)",
			"Asking for more tags at once is UNSUPPORTED.", func(q *Quirks) *int64 { return &q.MaxTags }),
		flagQuirk("plain-errors", "distribution 2.0",
			"Errors are sent as text/plain (P-324).", func(q *Quirks) *bool { return &q.PlainErrors }),
		flagQuirk("distribution-errors", "distribution",
			"A manifest that is none and a Content-Range that is none are 500 UNKNOWN, a manifest that is too large is 400, a wrong ?n= is PAGINATION_NUMBER_INVALID, and blobs are sent without nosniff.",
			func(q *Quirks) *bool { return &q.DistributionErrors }),
	}, orneryQuirks()...)
}

func flagQuirk(name, registry, doc string, field func(*Quirks) *bool) Quirk {
	return quirkOf(name, registry, doc, "true or false", field)
}

func textQuirk(name, registry, doc string, field func(*Quirks) *string) Quirk {
	return quirkOf(name, registry, doc, "a text", field)
}

func sizeQuirk(name, registry, doc string, field func(*Quirks) *int64) Quirk {
	return quirkOf(name, registry, doc, "a number", field)
}

func quirkOf[T comparable](name, registry, doc, kind string, field func(*Quirks) *T) Quirk {
	return Quirk{Name: name, Registry: registry, Doc: doc, Set: func(q *Quirks, value any) error {
		v, ok := value.(T)
		if n, isNumber := value.(int64); !ok || isNumber && n < 0 {
			return fmt.Errorf("%s takes %s, not %v", name, kind, value)
		}
		*field(q) = v
		return nil
	}}
}

// A Difference is a place where a V2 without quirks answers otherwise than
// distribution 3.1.2 does in the same configuration.
type Difference struct{ Name, Doc string }

// Differences lists them all: a test compares the two over some hundred requests
// and takes no other.
func Differences() []Difference {
	return []Difference{
		{"single-post", "POST ?digest= stores the blob; distribution starts a session. See Quirks.NoSinglePost."},
		{"errors", "a client's mistake is never 500, and its code is one of the specification's. See Quirks.DistributionErrors."},
		{"referrers", "the referrers endpoint is there; distribution has none. See Quirks.NoReferrers."},
		{"catalog", "/v2/_catalog, which is not in the specification, is 404."},
		{"long-name", "a repository's name of more than 255 bytes is NAME_INVALID; distribution answers UNKNOWN, twice."},
		{"last-of-nothing", "tags/list?last= of a repository without tags is NAME_UNKNOWN as without last; distribution answers an empty list."},
		{"digest-as-asked", "a blob of another algorithm than sha256 is answered by the digest that was asked for, as the specification demands; distribution answers its sha256 digest."},
	}
}
